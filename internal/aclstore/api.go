package aclstore

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	accessapi "github.com/soma-platform/soma/api/access/v1alpha1"
	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
)

// apiTimeout bounds one question to the API.
const apiTimeout = 5 * time.Second

// API asks access.soma.dev, where rights are decided, by a review for each question. Whom the client is for needs the ClusterRole
// soma-access-reader: to who may not know it, everybody's rights look like none.
type API struct{ Client client.Writer }

var _ Source = API{}

// Allows asks whether a user may do something.
func (a API) Allows(ctx context.Context, user string, target access.Target, level access.Level) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	review := &accessapi.AccessReview{Spec: accessapi.AccessReviewSpec{
		User: user, URI: v1alpha1.Address(target.String()), Action: level.Action(),
	}}
	if err := a.Client.Create(ctx, review); err != nil {
		return false, fmt.Errorf("ask access.soma.dev: %w", err)
	}
	return review.Status.Allowed, nil
}
