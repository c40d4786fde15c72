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
func (p people) outdated(user *v1alpha1.User, claims *provider.Claims) bool {
	return user.Status.LastSignIn == nil || !older(&user.Status, claims) && !slices.Equal(user.Status.Groups, p.groups(user, claims))
}

// groups are those of a user once an identity provider has told all that it knows of. Those of another one stay as they are
// noted, while it is configured and the user has an identity there.
func (p people) groups(user *v1alpha1.User, claims *provider.Claims) []string {
	all := slices.Clone(claims.Groups)
	for _, identity := range user.Spec.Identities {
		other := p.providers.ByURL(identity.Issuer)
		if other == nil || identity.Issuer == claims.Identity.Issuer {
			continue
		}
		for _, group := range user.Status.Groups {
			if other.Issuer.Owns(group) {
				all = append(all, group)
			}
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	return all[:min(len(all), provider.MaxGroups)]
}

// note has the User say what a token says, where that is news, and returns once it is known here. Of requests that come with
// the same news one writes. Rights are those of the groups that are noted: on an error they may be more than the token's.
func (s *Service) note(ctx context.Context, user *v1alpha1.User, claims *provider.Claims) error {
	if !s.people.outdated(user, claims) {
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
			return user == nil || !s.people.outdated(user, claims), nil
		})
	})
	if err != nil {
		return fmt.Errorf("note the groups of %s: %w", user.Name, err)
	}
	return nil
}
