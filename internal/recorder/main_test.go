package recorder

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/jackc/pgx/v5"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	platform "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/history"
	"github.com/soma-platform/soma/internal/testing/postgres"
)

var (
	database *postgres.Server
	config   *rest.Config
	scheme   = runtime.NewScheme()
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	logf.SetLogger(logr.Discard())
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		fmt.Fprintln(os.Stderr, "the tests of the recorder need an API server: set KUBEBUILDER_ASSETS to the folder of etcd and kube-apiserver (`make up` makes .soma/bin)")
		return 1
	}
	utilruntime.Must(platform.AddToScheme(scheme))
	utilruntime.Must(corev1.AddToScheme(scheme))
	var err error
	if database, err = postgres.Start(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "start PostgreSQL:", err)
		return 1
	}
	defer func() { _ = database.Close() }()
	environment := &envtest.Environment{CRDDirectoryPaths: []string{filepath.Join("..", "..", "config", "crd")}, ErrorIfCRDPathMissing: true}
	if config, err = environment.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "start the API server:", err)
		return 1
	}
	defer func() { _ = environment.Stop() }()
	config.QPS, config.Burst = 1000, 1000
	return m.Run()
}

// fixture is a namespace, an empty history and a client.
type fixture struct {
	t         *testing.T
	client    client.Client
	namespace string
	url       string
	store     *history.Store
}

// database runs statements in the history's database, which has its tables then.
func (f *fixture) database() (exec func(statement string)) {
	f.t.Helper()
	if err := f.store.Migrate(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	connection, err := pgx.Connect(f.t.Context(), f.url)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = connection.Close(context.Background()) })
	return func(statement string) {
		f.t.Helper()
		if _, err := connection.Exec(f.t.Context(), statement); err != nil {
			f.t.Fatal(err)
		}
	}
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	name := strings.ToLower(t.Name())
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if err := c.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	url, err := database.Database(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, client: c, namespace: name, url: url}
	f.store = f.open()
	return f
}

func (f *fixture) open() *history.Store {
	f.t.Helper()
	store, err := history.Open(f.t.Context(), f.url, clock.RealClock{})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(store.Close)
	return store
}

// start starts a recorder with a cache of its own and returns it with the function that stops it.
func (f *fixture) start() (*Recorder, func()) {
	f.t.Helper()
	objects, err := cache.New(config, cache.Options{Scheme: scheme, DefaultNamespaces: map[string]cache.Config{f.namespace: {}}})
	if err != nil {
		f.t.Fatal(err)
	}
	r := New(f.client, f.client, objects, f.open(), clock.RealClock{}, logr.Discard())
	ctx, cancel := context.WithCancel(f.t.Context())
	ended := make(chan error, 2)
	go func() { ended <- objects.Start(ctx) }()
	go func() { ended <- r.Start(ctx) }()
	stop := func() {
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				f.t.Error(err)
			}
		}
	}
	return r, stop
}

// create makes a job whose journal has one entry.
func (f *fixture) create(name string) *platform.Job {
	f.t.Helper()
	job := &platform.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: f.namespace, Finalizers: []string{platform.FinalizerHistory}},
		Spec:       platform.JobSpec{Image: "trainer:1", SubmittedBy: "ada"},
	}
	if err := f.client.Create(f.t.Context(), job); err != nil {
		f.t.Fatal(err)
	}
	f.advance(job, platform.JobPending)
	return job
}

// advance moves a job to a phase, as its controller would.
func (f *fixture) advance(job *platform.Job, phase platform.JobPhase) {
	f.t.Helper()
	f.eventually("advance "+job.Name, func(ctx context.Context) bool {
		if err := f.client.Get(ctx, client.ObjectKeyFromObject(job), job); err != nil {
			return false
		}
		job.Status.Phase = phase
		if !job.Status.Journal.Append(platform.Transition{Time: metav1.NowMicro(), Phase: string(phase)}) {
			return false // the journal is full until the recorder makes room
		}
		return f.client.Status().Update(ctx, job) == nil
	})
}

func (f *fixture) delete(job *platform.Job) {
	f.t.Helper()
	if err := f.client.Delete(f.t.Context(), job); err != nil {
		f.t.Fatal(err)
	}
}

// phases are those of the transitions that the history has of a job, in order.
func (f *fixture) phases(ctx context.Context, name string) []string {
	rows, _, err := f.store.List(ctx, history.Query{
		Equal: []history.Match{{Column: history.ColumnNamespace, Value: f.namespace}, {Column: history.ColumnName, Value: name}}, PageSize: 2,
	})
	if err != nil || len(rows) != 1 {
		return nil
	}
	transitions, err := f.store.Transitions(ctx, &rows[0], 1000)
	if err != nil {
		return nil
	}
	var phases []string
	for i, transition := range transitions {
		if transition.Sequence != int64(i+1) {
			f.t.Errorf("transition %d of %s has sequence %d", i+1, name, transition.Sequence)
		}
		phases = append(phases, transition.Phase)
	}
	return phases
}

func (f *fixture) eventuallyPhases(name, want string) {
	f.t.Helper()
	var got string
	defer func() {
		if f.t.Failed() {
			f.t.Logf("phases of %s: %s", name, got)
		}
	}()
	f.eventually("phases of "+name+": "+want, func(ctx context.Context) bool {
		got = strings.Join(f.phases(ctx, name), " ")
		return got == want
	})
}

func (f *fixture) eventually(what string, condition func(context.Context) bool) {
	f.t.Helper()
	err := wait.PollUntilContextTimeout(f.t.Context(), 20*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		return condition(ctx), nil
	})
	if err != nil {
		f.t.Fatalf("%s: not seen: %v", what, err)
	}
}
