package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// authorityKey is where secrets have whom to trust for a certificate.
	authorityKey = "ca.crt"
	// trustInterval is how often is looked whether the authority has become another.
	trustInterval = 10 * time.Second
)

// trustSecret is what the proxy before the pages of jobs reads of whom to trust for the gateway. It is in a namespace of its own, as
// the proxy can read all of it.
var trustSecret = types.NamespacedName{Namespace: "soma-pages", Name: "soma-ca"}

// trust copies the authority of the serving certificate, and nothing else of its secret, into the secret for the proxy, where that is
// installed. The manager that leads runs it.
type trust struct {
	client   client.Client
	from, to types.NamespacedName
	log      logr.Logger
}

// Start looks again and again until the context ends.
func (t *trust) Start(ctx context.Context) error {
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		if err := t.copy(ctx); err != nil && ctx.Err() == nil {
			t.log.Error(err, "the proxy before the pages of jobs is not told whom to trust: it is tried again")
		}
	}, trustInterval)
	return nil
}

func (t *trust) copy(ctx context.Context) error {
	var from, to corev1.Secret
	if err := t.client.Get(ctx, t.to, &to); err != nil {
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("read the secret %s: %w", t.to, err)
	}
	if err := t.client.Get(ctx, t.from, &from); err != nil {
		return fmt.Errorf("read the secret %s: %w", t.from, err)
	}
	authority := from.Data[authorityKey]
	if len(authority) == 0 || bytes.Equal(authority, to.Data[authorityKey]) {
		return nil
	}
	if to.Data == nil {
		to.Data = map[string][]byte{}
	}
	to.Data[authorityKey] = authority
	if err := t.client.Update(ctx, &to); err != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("write the secret %s: %w", t.to, err)
	}
	return nil
}
