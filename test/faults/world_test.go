// Package faults plays the same short history of jobs, projects and quotas again and again, does to the manager in each run
// what crashes, networks and API servers do, and expects that nothing comes out otherwise than undisturbed: that the
// promises hold at every revision of the API server, that all ends alike, and that nothing is made or removed that
// was not before.
//
// A part of it runs with `make test-integration`, all of it with `make test-faults`. What fails prints the command that
// does it again.
package faults

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/history"
	"github.com/soma-platform/soma/internal/testing/apiserver"
	"github.com/soma-platform/soma/internal/testing/faultproxy"
	"github.com/soma-platform/soma/internal/testing/kubelet"
	"github.com/soma-platform/soma/internal/testing/manager"
	"github.com/soma-platform/soma/internal/testing/postgres"
	"github.com/soma-platform/soma/internal/testing/promises"
)

const (
	systemNamespace = "soma-system"
	// patience is how long anything may take on a busy machine, and look how often it is looked whether it happened.
	patience = 60 * time.Second
	look     = 50 * time.Millisecond
	// gpuModel is the model of the node's GPUs. There are more of them than any quota grants.
	gpuModel = "TEST-GPU"
)

// world is what is there in every run: API server, history, nodes, and a log of all that ever happened.
type world struct {
	client.WithWatch
	server     *apiserver.Server
	historyURL string
	past       *history.Store
	happened   *promises.Log
	// folder is for files.
	folder string
	// played is the undisturbed run, which all others are compared with.
	played *run
}

// there is shared by all tests.
var there *world

func TestMain(m *testing.M) {
	code, err := within(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func within(m *testing.M) (code int, err error) {
	output, err := os.Create(filepath.Clean(cmp.Or(os.Getenv("SOMA_FAULTS_LOG"), os.DevNull)))
	if err != nil {
		return 0, err
	}
	defer func() { _ = output.Close() }()
	ctrl.SetLogger(zap.New(zap.WriteTo(output), zap.UseDevMode(true)))
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	w := &world{}
	if w.server, err = apiserver.Start(apiserver.Options{Output: io.Discard}); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, w.server.Stop()) }()
	api := rest.CopyConfig(w.server.Config)
	api.QPS = -1 // many wait for many things at the same time
	if w.WithWatch, err = client.NewWithWatch(api, client.Options{Scheme: w.server.Scheme()}); err != nil {
		return 0, err
	}
	database, err := postgres.Start(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, database.Close()) }()
	if w.historyURL, err = database.Database(ctx, "history"); err != nil {
		return 0, err
	}
	if w.past, err = history.Open(ctx, w.historyURL, clock.RealClock{}); err != nil {
		return 0, err
	}
	defer w.past.Close()
	if w.folder, err = os.MkdirTemp("", "soma-faults-"); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(w.folder)) }()
	ended, err := w.prepare(ctx)
	if err != nil {
		return 0, err
	}
	defer func() {
		stop()
		err = errors.Join(err, <-ended)
	}()
	there = w
	return m.Run(), nil
}

// prepare makes what is there before any manager is. The channel tells the end of what plays the nodes.
func (w *world) prepare(ctx context.Context) (<-chan error, error) {
	nodes, err := ctrl.NewManager(w.server.Config, ctrl.Options{
		Scheme: w.server.Scheme(), Metrics: metricsserver.Options{BindAddress: "0"},
		Client: client.Options{Cache: &client.CacheOptions{EnableReadYourWritesConsistency: ptr.To(true)}},
	})
	if err != nil {
		return nil, err
	}
	if err := kubelet.SetupWithManager(nodes); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- nodes.Start(ctx) }()
	if w.happened, err = promises.Begin(ctx, w); err != nil {
		return ended, err
	}
	return ended, errors.Join(
		w.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: systemNamespace}}), w.addNode(ctx))
}

// addNode makes the one node there is: with a choice of nodes no run would be like another.
func (w *world) addNode(ctx context.Context) error {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node", Labels: map[string]string{v1alpha1.LabelPool: "gpu", v1alpha1.LabelGPUModel: gpuModel}}}
	if err := w.Create(ctx, node); err != nil {
		return err
	}
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	node.Status.Allocatable = corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("64"), corev1.ResourceMemory: resource.MustParse("256Gi"), corev1.ResourcePods: resource.MustParse("110"),
		v1alpha1.ResourceGPU: resource.MustParse("8"),
	}
	if err := w.Status().Update(ctx, node); err != nil {
		return err
	}
	node.Spec.Taints = nil // admission gave it the one of nodes that are not ready yet
	return w.Update(ctx, node)
}

// start starts a manager within this process.
func (w *world) start(ctx context.Context, lease time.Duration, prepare func(proxy *faultproxy.Proxy, kill func())) (*manager.Manager, error) {
	return manager.Start(ctx, manager.Options{
		API: w.server.Config, Scheme: w.server.Scheme(), HistoryURL: w.historyURL, Namespace: systemNamespace,
		Lease: lease, Urgency: 200 * time.Millisecond,
	}, prepare)
}

// until waits until an attempt succeeds, and otherwise returns why the last one did not.
func until(ctx context.Context, what string, attempt func(ctx context.Context) error) error {
	last := error(nil)
	err := wait.PollUntilContextTimeout(ctx, look, patience, true, func(ctx context.Context) (bool, error) {
		err := attempt(ctx)
		if ctx.Err() == nil {
			last = err // not that time is up, but what was seen before
		}
		return err == nil, nil
	})
	if err != nil {
		return fmt.Errorf("%s: not seen: %w: %w", what, err, last)
	}
	return nil
}
