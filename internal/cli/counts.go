package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"

	access "github.com/soma-platform/soma/api/access/v1alpha1"
	"github.com/soma-platform/soma/api/v1alpha1"
)

const (
	// countsTimeout is how long a command waits until what it changed of somebody's rights counts, and countsInterval how often it looks.
	countsTimeout  = 10 * time.Second
	countsInterval = 100 * time.Millisecond
)

// soon is said where it was not seen that a change counts.
const soon = "within 30 seconds"

func addWaitForRights(c *cobra.Command, wanted *bool) {
	c.Flags().BoolVar(wanted, "wait", true, fmt.Sprintf("wait until it counts, at most %s", countsTimeout))
}

// eventually asks until the answer is yes, and reports whether it was in time. What cannot be asked is as if it were not answered.
func eventually(ctx context.Context, ask func(context.Context) (bool, error)) bool {
	return wait.PollUntilContextTimeout(ctx, countsInterval, countsTimeout, true, ask) == nil
}

// settled waits until Soma has looked at a grant as it was made or changed, and returns it as it is then. It reports false where it
// was not looked at in time, or may not be seen.
func (a *app) settled(ctx context.Context, made *unstructured.Unstructured) (*unstructured.Unstructured, bool) {
	last := made
	done := eventually(ctx, func(ctx context.Context) (bool, error) {
		grant, err := decode[v1alpha1.Grant](last)
		if err != nil {
			return false, err
		}
		if looked(grant) {
			return true, nil
		}
		now, err := a.get(ctx, grants, made.GetNamespace(), made.GetName())
		if err == nil {
			last = now
		}
		return false, err
	})
	return last, done
}

// looked reports whether the status of a grant is about it as it is.
func looked(grant *v1alpha1.Grant) bool {
	ready := meta.FindStatusCondition(grant.Status.Conditions, v1alpha1.ConditionReady)
	return ready != nil && grant.Status.ObservedGeneration >= grant.Generation
}

// everywhere are addresses below which lies what a role gives in a project that Kubernetes has to be told of.
var everywhere = []v1alpha1.Address{"job:", "secret:", "project:"}

// ended waits until a grant that was taken back counts no more for the user to whom it was given. It reports false where that was
// not seen: in time, or because it was given to others than a user.
func (a *app) ended(ctx context.Context, grant *v1alpha1.Grant) bool {
	if grant.Spec.To.User == "" {
		return false
	}
	addresses := everywhere
	if grant.Spec.Role == "" {
		addresses = []v1alpha1.Address{grant.Spec.URI}
	}
	return eventually(ctx, func(ctx context.Context) (bool, error) {
		for _, address := range addresses {
			question := &access.AccessReview{TypeMeta: reviewType("AccessReview"), Spec: access.AccessReviewSpec{
				User: grant.Spec.To.User, URI: address, Project: grant.Namespace, Action: v1alpha1.ActionList,
			}}
			answer, _, err := askRights[access.AccessReview](ctx, a, accessReviews, question)
			if err != nil || by(answer.Status.Because, grant) {
				return false, err
			}
		}
		return true, nil
	})
}

// by reports whether a grant is among the reasons.
func by(reasons []access.Because, grant *v1alpha1.Grant) bool {
	return slices.ContainsFunc(reasons, func(because access.Because) bool {
		return because.Grant != nil && *because.Grant == access.GrantReference{Project: grant.Namespace, Name: grant.Name}
	})
}
