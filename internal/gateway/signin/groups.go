package signin

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/gateway/provider"
)

// older reports whether a token was made before the one that what is noted is from.
func older(status *v1alpha1.UserStatus, claims *provider.Claims) bool {
	return status.LastSignIn != nil && claims.IssuedAt.Before(status.LastSignIn.Time)
}

// outdated reports whether a token says something else of a person than is noted, and later.
func outdated(status *v1alpha1.UserStatus, claims *provider.Claims) bool {
	return status.LastSignIn == nil || !older(status, claims) && !slices.Equal(status.Groups, claims.Groups)
}

// note has the User say what a token says, where that is news, and returns once it is known here. Of requests that come with
// the same news one writes. Rights are those of the groups that are noted: on an error they may be more than the token's.
func (s *Service) note(ctx context.Context, user *v1alpha1.User, claims *provider.Claims) error {
	if !outdated(&user.Status, claims) {
		return nil
	}
	news := string(user.UID) + "\x00" + claims.Identity.Issuer + "\x00" + strings.Join(claims.Groups, "\x00")
	_, err, _ := s.noting.Do(news, func() (any, error) {
		// Who came first may go away: the others still wait.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
		defer cancel()
		if err := s.people.told(ctx, user.Name, string(user.UID), claims); err != nil {
			return nil, err
		}
		return nil, wait.PollUntilContextTimeout(ctx, knownInterval, knownTimeout, true, func(context.Context) (bool, error) {
			user := s.byIdentity(claims.Identity)
			return user == nil || !outdated(&user.Status, claims), nil
		})
	})
	if err != nil {
		return fmt.Errorf("note the groups of %s: %w", user.Name, err)
	}
	return nil
}
