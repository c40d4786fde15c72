package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/controllers"
	"github.com/soma-platform/soma/controllers/cluster"
	"github.com/soma-platform/soma/controllers/project"
	"github.com/soma-platform/soma/controllers/quota"
	"github.com/soma-platform/soma/controllers/scheduler"
	"github.com/soma-platform/soma/internal/workload"
)

// controllersCommand is the first argument by which this program is Soma's side of the measurement.
const controllersCommand = "controllers"

// runControllers runs Soma's scheduler and the controllers of quotas, projects and clusters, with the options of cmd/manager.
// What would run the jobs and record them is not there, as it is not with Kueue.
func runControllers(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet(controllersCommand, flag.ExitOnError)
	profiles := flags.String("pprof-bind-address", "", "where profiles are served; nowhere by default")
	metrics := flags.String("metrics-bind-address", "0", "where metrics are served; nowhere by default")
	probes := flags.String("health-probe-bind-address", "0", "where /readyz tells that the cache is full; nowhere by default")
	idle := flags.Bool("idle", false, "keep the objects in the cache and do nothing with them")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctrl.SetLogger(zap.New())
	rest, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("read the kubeconfig: %w", err)
	}
	rest.QPS, rest.Burst = 500, 1000
	scheme, err := newScheme()
	if err != nil {
		return err
	}
	mgr, err := ctrl.NewManager(rest, ctrl.Options{
		Scheme:           scheme,
		Metrics:          metricsserver.Options{BindAddress: *metrics},
		PprofBindAddress: *profiles, HealthProbeBindAddress: *probes,
		Cache:      controllers.Cache(),
		Client:     client.Options{Cache: &client.CacheOptions{EnableReadYourWritesConsistency: new(true)}},
		Controller: config.Controller{RecoverPanic: new(true)},
	})
	if err != nil {
		return fmt.Errorf("make the manager: %w", err)
	}
	for name, values := range workload.PodIndexes {
		err := mgr.GetFieldIndexer().IndexField(ctx, &corev1.Pod{}, name, func(o client.Object) []string { return values(o) })
		if err != nil {
			return fmt.Errorf("index pods by %s: %w", name, err)
		}
	}
	if err := mgr.AddReadyzCheck("cache", full(mgr)); err != nil {
		return fmt.Errorf("add the readiness check: %w", err)
	}
	if *idle {
		err = keep(ctx, mgr)
	} else {
		err = decide(mgr)
	}
	if err != nil {
		return err
	}
	return mgr.Start(ctx)
}

func decide(mgr ctrl.Manager) error {
	c, now := mgr.GetClient(), clock.RealClock{}
	for _, r := range []interface{ SetupWithManager(ctrl.Manager) error }{
		&project.Reconciler{Client: c, Clock: now, Namespace: systemNamespace},
		&quota.Reconciler{Client: c, Clock: now},
		&cluster.Reconciler{Client: c, Clock: now, Namespace: systemNamespace},
		&scheduler.Reconciler{Client: c, Live: mgr.GetAPIReader(), Clock: now, Namespace: systemNamespace},
	} {
		if err := r.SetupWithManager(mgr); err != nil {
			return fmt.Errorf("set up a controller: %w", err)
		}
	}
	return nil
}

// keep has the cache filled with what the controllers read.
func keep(ctx context.Context, mgr ctrl.Manager) error {
	for _, o := range []client.Object{
		&platformv1.Job{}, &platformv1.Project{}, &platformv1.Quota{}, &platformv1.Cluster{}, &corev1.Node{}, &corev1.Pod{}, &corev1.Namespace{},
	} {
		if _, err := mgr.GetCache().GetInformer(ctx, o); err != nil {
			return fmt.Errorf("keep %T: %w", o, err)
		}
	}
	return nil
}

// full reports whether the cache has all that there is.
func full(mgr ctrl.Manager) healthz.Checker {
	return func(request *http.Request) error {
		select {
		case <-mgr.Elected():
		default:
			return errors.New("the manager has not started")
		}
		ctx, cancel := context.WithTimeout(request.Context(), poll)
		defer cancel()
		if !mgr.GetCache().WaitForCacheSync(ctx) {
			return errors.New("the cache is being filled")
		}
		return nil
	}
}
