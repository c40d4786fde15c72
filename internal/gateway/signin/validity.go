package signin

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/gateway/caller"
	"github.com/soma-platform/soma/internal/gateway/session"
	"github.com/soma-platform/soma/internal/token"
)

// tokenPrefix begins the name that a service account's token has as a session.
const tokenPrefix = "token:"

// tokenName names a token of a service account by its hash: another one of the same id is another token.
func tokenName(hash string) string { return tokenPrefix + hash[:32] }

// refusal says why a caller does not count at a time as users are by then: nil where they do. It is asked at every request,
// and again and again for what is open. Only whose credentials count otherwise is told that they are barred.
func refusal(d *access.Directory, c caller.Caller, now time.Time) error {
	user := d.User(c.User)
	switch {
	case user == nil || string(user.UID) != c.UID:
		return fmt.Errorf("there is no User %s, or it is another one by now", c.User)
	case !now.Before(c.ExpiresAt):
		return errors.New("it has expired")
	}
	check := signInRefusal
	if c.Via == caller.ViaToken {
		check = tokenRefusal
	}
	if err := check(d, user, c); err != nil {
		return err
	}
	if !d.Active(c.User) {
		return caller.Inactive(user)
	}
	return nil
}

// signInRefusal says why a session or an ID token does not count that a person came with.
func signInRefusal(d *access.Directory, user *v1alpha1.User, c caller.Caller) error {
	if holder, found := d.ByIdentity(c.Identity); !found || holder != c.User {
		return fmt.Errorf("the User %s does not have the identity any more, or not alone", c.User)
	}
	if from := user.Spec.NotBefore; from != nil && !after(c.IssuedAt, from.Time) {
		return fmt.Errorf("the User %s counts what was made after %s", c.User, from.UTC().Format(time.RFC3339))
	}
	if ended(user.Status.EndedSessions, c.Session, c.IssuedAt) {
		return errors.New("it was signed out")
	}
	return nil
}

// tokenRefusal says why a token does not count that a service account came with.
func tokenRefusal(_ *access.Directory, user *v1alpha1.User, c caller.Caller) error {
	if user.Spec.NotBefore != nil {
		// When a token was made is not known: with notBefore none counts.
		return fmt.Errorf("the User %s has notBefore, with which none of its tokens counts: make new ones and remove it", user.Name)
	}
	for i := range user.Spec.Tokens {
		if one := &user.Spec.Tokens[i]; tokenName(one.Hash) == c.Session {
			if !one.ExpiresAt.Time.Equal(c.ExpiresAt) || !reflect.DeepEqual(one.Scope, c.Scope) {
				return fmt.Errorf("the token %s was changed", one.ID)
			}
			return nil
		}
	}
	return errors.New("the token was removed")
}

// after reports whether something was made after a time that is known to the second: in that very second is not after it.
func after(made, from time.Time) bool { return made.Truncate(time.Second).After(from) }

// beforePrefix begins an entry of a User's ended sessions that ends all that were made up to a time.
const beforePrefix = "before:"

// ended reports whether a session is among those that were signed out.
func ended(list []string, id string, made time.Time) bool {
	for _, entry := range list {
		if session.Same(entry, id) {
			return true
		}
		if seconds, one := strings.CutPrefix(entry, beforePrefix); one {
			if unix, err := strconv.ParseInt(seconds, 10, 64); err == nil && !after(made, time.Unix(unix, 0)) {
				return true
			}
		}
	}
	return false
}

// ofToken finds the caller that a token of a service account is for. The hash is compared with that of every token of the
// user, so that the time taken does not tell which ids there are.
func ofToken(d *access.Directory, raw string) (caller.Caller, error) {
	named, err := token.Parse(raw)
	if err != nil {
		return caller.Caller{}, err
	}
	user := d.User(named.User)
	if user == nil || user.Spec.Type != v1alpha1.UserServiceAccount {
		// As much is done as for one that is there.
		_ = token.Matches(raw, strings.Repeat("0", 64))
		return caller.Caller{}, errors.New("there is no such service account")
	}
	found := -1
	for i := range user.Spec.Tokens {
		if token.Matches(raw, user.Spec.Tokens[i].Hash) && user.Spec.Tokens[i].ID == named.ID {
			found = i
		}
	}
	if found < 0 {
		return caller.Caller{}, errors.New("the service account has no such token")
	}
	one := &user.Spec.Tokens[found]
	return caller.Caller{
		User: user.Name, UID: string(user.UID), Session: tokenName(one.Hash), TokenID: one.ID, ExpiresAt: one.ExpiresAt.Time,
		Scope: one.Scope, Via: caller.ViaToken,
	}, nil
}
