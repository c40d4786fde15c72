package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

const (
	// place is the name of all that a run makes: the project and its namespace, the quota, the pool of simulated nodes, and
	// who reads metrics. It is the same for every run, so that a run removes what one that was killed left behind.
	place = "soma-performance"
	// mark is the label of what was made by this program.
	mark = "performance.soma.dev/made"
	// gpuModel is of no other node, so that nothing else comes onto these nodes and these jobs go nowhere else.
	gpuModel = "SOMA-PERFORMANCE-GPU"
	// gpusPerNode is how many GPUs a simulated node has.
	gpusPerNode = 8
	// simulatedMark is the annotation by which kwok knows its nodes. As a label and a taint it lets `make up` remove nodes
	// that are left over, and keeps others' pods away.
	simulatedMark = "kwok.x-k8s.io/node"
	// writers is how many requests that prepare or remove something run at the same time.
	writers = 16
	// poll is how often something is looked at that is waited for, readyTime how long a project or a node may need.
	poll      = 250 * time.Millisecond
	readyTime = 2 * time.Minute
)

// free fails where something else has the names of a run: it would be removed with the run.
func (b *bench) free(ctx context.Context) error {
	quota, project, namespace := &platformv1.Quota{}, &platformv1.Project{}, &corev1.Namespace{}
	var found []client.Object
	for _, object := range []client.Object{quota, project, namespace} {
		err := b.Get(ctx, client.ObjectKey{Name: place}, object)
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("look for what an earlier run left: %w", err)
		}
		if err == nil {
			found = append(found, object)
		}
	}
	if object := foreign(found); object != nil {
		return fmt.Errorf("a %s named %q exists that is not of this program; remove it first", b.kindOf(object), place)
	}
	return nil
}

// foreign is the first of the objects that no run made. A namespace is its project's.
func foreign(found []client.Object) client.Object {
	for _, object := range found {
		made := object.GetLabels()[mark] != ""
		if _, is := object.(*corev1.Namespace); is {
			made = slices.ContainsFunc(found, func(o client.Object) bool { _, is := o.(*platformv1.Project); return is })
		}
		if !made {
			return object
		}
	}
	return nil
}

// kindOf is what an object is, for a person.
func (b *bench) kindOf(object client.Object) string {
	gvk, err := b.GroupVersionKindFor(object)
	if err != nil {
		return "object"
	}
	return gvk.Kind
}

// prepare makes a project with a quota that bounds nothing here, after removing what an earlier run left.
func (b *bench) prepare(ctx context.Context) error {
	b.Say("preparing the project %s", place)
	if err := b.clean(ctx); err != nil {
		return fmt.Errorf("remove what an earlier run left: %w", err)
	}
	cpu, memory, gpus := resource.MustParse("1000000"), resource.MustParse("1Pi"), int32(1_000_000)
	labels := map[string]string{mark: "true"}
	quota := &platformv1.Quota{ObjectMeta: metav1.ObjectMeta{Name: place, Labels: labels}}
	quota.Spec.Nominal = platformv1.ResourceAmounts{CPU: &cpu, Memory: &memory, GPUs: &gpus}
	project := &platformv1.Project{ObjectMeta: metav1.ObjectMeta{Name: place, Labels: labels}}
	project.Spec.Quota = place
	for _, object := range []client.Object{quota, project} {
		if err := b.Create(ctx, object); err != nil {
			return fmt.Errorf("make the %s of the run: %w", b.kindOf(object), err)
		}
	}
	return b.eventually(ctx, readyTime, "the project "+place+" is not ready", func(ctx context.Context) (bool, error) {
		err := b.Get(ctx, client.ObjectKeyFromObject(project), project)
		return meta.IsStatusConditionTrue(project.Status.Conditions, platformv1.ConditionReady), err
	})
}

// clean removes all that a run makes: the jobs first and many at a time, as the project would one by one.
func (b *bench) clean(ctx context.Context) error {
	// What makes pods goes before the pods do: a job that waits would take the place of one whose pod went.
	for _, k := range slices.Backward(kinds) {
		if err := b.deleteAll(ctx, k.gvk, client.InNamespace(place)); err != nil {
			return err
		}
	}
	for _, k := range slices.Backward(kinds) {
		if err := b.clear(ctx, k); err != nil {
			return err
		}
	}
	for _, object := range []client.Object{
		&platformv1.Project{ObjectMeta: metav1.ObjectMeta{Name: place}}, &platformv1.Quota{ObjectMeta: metav1.ObjectMeta{Name: place}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: place}},
	} {
		if err := b.Delete(ctx, object); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("remove the %s %s: %w", b.kindOf(object), place, err)
		}
		err := b.eventually(ctx, cleanTime, fmt.Sprintf("the %s %s does not go away", b.kindOf(object), place), func(ctx context.Context) (bool, error) {
			err := b.Get(ctx, client.ObjectKeyFromObject(object), object)
			return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
		})
		if err != nil {
			return err
		}
	}
	return b.deleteAll(ctx, corev1.SchemeGroupVersion.WithKind("Node"), ownNodes)
}

// clear removes all objects of a kind with their pods, and waits until they are gone.
func (b *bench) clear(ctx context.Context, k *kind) error {
	if err := b.deleteAll(ctx, k.gvk, client.InNamespace(place)); err != nil {
		return err
	}
	for _, gvk := range []schema.GroupVersionKind{k.gvk, kindNamed(kindPod).gvk} {
		err := b.eventually(ctx, waitTime, "not every "+k.title+" goes away", func(ctx context.Context) (bool, error) {
			list := names(gvk)
			err := b.List(ctx, list, client.InNamespace(place), client.Limit(1))
			return len(list.Items) == 0, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// deleteAll deletes what the options choose. One request for all of them would not end in time.
func (b *bench) deleteAll(ctx context.Context, gvk schema.GroupVersionKind, options ...client.ListOption) error {
	list := names(gvk)
	if err := b.List(ctx, list, options...); err != nil {
		return fmt.Errorf("list every %s to remove: %w", gvk.Kind, err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for i := range list.Items {
		if list.Items[i].DeletionTimestamp != nil {
			continue
		}
		group.Go(func() error {
			return client.IgnoreNotFound(b.Delete(ctx, &list.Items[i], client.PropagationPolicy(metav1.DeletePropagationBackground)))
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("remove every %s: %w", gvk.Kind, err)
	}
	return nil
}

// names is a list that takes no more of the objects than their metadata.
func names(gvk schema.GroupVersionKind) *metav1.PartialObjectMetadataList {
	list := &metav1.PartialObjectMetadataList{}
	gvk.Kind += "List"
	list.SetGroupVersionKind(gvk)
	return list
}

// ownNodes are the nodes of this program.
var ownNodes = client.MatchingLabels{mark: "true"}

// simulate makes simulated nodes until there are as many.
func (b *bench) simulate(ctx context.Context, nodes int) error {
	group, creating := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for i := range nodes {
		group.Go(func() error { return client.IgnoreAlreadyExists(b.Create(creating, simulatedNode(i))) })
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("make simulated nodes: %w", err)
	}
	hint := "not all simulated nodes become ready: kwok has to run in this cluster, as `make up` brings it"
	return b.eventually(ctx, readyTime, hint, func(ctx context.Context) (bool, error) {
		list := &corev1.NodeList{}
		if err := b.List(ctx, list, ownNodes); err != nil {
			return false, err
		}
		ready := 0
		for i := range list.Items {
			if open(&list.Items[i]) {
				ready++
			}
		}
		return ready >= nodes, nil
	})
}

// open reports whether pods can come onto a node: it is ready, and the taint that says that it is not has been taken away.
func open(node *corev1.Node) bool {
	for _, taint := range node.Spec.Taints {
		if strings.HasPrefix(taint.Key, "node.kubernetes.io/") {
			return false
		}
	}
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// simulatedNode is like those of the development cluster, but of a pool and with GPUs of its own.
func simulatedNode(i int) *corev1.Node {
	name := fmt.Sprintf("%s-%d", place, i)
	resources := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("96"), corev1.ResourceMemory: resource.MustParse("768Gi"),
		corev1.ResourcePods: resource.MustParse("250"), platformv1.ResourceGPU: *resource.NewQuantity(gpusPerNode, resource.DecimalSI),
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Annotations: map[string]string{simulatedMark: "fake"},
			Labels: map[string]string{
				mark: "true", simulatedMark: "fake", platformv1.LabelPool: place, platformv1.LabelGPUModel: gpuModel,
				corev1.LabelHostname: name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64",
			},
		},
		Spec: corev1.NodeSpec{Taints: []corev1.Taint{
			{Key: simulatedMark, Value: "fake", Effect: corev1.TaintEffectNoSchedule},
			{Key: platformv1.ResourceGPU, Value: "present", Effect: corev1.TaintEffectNoSchedule},
		}},
		Status: corev1.NodeStatus{
			Capacity: resources, Allocatable: resources,
			NodeInfo: corev1.NodeSystemInfo{OperatingSystem: "linux", Architecture: "amd64"},
		},
	}
}

// eventually waits for a condition; complaint says what is wrong when it does not come to hold in time.
func (b *bench) eventually(ctx context.Context, within time.Duration, complaint string, holds wait.ConditionWithContextFunc) error {
	if err := wait.PollUntilContextTimeout(ctx, poll, within, true, holds); err != nil {
		return fmt.Errorf("%s: %w", complaint, err)
	}
	return nil
}
