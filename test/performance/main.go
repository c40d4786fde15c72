// Command performance measures Soma against bare pods and batch/v1 Jobs, side by side in one run, on the cluster of
// KUBECONFIG. docs/performance.md says what its figures mean and how they were made.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/test/performance/report"
)

// cleanTime bounds the removal of what a run made.
const cleanTime = 20 * time.Minute

// settings are the flags.
type settings struct {
	starts, jobs, rounds, gpus, scale, nodes int
	quiet, timeout                           time.Duration
}

func main() {
	var s settings
	b := &bench{}
	flag.IntVar(&s.starts, "starts", 20, "containers that are started one after another, of each kind; 0 leaves this part out")
	flag.IntVar(&s.jobs, "jobs", 200, "jobs that are created at once on simulated nodes, of each kind and in each round; 0 leaves this part out")
	flag.IntVar(&s.rounds, "rounds", 3, "rounds in which the kinds take turns to run those jobs")
	flag.IntVar(&s.gpus, "gpus", 32, "simulated GPUs, a multiple of 8, where most of those jobs have to queue")
	flag.IntVar(&s.scale, "scale", 10_000, "Soma jobs that exist at the same time at the end, a tenth of them first; 0 leaves this part out")
	flag.IntVar(&s.nodes, "nodes", 1000, "simulated nodes of 8 GPUs for them; those that find no GPU queue")
	flag.DurationVar(&s.quiet, "quiet", 10*time.Second, "how long the manager is watched while nothing happens")
	flag.DurationVar(&s.timeout, "timeout", time.Hour, "time after which the measurements are given up")
	b.BudgetsFlag()
	flag.Parse()
	// What a run leaves that was ended at once, the next one removes.
	report.Main("performance", func(ctx context.Context) error { return b.run(ctx, s) })
}

func (s *settings) validate() error {
	switch {
	case s.starts < 0 || s.jobs < 0 || s.scale < 0:
		return errors.New("-starts, -jobs and -scale are 0 or more")
	case s.rounds < 1 || s.nodes < 1:
		return errors.New("-rounds and -nodes are 1 or more")
	case s.gpus < gpusPerNode || s.gpus%gpusPerNode != 0:
		return fmt.Errorf("-gpus is a multiple of %d, as simulated nodes have that many", gpusPerNode)
	case s.scale > 0 && s.scale < 10:
		return errors.New("-scale is 10 or more, as a tenth of it is measured too")
	}
	return nil
}

// bench is what every measurement uses.
type bench struct {
	client.WithWatch
	config  *rest.Config
	set     kubernetes.Interface
	manager *manager
	// server is nil where the API server's own figures cannot be read.
	server *apiServer
	report.Run
	// writes are the requests that change something, per job and kind.
	writes report.Result
}

func (b *bench) run(ctx context.Context, s settings) (err error) {
	if err := s.validate(); err != nil {
		return err
	}
	if err := b.Begin(columns()...); err != nil {
		return err
	}
	b.writes.Columns = b.Columns
	if err := b.connect(); err != nil {
		return err
	}
	if err := b.free(ctx); err != nil {
		return err
	}
	defer func() {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
		defer cancel()
		b.Say("removing what this run made")
		err = errors.Join(err, b.clean(clean))
		b.Say("done")
	}()
	within, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	err = b.measure(within, s)
	return b.End(err, b.writes.Table("writes at the API server per job, room for all", nil))
}

func (b *bench) connect() (err error) {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(platformv1.AddToScheme(scheme))
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("read the kubeconfig: %w", err)
	}
	config.QPS = -1
	b.config = config
	if b.WithWatch, err = client.NewWithWatch(config, client.Options{Scheme: scheme}); err != nil {
		return fmt.Errorf("reach the cluster: %w", err)
	}
	if b.set, err = kubernetes.NewForConfig(config); err != nil {
		return fmt.Errorf("reach the cluster: %w", err)
	}
	return nil
}

// measure goes through the parts, those that need little of the cluster first.
func (b *bench) measure(ctx context.Context, s settings) error {
	if err := b.prepare(ctx); err != nil {
		return err
	}
	var err error
	if b.manager, err = b.openManager(ctx); err != nil {
		return err
	}
	defer b.manager.close()
	if b.server, err = b.openServer(ctx); err != nil {
		b.Say("figures of the API server are left out: %v", err)
	}
	if s.starts > 0 {
		if err := b.measureStarts(ctx, s.starts); err != nil {
			return err
		}
	}
	if s.jobs > 0 {
		for _, l := range []load{
			{"most queue", s.jobs, s.gpus / gpusPerNode},
			{"room for all", s.jobs, (s.jobs + gpusPerNode - 1) / gpusPerNode},
		} {
			if err := b.measureThroughput(ctx, l, s.rounds); err != nil {
				return err
			}
		}
	}
	if s.scale > 0 {
		return b.measureScale(ctx, s.scale, s.nodes, s.quiet)
	}
	return nil
}
