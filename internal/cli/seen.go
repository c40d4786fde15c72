package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	review "github.com/soma-platform/soma/api/access/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
)

// seen reads those objects of a kind that lies in no project which the user may see. Kubernetes lists all of a kind or none:
// who may not list all is asked for what they have a right to, one by one. It reports whether these are all there are.
func (a *app) seen(ctx context.Context, gvr schema.GroupVersionResource, scheme access.Scheme) (*unstructured.UnstructuredList, bool, error) {
	found, err := a.list(ctx, gvr, "", metav1.ListOptions{}, 0)
	if !apierrors.IsForbidden(err) {
		return found, true, err
	}
	answer, _, askErr := askRights[review.SelfReview](ctx, a, selfReviews, &review.SelfReview{TypeMeta: reviewType("SelfReview")})
	if askErr != nil || answer.Status.User == "" {
		return nil, false, err
	}
	if answer.Status.Message != "" { // that they came with a token for less, for instance
		fmt.Fprintf(a.err, "%s %s\n", a.style.warn("note:"), answer.Status.Message)
	}
	found = &unstructured.UnstructuredList{}
	for _, name := range namesIn(answer.Status.Rights, scheme) {
		u, err := a.get(ctx, gvr, "", name)
		if unseen(err) {
			continue
		}
		if err != nil {
			return nil, false, err
		}
		found.Items = append(found.Items, *u)
	}
	return found, false, nil
}

// namesIn are the names of the things of a scheme that rights are about, in order. A project may be seen by who has a right to
// anything in it.
func namesIn(rights []review.HeldRight, scheme access.Scheme) []string {
	var names []string
	for i := range rights {
		name, found := strings.CutPrefix(rights[i].URI, string(scheme)+"://")
		if scheme == access.Project {
			p, err := parsePlace(strings.Replace(rights[i].URI, "://*/", "://local/", 1), "")
			name, found = p.project, err == nil
		}
		if found && name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
