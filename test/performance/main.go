// Command performance measures Soma against bare pods and batch/v1 Jobs, side by side in one run, on the cluster of
// KUBECONFIG. docs/performance.md says what its figures mean and how they were made.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
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
	starts, jobs, rounds, gpus, scale, nodes, writes int
	quiet, timeout                                   time.Duration
	budgets                                          string
}

func main() {
	var s settings
	flag.IntVar(&s.starts, "starts", 20, "containers that are started one after another, of each kind; 0 leaves this part out")
	flag.IntVar(&s.jobs, "jobs", 200, "jobs that are created at once on simulated nodes, of each kind and in each round; 0 leaves this part out")
	flag.IntVar(&s.rounds, "rounds", 3, "rounds in which the kinds take turns to run those jobs")
	flag.IntVar(&s.gpus, "gpus", 32, "simulated GPUs, a multiple of 8, where most of those jobs have to queue")
	flag.IntVar(&s.scale, "scale", 10_000, "Soma jobs that exist at the same time at the end, a tenth of them first; 0 leaves this part out")
	flag.IntVar(&s.nodes, "nodes", 1000, "simulated nodes of 8 GPUs for them; those that find no GPU queue")
	flag.IntVar(&s.writes, "writes", 0, "writes by which is measured what one costs the API server, of each kind; 0 leaves this part out")
	flag.DurationVar(&s.quiet, "quiet", 10*time.Second, "how long the manager is watched while nothing happens")
	flag.DurationVar(&s.timeout, "timeout", time.Hour, "time after which the measurements are given up")
	flag.StringVar(&s.budgets, "budgets", "", "file of budgets to check; a figure over its budget fails the run")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// Once more ends it at once; the next run removes what is left.
	context.AfterFunc(ctx, stop)
	if err := run(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "performance:", err)
		os.Exit(1)
	}
}

func (s *settings) validate() error {
	switch {
	case s.starts < 0 || s.jobs < 0 || s.scale < 0 || s.writes < 0:
		return errors.New("-starts, -jobs, -scale and -writes are 0 or more")
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
	began  time.Time
	report.Result
	// writes are the requests that change something, per job and kind.
	writes report.Result
}

func run(ctx context.Context, s settings) (err error) {
	if err := s.validate(); err != nil {
		return err
	}
	budgets, err := report.ReadBudgets(s.budgets, columns())
	if err != nil {
		return err
	}
	b, err := connect()
	if err != nil {
		return err
	}
	if err := b.free(ctx); err != nil {
		return err
	}
	defer func() {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
		defer cancel()
		b.say("removing what this run made")
		err = errors.Join(err, b.clean(clean))
		b.say("done")
	}()
	within, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	err = b.measure(within, s)
	fmt.Print(b.Table("", budgets))
	if len(b.writes.Figures) > 0 {
		fmt.Print("\n", b.writes.Table("writes at the API server per job, room for all", nil))
	}
	if err != nil {
		return err
	}
	return b.Check(budgets)
}

func connect() (*bench, error) {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(platformv1.AddToScheme(scheme))
	config, err := ctrl.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	config.QPS = -1
	c, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("reach the cluster: %w", err)
	}
	set, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("reach the cluster: %w", err)
	}
	return &bench{WithWatch: c, config: config, set: set, began: time.Now(),
		Result: report.Result{Columns: columns()}, writes: report.Result{Columns: columns()}}, nil
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
		b.say("figures of the API server are left out: %v", err)
	}
	if s.writes > 0 {
		if err := b.measureWrites(ctx, s.writes); err != nil {
			return err
		}
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

// say tells how far the run is, on the side: the result alone goes to the standard output.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%5.0fs  "+format+"\n", append([]any{time.Since(b.began).Seconds()}, args...)...)
}
