// Command kueue runs Kueue's scheduler and the controllers of its own kinds against the API server of KUBECONFIG, and no
// integration of jobs, as the performance harness of Kueue does. docs/performance.md says what it is measured for.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"go.uber.org/zap/zapcore"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/util/flowcontrol"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	configapi "sigs.k8s.io/kueue/apis/config/v1beta2"
	kueue "sigs.k8s.io/kueue/apis/kueue/v1beta2"
	queuecache "sigs.k8s.io/kueue/pkg/cache/queue"
	schedulercache "sigs.k8s.io/kueue/pkg/cache/scheduler"
	"sigs.k8s.io/kueue/pkg/constants"
	"sigs.k8s.io/kueue/pkg/controller/core"
	"sigs.k8s.io/kueue/pkg/controller/core/indexer"
	"sigs.k8s.io/kueue/pkg/scheduler"
	"sigs.k8s.io/kueue/pkg/scheduler/preemption/expectations"
)

// options are the flags. What they are by default is what the harness of Kueue sets.
type options struct {
	qps                float64
	burst              int
	shared             bool
	workers, observers int
	pprofAddr          string
}

func main() {
	var o options
	flag.Float64Var(&o.qps, "qps", 50, "requests to the API server per second; -1 for no bound")
	flag.IntVar(&o.burst, "burst", 100, "requests to the API server at once")
	flag.BoolVar(&o.shared, "shared", false, "let that bound hold for all kinds together, and not for each")
	flag.IntVar(&o.workers, "workers", 5, "workloads that are reconciled at the same time")
	flag.IntVar(&o.observers, "observers", 1, "queues of each kind that are reconciled at the same time")
	flag.StringVar(&o.pprofAddr, "pprof-bind-address", "", "where profiles are served; nowhere by default")
	flag.Parse()
	ctrl.SetLogger(zap.New(zap.Level(zapcore.ErrorLevel)))
	if err := run(ctrl.SetupSignalHandler(), o); err != nil {
		fmt.Fprintln(os.Stderr, "kueue:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	mgr, err := o.manager()
	if err != nil {
		return fmt.Errorf("make the manager: %w", err)
	}
	if err := indexer.Setup(ctx, mgr.GetFieldIndexer()); err != nil {
		return fmt.Errorf("set up the indexes: %w", err)
	}
	expected, requeuer := expectations.New(), queuecache.NewRequeuer()
	cache := schedulercache.New(mgr.GetClient())
	queues := queuecache.NewManager(mgr.GetClient(), cache, requeuer, queuecache.WithPreemptionExpectations(expected))
	go queues.CleanUpOnContext(ctx)
	go cache.CleanUpOnContext(ctx)
	if err := mgr.Add(requeuer); err != nil {
		return fmt.Errorf("add the requeuer: %w", err)
	}
	name, err := core.SetupControllers(mgr, queues, cache, &configapi.Configuration{}, core.SetupControllersOpts{PreemptionExpectations: expected})
	if err != nil {
		return fmt.Errorf("set up the controller of %s: %w", name, err)
	}
	scheduler := scheduler.New(queues, cache, mgr.GetClient(), mgr.GetEventRecorder(constants.AdmissionName),
		scheduler.WithPreemptionExpectations(expected))
	if err := mgr.Add(scheduler); err != nil {
		return fmt.Errorf("add the scheduler: %w", err)
	}
	return mgr.Start(ctx)
}

func (o options) manager() (ctrl.Manager, error) {
	rest, err := ctrl.GetConfig()
	if err != nil {
		return nil, err
	}
	rest.QPS, rest.Burst = float32(o.qps), o.burst
	if o.shared && o.qps > 0 {
		rest.RateLimiter = flowcontrol.NewTokenBucketRateLimiter(rest.QPS, o.burst)
	}
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(kueue.AddToScheme(scheme))
	utilruntime.Must(configapi.AddToScheme(scheme))
	concurrency := map[string]int{}
	for kind, n := range map[string]int{
		"Workload": o.workers, "LocalQueue": o.observers, "ClusterQueue": o.observers, "ResourceFlavor": 1,
	} {
		concurrency[schema.GroupKind{Group: kueue.GroupVersion.Group, Kind: kind}.String()] = n
	}
	return ctrl.NewManager(rest, ctrl.Options{
		Scheme:           scheme,
		Metrics:          metricsserver.Options{BindAddress: "0"},
		PprofBindAddress: o.pprofAddr,
		Controller:       config.Controller{GroupKindConcurrency: concurrency},
	})
}
