package accessapi

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"

	api "github.com/soma-platform/soma/api/access/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/authority"
)

// Storage answers reviews from an authority. Whom Soma does not know, the cluster is asked about.
func Storage(rights *authority.Authority, cluster authorizer.Authorizer) map[string]rest.Storage {
	w := &witness{rights: rights, cluster: cluster}
	return map[string]rest.Storage{
		"accessreviews": &reviews{singular: "accessreview", made: func() runtime.Object { return &api.AccessReview{} }, answer: w.access},
		"holdersreviews": &reviews{
			singular: "holdersreview", made: func() runtime.Object { return &api.HoldersReview{} }, answer: w.holders,
		},
		"selfreviews": &reviews{singular: "selfreview", made: func() runtime.Object { return &api.SelfReview{} }, answer: w.self},
	}
}

// reviews serves a kind that is made and answered at once, and not kept.
type reviews struct {
	singular string
	made     func() runtime.Object
	answer   func(ctx context.Context, a asker, question runtime.Object) error
}

var (
	_ rest.Creater              = &reviews{} //nolint:misspell // the library's name
	_ rest.Scoper               = &reviews{}
	_ rest.SingularNameProvider = &reviews{}
)

// New returns an empty review.
func (r *reviews) New() runtime.Object { return r.made() }

// Destroy has nothing to release: the authority is its maker's.
func (*reviews) Destroy() {}

// NamespaceScoped says that reviews lie in no namespace.
func (*reviews) NamespaceScoped() bool { return false }

// GetSingularName is the name of one.
func (r *reviews) GetSingularName() string { return r.singular }

// Create answers a review.
func (r *reviews) Create(ctx context.Context, object runtime.Object, validate rest.ValidateObjectFunc, _ *metav1.CreateOptions) (runtime.Object, error) {
	if validate != nil {
		if err := validate(ctx, object.DeepCopyObject()); err != nil {
			return nil, err
		}
	}
	info, found := genericapirequest.UserFrom(ctx)
	if !found {
		return nil, apierrors.NewBadRequest("nobody is known to ask")
	}
	a := asker{username: info.GetName(), groups: info.GetGroups(), tokens: info.GetExtra()[access.TokenExtra]}
	if err := r.answer(ctx, a, object); err != nil {
		return nil, err
	}
	if named, ok := object.(metav1.Object); ok {
		named.SetManagedFields(nil) // nothing is kept, and nobody manages it
		named.SetCreationTimestamp(metav1.Time{})
	}
	return object, nil
}

// witness answers reviews.
type witness struct {
	rights  *authority.Authority
	cluster authorizer.Authorizer
}

var errNotSynced = apierrors.NewServiceUnavailable("users, roles and grants are being read; try again in a moment")

func (w *witness) access(ctx context.Context, a asker, question runtime.Object) error {
	review, ok := question.(*api.AccessReview)
	if !ok {
		return apierrors.NewInternalError(fmt.Errorf("%T is no access review", question))
	}
	review.Status = api.AccessReviewStatus{}
	return w.decide(ctx, a, review.Spec.User != "", func(f facts) (err error) {
		review.Status, err = f.access(&review.Spec)
		return err
	})
}

func (w *witness) holders(ctx context.Context, a asker, question runtime.Object) error {
	review, ok := question.(*api.HoldersReview)
	if !ok {
		return apierrors.NewInternalError(fmt.Errorf("%T is no review of holders", question))
	}
	review.Status = api.HoldersReviewStatus{}
	return w.decide(ctx, a, true, func(f facts) (err error) {
		review.Status, err = f.holders(&review.Spec)
		return err
	})
}

func (w *witness) self(ctx context.Context, a asker, question runtime.Object) error {
	review, ok := question.(*api.SelfReview)
	if !ok {
		return apierrors.NewInternalError(fmt.Errorf("%T is no review of oneself", question))
	}
	return w.decide(ctx, a, false, func(f facts) error {
		review.Status = f.self()
		return nil
	})
}

// decide lets a function decide from what is known at this moment.
func (w *witness) decide(ctx context.Context, a asker, ofOthers bool, decision func(facts) error) error {
	if !w.rights.Synced() {
		return errNotSynced
	}
	w.rights.View(func(d *access.Directory, _ *access.Membership, _ time.Time) {
		a.user, a.ours = d.ByUsername(a.username)
	})
	if !a.ours && ofOthers {
		var err error
		if a.readsAll, err = w.readsAll(ctx); err != nil {
			return err
		}
	}
	var err error
	w.rights.View(func(d *access.Directory, m *access.Membership, now time.Time) { err = decision(facts{d, m, now, a}) })
	return err
}

// readsAll reports whether who asks may read, by the rights of the cluster, all that answers are found from: who can find
// them out may be told them.
func (w *witness) readsAll(ctx context.Context) (bool, error) {
	info, _ := genericapirequest.UserFrom(ctx)
	for _, resource := range []string{"users", "roles", "grants"} {
		decision, _, err := w.cluster.Authorize(ctx, authorizer.AttributesRecord{
			User: info, Verb: "list", APIGroup: platformGroup, APIVersion: "v1alpha1", Resource: resource, ResourceRequest: true,
		})
		if err != nil {
			return false, apierrors.NewInternalError(errors.Join(errors.New("the cluster cannot be asked what the caller may do"), err))
		}
		if decision != authorizer.DecisionAllow {
			return false, nil
		}
	}
	return true, nil
}
