// Package controllers wires every controller, for the manager and for the tests alike.
package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/controllers/access"
	"github.com/soma-platform/soma/controllers/cluster"
	"github.com/soma-platform/soma/controllers/job"
	"github.com/soma-platform/soma/controllers/project"
	"github.com/soma-platform/soma/controllers/quota"
	"github.com/soma-platform/soma/controllers/scheduler"
	"github.com/soma-platform/soma/internal/authority"
	"github.com/soma-platform/soma/internal/workload"
)

// Dependencies are what the controllers need besides the manager.
type Dependencies struct {
	// Clock tells the time.
	Clock clock.PassiveClock
	// Namespace is where Soma itself runs: secrets with kubeconfigs are looked for there, and from there jobs are reached.
	Namespace string
	// Authority decides who may do what. It follows the manager's cache.
	Authority *authority.Authority
	// Urgency is how long a job waits before others give way to it, where they may; zero for the scheduler's own.
	Urgency time.Duration
}

// Setup registers every controller with the manager.
func Setup(ctx context.Context, mgr ctrl.Manager, d Dependencies) error {
	for name, values := range workload.PodIndexes {
		err := mgr.GetFieldIndexer().IndexField(ctx, &corev1.Pod{}, name, func(o client.Object) []string { return values(o) })
		if err != nil {
			return fmt.Errorf("index pods by %s: %w", name, err)
		}
	}
	kinds, err := discovery.NewDiscoveryClientForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("make a client for the kinds that are served: %w", err)
	}
	reconcilers := map[string]interface{ SetupWithManager(ctrl.Manager) error }{
		"project": &project.Reconciler{Client: mgr.GetClient(), Clock: d.Clock, Namespace: d.Namespace},
		"quota":   &quota.Reconciler{Client: mgr.GetClient(), Clock: d.Clock},
		"access":  &access.Reconciler{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Clock: d.Clock, Authority: d.Authority},
		"cluster": &cluster.Reconciler{Client: mgr.GetClient(), Clock: d.Clock, Namespace: d.Namespace},
		"job":     &job.Reconciler{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Kinds: kinds, Clock: d.Clock},
		"scheduler": &scheduler.Reconciler{
			Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Clock: d.Clock, Namespace: d.Namespace, Urgency: d.Urgency,
		},
	}
	for name, reconciler := range reconcilers {
		if err := reconciler.SetupWithManager(mgr); err != nil {
			return fmt.Errorf("set up the %s controller: %w", name, err)
		}
	}
	return nil
}
