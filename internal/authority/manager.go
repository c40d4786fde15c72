package authority

import (
	"context"
	"fmt"

	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// +kubebuilder:rbac:groups=platform.soma.dev,resources=users;roles;grants;projects;quotas,verbs=get;list;watch

// ForManager makes an authority that follows the manager's cache from the manager's start on, whether or not the manager leads.
func ForManager(ctx context.Context, mgr manager.Manager, clk clock.WithTicker) (*Authority, error) {
	a := New(clk)
	synced, err := a.Follow(ctx, mgr.GetCache())
	if err != nil {
		return nil, err
	}
	if err := mgr.Add(&follower{authority: a, synced: synced}); err != nil {
		return nil, fmt.Errorf("add the authority to the manager: %w", err)
	}
	return a, nil
}

// follower runs an authority in a manager.
type follower struct {
	authority *Authority
	synced    []toolscache.InformerSynced
}

// NeedLeaderElection is false: every manager decides, as every manager serves admission.
func (f *follower) NeedLeaderElection() bool { return false }

// Start follows until the context ends.
func (f *follower) Start(ctx context.Context) error {
	return f.authority.Start(ctx, f.synced)
}
