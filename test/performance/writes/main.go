// Command writes measures what one write of a job's status costs the API server, which every scheduler pays for each of its
// decisions: by how it is made, how large the object is, how many watch, and in which encoding. docs/performance.md says what its
// figures mean.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/test/performance/report"
	"github.com/soma-platform/soma/test/performance/server"
)

// bench is the flags, and what is found.
type bench struct {
	root, assets string
	n, rounds    int

	report.Run
	names []string
	costs map[string]map[string][]float64
}

func main() {
	ctrl.SetLogger(logr.Discard())
	b := &bench{costs: map[string]map[string][]float64{}}
	flag.StringVar(&b.root, "root", ".", "folder of the repository")
	flag.StringVar(&b.assets, "assets", os.Getenv("KUBEBUILDER_ASSETS"), "folder of etcd and kube-apiserver")
	flag.IntVar(&b.n, "n", 1000, "writes of each kind")
	flag.IntVar(&b.rounds, "rounds", 3, "rounds in which the encodings take turns")
	flag.Parse()
	report.Main("writes", b.run)
}

func (b *bench) run(ctx context.Context) error {
	if b.n < workers || b.rounds < 1 {
		return fmt.Errorf("-n is %d or more, -rounds 1 or more", workers)
	}
	var columns []report.Column
	for _, e := range encodings {
		columns = append(columns, report.Column{Name: e.name, Title: e.title})
	}
	if err := b.Begin(columns...); err != nil {
		return err
	}
	for round := range b.rounds {
		for _, e := range encodings {
			b.Say("round %d, %s", round+1, e.title)
			if err := b.measure(ctx, e); err != nil {
				return b.End(fmt.Errorf("%s: %w", e.title, err))
			}
		}
	}
	for _, name := range b.names {
		for _, c := range columns {
			b.ReportMedian(report.Figure{Name: name, Column: c.Name, Unit: "ms"}, b.costs[name][c.Name])
		}
	}
	return b.End(nil)
}

// found notes the cost of a write.
func (b *bench) found(name string, e encoding, cost float64) {
	if b.costs[name] == nil {
		b.names, b.costs[name] = append(b.names, name), map[string][]float64{}
	}
	b.costs[name][e.name] = append(b.costs[name][e.name], cost)
}

// measure goes through all writes, in an encoding, on an API server of their own.
func (b *bench) measure(ctx context.Context, e encoding) (err error) {
	scheme := runtime.NewScheme()
	s, err := server.Start(b.assets, scheme, []string{filepath.Join(b.root, "config", "crd")}, e.flags)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	gates.cbor.Store(e.cbor)
	defer gates.cbor.Store(false) // what installs the kinds of the next one speaks JSON
	heard, config := &answers{}, rest.CopyConfig(s.Config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		heard.RoundTripper = next
		return heard
	})
	anything, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	jobs := anything.Resource(platformv1.GroupVersion.WithResource("jobs")).Namespace(metav1.NamespaceDefault)
	m, err := newMeter(ctx, s.API)
	if err != nil {
		return err
	}
	for _, kib := range []int{1, 2, 4} {
		for _, watchers := range []int{0, 1, 4} {
			if watchers != 1 && kib != 2 { // each of the two is varied alone
				continue
			}
			if err := b.costOfWays(ctx, m, e, jobs, kib, watchers); err != nil {
				return err
			}
		}
	}
	if err := heard.check(e); err != nil {
		return err
	}
	cost, err := m.costOfLeases(ctx, b.n, s.Config)
	b.found("update of a Lease, by protobuf", e, cost)
	return err
}

// costOfWays makes objects, of about the size, writes them in each way, then without the book of who wrote which field, and
// removes them.
func (b *bench) costOfWays(ctx context.Context, m *meter, e encoding, to dynamic.ResourceInterface, kib, watchers int) error {
	objects, err := makeWritten(ctx, to, kib)
	if err != nil {
		return err
	}
	stop, err := watchAll(ctx, to, watchers)
	if err != nil {
		return err
	}
	defer stop()
	measure := func(w way, book string) error {
		cost, err := m.costOf(ctx, b.n, func(ctx context.Context, worker, i int) error {
			written, err := w.write(ctx, to, objects[worker], fmt.Sprintf("%s %d", w.name, i))
			if err == nil {
				objects[worker] = written
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("write by %s: %w", w.name, err)
		}
		b.found(fmt.Sprintf("%s%s, %d KiB, %d that watch", w.name, book, kib, watchers), e, cost)
		return nil
	}
	for _, w := range ways {
		if err := measure(w, ""); err != nil {
			return err
		}
	}
	if err := closeBooks(ctx, to, objects); err != nil {
		return err
	}
	// The first apply would open it again.
	for _, w := range ways[:2] {
		if err := measure(w, ", no book of fields"); err != nil {
			return err
		}
	}
	for _, o := range objects {
		if err := to.Delete(ctx, o.GetName(), metav1.DeleteOptions{}); err != nil {
			return fmt.Errorf("remove what was written: %w", err)
		}
	}
	return nil
}
