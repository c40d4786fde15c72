package audit

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// WriterSecret is the secret with the address of the database for the role that gateways write as, under the key url.
	WriterSecret = "soma-audit"
	urlKey       = "url"
	// keepInterval is how often is looked whether all is as it should be, and keepPatience bounds each part of a look but a
	// migration, which takes as long as the tables are large.
	keepInterval = time.Minute
	keepPatience = 30 * time.Second
	// retryKeep is the time between two tries of what failed.
	retryKeep = 5 * time.Second
)

// Keeper brings the tables of the audit log up to date, as the owner of the database, and lets gateways write to it as a role that
// can add to it and do nothing else. Run one at a time.
type Keeper struct {
	// DatabaseURL is the address of the database for its owner.
	DatabaseURL string
	// Client reads what was written last. Where there is no secret of the name there are no gateways.
	Client client.Client
	Secret types.NamespacedName
	Clock  clock.Clock
	Log    logr.Logger
}

// Start keeps all as it should be until the context ends. A database that is made anew is filled again.
func (k *Keeper) Start(ctx context.Context) error {
	store, err := Open(ctx, k.DatabaseURL)
	if err != nil {
		return err
	}
	defer store.Close()
	told := ""
	for ctx.Err() == nil {
		next := keepInterval
		err := k.keep(ctx, store)
		switch {
		case err == nil && told != "":
			k.Log.Info("The audit log is ready for gateways again")
			told = ""
		case err != nil && ctx.Err() == nil:
			next = retryKeep
			if err.Error() != told {
				k.Log.Error(err, "The audit log is not ready for gateways: it is tried again", "secret", k.Secret)
				told = err.Error()
			}
		}
		select {
		case <-ctx.Done():
		case <-k.Clock.After(next):
		}
	}
	return nil
}

// keep looks once.
func (k *Keeper) keep(ctx context.Context, store *Store) error {
	secret, err := k.read(ctx)
	if err != nil || secret == nil {
		return err
	}
	if err := store.Migrate(ctx); err != nil {
		return err
	}
	return k.keepWriter(ctx, store, secret)
}

// read reads the secret, if there is one.
func (k *Keeper) read(ctx context.Context) (*corev1.Secret, error) {
	ctx, cancel := context.WithTimeout(ctx, keepPatience)
	defer cancel()
	secret := &corev1.Secret{}
	if err := k.Client.Get(ctx, k.Secret, secret); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("read the secret %s: %w", k.Secret, err)
	}
	return secret, nil
}

// keepWriter keeps the role and its address. The secret has an address only once the role is there, so that no gateway begins
// without its log.
func (k *Keeper) keepWriter(ctx context.Context, store *Store, secret *corev1.Secret) error {
	ctx, cancel := context.WithTimeout(ctx, keepPatience)
	defer cancel()
	if address := string(secret.Data[urlKey]); address != "" {
		return store.EnsureWriter(ctx, address)
	}
	address, err := writerURL(k.DatabaseURL, rand.Text())
	if err != nil {
		return err
	}
	if err := store.EnsureWriter(ctx, address); err != nil {
		return err
	}
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	secret.Data[urlKey] = []byte(address)
	if err := k.Client.Update(ctx, secret); err != nil {
		return fmt.Errorf("write the secret %s: %w", k.Secret, err)
	}
	k.Log.Info("Made the role that gateways write to the audit log as", "secret", k.Secret)
	return nil
}
