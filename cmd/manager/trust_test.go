package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The proxy before the pages of jobs is told whom to trust, also when that becomes another, and nothing else of the secret that the
// certificate is in.
func (f *fixture) tellsWhomToTrust(t *testing.T) {
	told := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: trustSecret.Namespace, Name: trustSecret.Name}}
	for _, o := range []client.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: trustSecret.Namespace}}, told} {
		if err := f.server.Client.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	follows := func() {
		t.Helper()
		authority := f.secret(t).Data[authorityKey]
		f.eventually(t, "the authority", func(ctx context.Context) error {
			if err := f.server.Client.Get(ctx, trustSecret, told); err != nil {
				return err
			}
			if len(authority) == 0 || !bytes.Equal(told.Data[authorityKey], authority) {
				return errors.New("the proxy trusts somebody else")
			}
			if len(told.Data) != 1 {
				return fmt.Errorf("the proxy is told %d things, and not whom to trust alone", len(told.Data))
			}
			return nil
		})
	}
	follows()
	other, err := maker.CreateCACert(time.Now().Add(-time.Hour), time.Now().Add(5*365*24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	f.put(t, other)
	follows()
}
