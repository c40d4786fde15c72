package signin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
)

const (
	// FirstSecret is the secret that has the hash of the link for the first administrator, while there is one.
	FirstSecret = "soma-first-admin"
	// AdminRole is the role that the first administrator gets.
	AdminRole = "cluster-admin"

	firstLifetime = 24 * time.Hour
	firstBytes    = 32

	firstHash, firstExpires, firstName = "hash", "expires", "name"
)

// ErrAdministered says that nobody is made the first administrator, as there is one.
var ErrAdministered = errors.New("there is a User with the role " + AdminRole + " already: have one of them give you the role")

// errFirst does not say what is wrong with the link: whoever has a wrong one learns nothing.
var errFirst = errors.New("the link does not count: it counts once, for a day, and only while there is no administrator; `gateway --first-admin-link` makes another")

// First makes one person the first administrator, by a link that counts once. Its token is random and stored as a hash alone.
type First struct {
	Client    client.Client
	Namespace string
	Now       func() time.Time
}

// Issue makes a link, in place of the one that there may be. The User gets the name, or one made from who they are.
func (f First) Issue(ctx context.Context, externalURL, name string) (string, error) {
	if err := f.noneYet(ctx); err != nil {
		return "", err
	}
	secret, err := f.secret(ctx)
	if err != nil {
		return "", err
	}
	random := make([]byte, firstBytes)
	_, _ = rand.Read(random)
	text := base64.RawURLEncoding.EncodeToString(random)
	secret.Data = map[string][]byte{
		firstHash:    []byte(hashOf(text)),
		firstExpires: []byte(f.Now().Add(firstLifetime).UTC().Format(time.RFC3339)),
		firstName:    []byte(name),
	}
	if err := f.Client.Update(ctx, secret); err != nil {
		return "", fmt.Errorf("keep the hash of the link: %w", err)
	}
	return externalURL + pathFirst + "?" + url.Values{"token": {text}}.Encode(), nil
}

// Check reports whether a link would count now.
func (f First) Check(ctx context.Context, text string) error {
	_, _, err := f.find(ctx, text)
	return err
}

// claim uses the link up, and is the name that the User gets.
func (f First) claim(ctx context.Context, text string) (string, error) {
	secret, name, err := f.find(ctx, text)
	if err != nil {
		return "", err
	}
	secret.Data = nil
	// The secret is written as it was read, or not at all: of two who come at once, one is the first.
	switch err := f.Client.Update(ctx, secret); {
	case apierrors.IsConflict(err):
		return "", errFirst
	case err != nil:
		return "", fmt.Errorf("use the link up: %w", err)
	}
	return name, nil
}

func (f First) find(ctx context.Context, text string) (*corev1.Secret, string, error) {
	secret, err := f.secret(ctx)
	if err != nil {
		return nil, "", err
	}
	expires, err := time.Parse(time.RFC3339, string(secret.Data[firstExpires]))
	same := subtle.ConstantTimeCompare([]byte(hashOf(text)), secret.Data[firstHash]) == 1
	if err != nil || !same || !f.Now().Before(expires) {
		return nil, "", errFirst
	}
	if err := f.noneYet(ctx); err != nil {
		return nil, "", err
	}
	return secret, string(secret.Data[firstName]), nil
}

func (f First) secret(ctx context.Context) (*corev1.Secret, error) {
	var secret corev1.Secret
	key := types.NamespacedName{Namespace: f.Namespace, Name: FirstSecret}
	switch err := f.Client.Get(ctx, key, &secret); {
	case apierrors.IsNotFound(err):
		return nil, fmt.Errorf("the secret %s does not exist: install Soma's manifests or chart again, which contain it", key)
	case err != nil:
		return nil, fmt.Errorf("read the secret %s: %w", key, err)
	}
	return &secret, nil
}

// noneYet returns ErrAdministered where somebody holds the role who is not disabled: the last of them may have shut themselves out.
func (f First) noneYet(ctx context.Context) error {
	var users v1alpha1.UserList
	if err := f.Client.List(ctx, &users); err != nil {
		return fmt.Errorf("look for administrators: %w", err)
	}
	for i := range users.Items {
		if users.Items[i].IsDisabled() {
			continue
		}
		for _, held := range users.Items[i].Spec.Roles {
			if held.Role == AdminRole && held.Organization == "" {
				return ErrAdministered
			}
		}
	}
	return nil
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
