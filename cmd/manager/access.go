package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/soma-platform/soma/internal/aclstore"
	"github.com/soma-platform/soma/internal/authority"
)

// setupAccessStore has the manager that leads keep in Redis what users may do, for the services that keep their data. Without an
// address of Redis nothing is kept: those services ask the API then.
func setupAccessStore(mgr ctrl.Manager, rights *authority.Authority, term aclstore.Term, o options) error {
	if o.redisURL == "" {
		return nil
	}
	client, err := aclstore.Connect(o.redisURL, o.redisCA)
	if err != nil {
		return fmt.Errorf("SOMA_REDIS_URL: %w", err)
	}
	keys, err := aclstore.OpenKeyring(o.accessKeys)
	if err != nil {
		return fmt.Errorf("--access-keys-file: %w", err)
	}
	counts, err := aclstore.NewMetrics(metrics.Registry)
	if err != nil {
		return fmt.Errorf("register the metrics of Redis: %w", err)
	}
	writer := &aclstore.Writer{Redis: client, Keys: keys.Keys, Rights: rights.Rights, Term: term, Clock: clock.RealClock{}, Metrics: counts}
	rights.Listen(func(c authority.Change) { writer.Changed(c.Users) })
	log := mgr.GetLogger().WithName("access-store")
	// A runnable of which nothing else is said runs in the manager that leads.
	return mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		go keys.Follow(ctx, clock.RealClock{}, func(err error) { log.Error(err, "the keys of access entries stay as they were") })
		err := writer.Run(ctx, func(err error) { log.Error(err, "Redis is away; who may do what is found without it, more slowly") })
		return errors.Join(err, client.Close())
	}))
}

// sinceStart is the term of a manager that no other can take over from: each start has a later one.
func sinceStart() aclstore.Term {
	started := uint32(time.Now().Unix()) //nolint:gosec // until 2106
	return func() (uint32, bool) { return started, true }
}
