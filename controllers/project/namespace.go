package project

import (
	"context"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/platform/patch"
)

const (
	// policyName is the name of the NetworkPolicy that every project gets.
	policyName = "soma-default"
	// defaultAccount is the service account of pods that name none.
	defaultAccount = "default"
)

// finalizers hold every project: one until its namespace is gone, one until its end is recorded.
var finalizers = []string{v1alpha1.FinalizerNamespace, v1alpha1.FinalizerHistory}

// act does the one thing that the facts call for, and leaves in the facts what exists then.
func (r *Reconciler) act(ctx context.Context, project *v1alpha1.Project, found *facts) error {
	switch owns(project, found.namespace) {
	case missing:
		namespace, err := r.create(ctx, project)
		if err != nil {
			return err
		}
		found.namespace = namespace
		return r.equip(ctx, project, namespace)
	case own:
		return r.equip(ctx, project, found.namespace)
	default:
		// Lost: the record of the old namespace goes first, or the new one would look foreign after a crash in between.
		return nil
	}
}

func (r *Reconciler) create(ctx context.Context, project *v1alpha1.Project) (*corev1.Namespace, error) {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: project.Name, Labels: namespaceLabels(project.Name)}}
	if err := controllerutil.SetControllerReference(project, namespace, r.Client.Scheme()); err != nil {
		return nil, fmt.Errorf("own namespace %q: %w", project.Name, err)
	}
	if err := r.Client.Create(ctx, namespace); err != nil {
		return nil, fmt.Errorf("make namespace %q: %w", project.Name, err)
	}
	return namespace, nil
}

// equip makes sure that the namespace carries its labels and policies, also after somebody changed them by hand.
func (r *Reconciler) equip(ctx context.Context, project *v1alpha1.Project, namespace *corev1.Namespace) error {
	if owns(project, namespace) != own {
		return nil
	}
	labelled := namespace.DeepCopy()
	if labelled.Labels == nil {
		labelled.Labels = map[string]string{}
	}
	maps.Copy(labelled.Labels, namespaceLabels(project.Name))
	if _, err := patch.Object(ctx, r.Client, namespace, labelled); err != nil {
		return fmt.Errorf("label namespace %q: %w", namespace.Name, err)
	}
	if err := r.policy(ctx, project); err != nil {
		return fmt.Errorf("network policy %s/%s: %w", project.Name, policyName, err)
	}
	if err := r.account(ctx, project); err != nil {
		return fmt.Errorf("service account %s/%s: %w", project.Name, defaultAccount, err)
	}
	return nil
}

func (r *Reconciler) policy(ctx context.Context, project *v1alpha1.Project) error {
	wanted := &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: policyName, Namespace: project.Name, Labels: ownLabels(project.Name)},
		Spec:       networkPolicy(r.Namespace),
	}
	if err := controllerutil.SetControllerReference(project, wanted, r.Client.Scheme()); err != nil {
		return err
	}
	existing := &networkingv1.NetworkPolicy{}
	err := r.Client.Get(ctx, client.ObjectKeyFromObject(wanted), existing)
	if apierrors.IsNotFound(err) {
		return r.Client.Create(ctx, wanted)
	}
	if err != nil {
		return err
	}
	if equality.Semantic.DeepEqual(existing.Spec, wanted.Spec) && metav1.IsControlledBy(existing, project) {
		return nil
	}
	repaired := existing.DeepCopy()
	repaired.Spec, repaired.OwnerReferences = wanted.Spec, wanted.OwnerReferences
	_, err = patch.Object(ctx, r.Client, existing, repaired)
	return err
}

// account makes the default service account, or changes that which Kubernetes made, so that a pod that does not ask for a
// token gets none.
func (r *Reconciler) account(ctx context.Context, project *v1alpha1.Project) error {
	no := false
	existing := &corev1.ServiceAccount{}
	err := r.Client.Get(ctx, types.NamespacedName{Namespace: project.Name, Name: defaultAccount}, existing)
	if apierrors.IsNotFound(err) {
		err = r.Client.Create(ctx, &corev1.ServiceAccount{
			ObjectMeta:                   metav1.ObjectMeta{Name: defaultAccount, Namespace: project.Name},
			AutomountServiceAccountToken: &no,
		})
		if !apierrors.IsAlreadyExists(err) {
			return err
		}
		err = r.live.Get(ctx, types.NamespacedName{Namespace: project.Name, Name: defaultAccount}, existing)
	}
	if err != nil {
		return err
	}
	changed := existing.DeepCopy()
	changed.AutomountServiceAccountToken = &no
	_, err = patch.Object(ctx, r.Client, existing, changed)
	return err
}
