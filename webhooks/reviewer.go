package webhooks

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/authority"
)

// The kinds that admission is about, as decisions name them.
type (
	cluster = v1alpha1.Cluster
	grant   = v1alpha1.Grant
	project = v1alpha1.Project
	quota   = v1alpha1.Quota
	role    = v1alpha1.Role
	token   = v1alpha1.Token
	user    = v1alpha1.User
)

const (
	// settleTime is how long an object that is there already is waited for to be known here. With the rest it stays below what
	// the API server waits.
	settleTime = 2 * time.Second
	// settleInterval is how often it is looked for.
	settleInterval = 20 * time.Millisecond
	// verbEscalate lets others than users of ours give rights that they need not have, as it does with roles of Kubernetes.
	verbEscalate = "escalate"
)

// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create
// +kubebuilder:rbac:groups=platform.soma.dev,resources=grants;projects;roles;users;jobs,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=list;watch

// reviewer gathers what decisions need, around them.
type reviewer struct {
	decoder   admission.Decoder
	authority *authority.Authority
	// live reads from the API server itself.
	live    client.Reader
	reviews authorizationclient.SubjectAccessReviewInterface
}

// look lets a function decide from what is known now, while nothing of it changes.
func (r *reviewer) look(info authenticationv1.UserInfo, decide func(f facts) error) error {
	if !r.authority.Synced() {
		return errNotSynced
	}
	var err error
	r.authority.View(func(d *access.Directory, m *access.Membership, now time.Time) {
		f := facts{directory: d, trees: m.Tree, now: now}
		if f.asker, err = f.who(info); err == nil {
			err = decide(f)
		}
	})
	return err
}

// review decides about a change of an object, after what it names is known here, and asks Kubernetes of those who are no users
// of ours whether they may give what the change gives.
func (r *reviewer) review(ctx context.Context, request admission.Request, before, after client.Object, named []client.Object, decide func(f facts) (bool, error)) error {
	if err := r.settle(ctx, named); err != nil {
		return err
	}
	escalates := false
	err := r.look(request.UserInfo, func(f facts) (err error) {
		if err = guard(f.asker, before, after); err == nil {
			escalates, err = decide(f)
		}
		return err
	})
	if err != nil || !escalates {
		return err
	}
	return r.mayEscalate(ctx, request, after.GetName())
}

// settle waits until what an object names and what exists is known here: an object that names another is often made right
// after it.
func (r *reviewer) settle(ctx context.Context, named []client.Object) error {
	if !r.authority.Synced() {
		return errNotSynced
	}
	missing := slices.DeleteFunc(slices.Clone(named), r.knows)
	var coming []client.Object
	for _, object := range missing {
		switch err := r.live.Get(ctx, client.ObjectKeyFromObject(object), object); {
		case err == nil:
			coming = append(coming, object)
		case !apierrors.IsNotFound(err) && !apierrors.IsInvalid(err):
			return fmt.Errorf("look for %T %s: %w", object, object.GetName(), err)
		}
	}
	if len(coming) == 0 {
		return nil
	}
	err := wait.PollUntilContextTimeout(ctx, settleInterval, settleTime, true, func(context.Context) (bool, error) {
		return !slices.ContainsFunc(coming, func(o client.Object) bool { return !r.knows(o) }), nil
	})
	if err != nil {
		return errNotSynced
	}
	return nil
}

// knows reports whether there is an object of that name, as far as is known here.
func (r *reviewer) knows(object client.Object) (known bool) {
	r.authority.View(func(d *access.Directory, _ *access.Membership, _ time.Time) {
		switch object.(type) {
		case *role:
			known = d.Role(object.GetName()) != nil
		case *user:
			known = d.User(object.GetName()) != nil
		case *project:
			_, known = d.Project(object.GetName())
		}
	})
	return known
}

// guard refuses users of ours what nobody does by hand: to take off what holds an object for Soma, and to make the garbage
// collector delete what they may not delete.
func guard(a asker, before, after client.Object) error {
	if !a.ours() {
		return nil
	}
	if !equality.Semantic.DeepEqual(before.GetOwnerReferences(), after.GetOwnerReferences()) {
		return forbidden("metadata.ownerReferences: users do not set them")
	}
	for _, finalizer := range before.GetFinalizers() {
		if strings.HasPrefix(finalizer, v1alpha1.GroupName+"/") && !slices.Contains(after.GetFinalizers(), finalizer) {
			return forbidden("metadata.finalizers: %s is taken off by Soma alone, when all is done that it stands for", finalizer)
		}
	}
	return nil
}

// mayEscalate asks Kubernetes whether somebody who is no user of ours may give rights without having them.
func (r *reviewer) mayEscalate(ctx context.Context, request admission.Request, name string) error {
	allowed, err := r.may(ctx, request.UserInfo, &authorizationv1.ResourceAttributes{
		Namespace: request.Namespace, Verb: verbEscalate, Group: v1alpha1.GroupName, Version: v1alpha1.GroupVersion.Version,
		Resource: request.Resource.Resource, Name: name,
	})
	if err == nil && !allowed {
		err = forbidden("%q is no user of Soma's, and gives rights with this: for that, others need the verb %q on %s of %s",
			request.UserInfo.Username, verbEscalate, request.Resource.Resource, v1alpha1.GroupName)
	}
	return err
}

// may asks Kubernetes whether somebody may do something.
func (r *reviewer) may(ctx context.Context, who authenticationv1.UserInfo, what *authorizationv1.ResourceAttributes) (bool, error) {
	extra := map[string]authorizationv1.ExtraValue{}
	for key, values := range who.Extra {
		extra[key] = authorizationv1.ExtraValue(values)
	}
	review, err := r.reviews.Create(ctx, &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		ResourceAttributes: what, User: who.Username, Groups: who.Groups, UID: who.UID, Extra: extra,
	}}, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("ask the API server what %q may do: %w", who.Username, err)
	}
	return review.Status.Allowed, nil
}
