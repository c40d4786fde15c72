// Command performance measures Soma against bare pods and batch/v1 Jobs, side by side in one run, on the cluster of
// KUBECONFIG. docs/performance.md says what its figures mean and how they were made.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"text/tabwriter"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

func main() {
	starts := flag.Int("starts", 20, "containers that are started one after another, of each kind")
	jobs := flag.Int("jobs", 500, "jobs that are created at once on simulated nodes, of each kind")
	budgets := flag.String("budgets", "", "file of budgets to check; a figure over its budget fails the run")
	namespace := flag.String("namespace", "quickstart", "the project in which it is measured")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *namespace, *starts, *jobs, *budgets); err != nil {
		fmt.Fprintln(os.Stderr, "performance:", err)
		os.Exit(1)
	}
}

// bench is what every measurement uses.
type bench struct {
	client.WithWatch
	config    *rest.Config
	namespace string
	// run tells the objects of this run from those of others.
	run     string
	figures []figure
}

// figure is one line of the result.
type figure struct {
	name  string
	value float64
	unit  string
}

func (b *bench) report(name string, value float64, unit string) {
	b.figures = append(b.figures, figure{name, value, unit})
}

func run(ctx context.Context, namespace string, starts, jobs int, budgets string) error {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(batchv1.AddToScheme(scheme))
	utilruntime.Must(platformv1.AddToScheme(scheme))
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("read the kubeconfig: %w", err)
	}
	config.QPS = -1
	c, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("reach the cluster: %w", err)
	}
	b := &bench{WithWatch: c, config: config, namespace: namespace, run: fmt.Sprintf("perf%d", time.Now().Unix()%1_000_000)}
	defer b.clean(context.WithoutCancel(ctx))
	if err := b.measureStarts(ctx, starts); err != nil {
		return err
	}
	if err := b.measureThroughput(ctx, jobs); err != nil {
		return err
	}
	b.print()
	return check(b.figures, budgets)
}

func (b *bench) print() {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, f := range b.figures {
		fmt.Fprintf(w, "%s\t%.3g\t%s\n", f.name, f.value, f.unit)
	}
	_ = w.Flush()
}
