package cli

import (
	"context"
	"fmt"

	access "github.com/soma-platform/soma/api/access/v1alpha1"
	"github.com/soma-platform/soma/api/v1alpha1"
)

// mayStill asks what one may do with a job.
func (a *app) mayStill(ctx context.Context, job *v1alpha1.Job, action v1alpha1.Action) (*access.AccessReview, error) {
	question := &access.AccessReview{TypeMeta: reviewType("AccessReview"), Spec: access.AccessReviewSpec{
		URI: v1alpha1.Address("job:" + job.Name), Project: job.Namespace, Action: action,
	}}
	answer, _, err := askRights[access.AccessReview](ctx, a, accessReviews, question)
	return answer, err
}

// brokeOff says why something that was open to a job ended before its end: because of the right to it, of the sign-in, or of the
// connection, which the gateway ends without a word where a right ends.
func (a *app) brokeOff(ctx context.Context, job *v1alpha1.Job, action v1alpha1.Action, what string, err error) error {
	answer, askErr := a.mayStill(ctx, job, action)
	switch {
	case askErr != nil && refused(askErr):
		return fmt.Errorf("%s ended: %w", what, askErr)
	case askErr == nil && answer.Status.User != "" && !answer.Status.Allowed:
		return fmt.Errorf("%s: you may not %s job %q, or may not any more\n%s",
			what, action, job.Name, whoGives(job.Namespace, a.program, fmt.Sprintf("can-i %s job:%s", action, job.Name)))
	}
	return fmt.Errorf("%s ended, because the connection was ended, by the cluster or on the way there: %w", what, err)
}
