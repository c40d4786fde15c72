package signin

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/gateway/provider"
	"github.com/soma-platform/soma/internal/gateway/session"
	"github.com/soma-platform/soma/internal/platform/patch"
)

// maxEnded is how many sessions the User keeps that were signed out.
const maxEnded = 64

// people writes what the gateway knows of users. It reads from the API server itself: what it changes, it has just read.
type people struct {
	client    client.Client
	providers *provider.Providers
	now       func() time.Time
}

// update changes the status of the user whose UID is known, until nobody else wrote in between.
func (p people) update(ctx context.Context, name, uid string, change func(*v1alpha1.User)) error {
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		var user v1alpha1.User
		if err := p.client.Get(ctx, types.NamespacedName{Name: name}, &user); err != nil {
			return err
		}
		if string(user.UID) != uid {
			return apierrors.NewNotFound(v1alpha1.GroupVersion.WithResource("users").GroupResource(), name)
		}
		before := user.DeepCopy()
		change(&user)
		_, err := patch.Status(ctx, p.client, before, &user)
		return err
	})
}

// told notes what a token of the identity provider says, unless it is known from a later one.
func (p people) told(ctx context.Context, name, uid string, claims *provider.Claims) error {
	return p.update(ctx, name, uid, func(user *v1alpha1.User) {
		if !older(&user.Status, claims) {
			user.Status.Groups, user.Status.LastSignIn = p.groups(user, claims), &metav1.Time{Time: claims.IssuedAt}
		}
	})
}

// end notes that a session was signed out.
func (p people) end(ctx context.Context, name, uid, id string) error {
	return p.update(ctx, name, uid, func(user *v1alpha1.User) {
		user.Status.EndedSessions = endSession(user.Status.EndedSessions, id, p.now())
	})
}

// endSession is the list of ended sessions with one more, and without those that are over anyway. Where there is no room for
// all, one entry ends every session up to now.
func endSession(list []string, id string, now time.Time) []string {
	kept := []string{}
	for _, entry := range list {
		ends, named := session.Ended(entry)
		if lasts := named && now.Before(ends) || strings.HasPrefix(entry, beforePrefix); lasts && entry != id {
			kept = append(kept, entry)
		}
	}
	if len(kept) < maxEnded {
		return append(kept, id)
	}
	return []string{beforePrefix + strconv.FormatInt(now.Unix(), 10)}
}

// create makes a User for an identity, who holds the roles. The name is made from what the identity provider calls the person,
// and from who they are: nobody can come by a name for which a grant waits already. A User of the name who has the identity
// is that one.
func (p people) create(ctx context.Context, claims provider.Claims, name string, roles []v1alpha1.HeldRole) (*v1alpha1.User, error) {
	if name == "" {
		name = userName(claims)
	}
	user := &v1alpha1.User{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.UserSpec{
			Type: v1alpha1.UserPerson, Identities: []v1alpha1.Identity{claims.Identity},
			DisplayName: claims.Name, Email: claims.Email, Roles: roles,
		},
	}
	if !strings.Contains(user.Spec.Email, "@") {
		user.Spec.Email = ""
	}
	err := p.client.Create(ctx, user)
	if !apierrors.IsAlreadyExists(err) {
		return user, err
	}
	var there v1alpha1.User
	if err := p.client.Get(ctx, client.ObjectKeyFromObject(user), &there); err != nil {
		return nil, err
	}
	if len(roles) > 0 || !slices.Contains(there.Spec.Identities, claims.Identity) {
		return nil, fmt.Errorf("there is a User %s already", name)
	}
	return &there, nil
}

// userName makes the name of a User: the beginning is for people, the end is who it is.
func userName(claims provider.Claims) string {
	sum := sha256.Sum256([]byte(claims.Identity.Issuer + "\x00" + claims.Identity.Subject))
	own := strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:8])
	wanted := claims.Username
	if wanted == "" {
		wanted, _, _ = strings.Cut(claims.Email, "@")
	}
	var name strings.Builder
	for _, r := range strings.ToLower(wanted) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9' && name.Len() > 0:
			name.WriteRune(r)
		case name.Len() > 0 && !strings.HasSuffix(name.String(), "-"):
			name.WriteByte('-')
		}
		if name.Len() == 40 {
			break
		}
	}
	begin := strings.Trim(name.String(), "-")
	if begin == "" {
		begin = "user"
	}
	return begin + "-" + own
}
