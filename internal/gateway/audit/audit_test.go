package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/soma-platform/soma/internal/history"
	"github.com/soma-platform/soma/internal/testing/apiserver"
	"github.com/soma-platform/soma/internal/testing/postgres"
)

var (
	server     *postgres.Server
	kubernetes *apiserver.Server
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if server, err = postgres.Start(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "start PostgreSQL for the tests:", err)
		return 1
	}
	defer func() { _ = server.Close() }()
	if kubernetes, err = apiserver.Start(apiserver.Options{Output: io.Discard}); err != nil {
		fmt.Fprintln(os.Stderr, "start an API server for the tests:", err)
		return 1
	}
	defer func() { _ = kubernetes.Stop() }()
	return m.Run()
}

// trail is a log with a database of its own.
type trail struct {
	*Log
	t     *testing.T
	url   string
	lines lines
	stop  context.CancelFunc
	ended sync.WaitGroup
}

// lines are what the program's own log has.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) add(_, line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, line)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, line := range l.all {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

func newTrail(t *testing.T) *trail { return newTrailAt(t, clock.RealClock{}) }

func newTrailAt(t *testing.T, now clock.Clock) *trail {
	t.Helper()
	url, err := server.Database(t.Context(), strings.ToLower(t.Name()))
	if err != nil {
		t.Fatal(err)
	}
	store, err := Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	tr := &trail{t: t, url: url}
	if tr.Log, err = NewLog(store, now, funcr.New(tr.lines.add, funcr.Options{}), prometheus.NewRegistry()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	tr.stop = stop
	tr.ended.Go(func() { _ = tr.Run(ctx) })
	t.Cleanup(func() {
		stop()
		tr.ended.Wait()
		store.Close()
	})
	return tr
}

func (tr *trail) count(where string) int {
	tr.t.Helper()
	connection, err := pgx.Connect(tr.t.Context(), tr.url)
	if err != nil {
		tr.t.Fatal(err)
	}
	defer func() { _ = connection.Close(tr.t.Context()) }()
	n := 0
	if err := connection.QueryRow(tr.t.Context(), "SELECT count(*) FROM audit.records WHERE "+where).Scan(&n); err != nil {
		tr.t.Fatal(err)
	}
	return n
}

func (tr *trail) drained() {
	tr.t.Helper()
	for end := time.Now().Add(30 * time.Second); tr.Waiting() > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			tr.t.Fatalf("%d records still wait", tr.Waiting())
		}
	}
}

func record(name string) Record {
	return Record{
		ID: uuid.New(), At: time.Now(), User: "alice", Session: "s1", Via: "cookie", Verb: "create", Group: "platform.soma.dev", Resource: "jobs",
		Subresource: "status", Namespace: "vision", Name: name, Path: "/x", Query: "dryRun=All", Allowed: true, Code: 201, Reason: "none", Source: "10.0.0.1",
		Detail: "why", Issuer: "https://id.example", Subject: "a1",
	}
}

func TestRecordsAreWrittenWhole(t *testing.T) {
	tr := newTrail(t)
	tr.Record(record("train"))
	tr.drained()
	if n := tr.count(`username='alice' AND session='s1' AND via='cookie' AND verb='create' AND api_group='platform.soma.dev' AND resource='jobs'
		AND subresource='status' AND namespace='vision' AND name='train' AND path='/x' AND query='dryRun=All' AND allowed AND code=201 AND reason='none'
		AND source='10.0.0.1' AND detail='why' AND issuer='https://id.example' AND subject='a1' AND at > now() - interval '1 minute'`); n != 1 {
		t.Errorf("%d records have all that was told", n)
	}
}

// What waits when the program is killed is lost: no record waits long.
func TestRecordsAreWrittenSoon(t *testing.T) {
	now := testingclock.NewFakeClock(time.Now())
	tr := newTrailAt(t, now)
	for _, name := range []string{"one", "two"} {
		tr.Record(record(name))
		for end := time.Now().Add(20 * time.Second); !now.HasWaiters(); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("nobody is about to write")
			}
		}
		now.Step(100 * time.Millisecond)
		tr.drained()
	}
	// Many are written at once, without waiting for others.
	for range batch {
		tr.Record(record("many"))
	}
	tr.drained()
	if n := tr.count("true"); n != batch+2 {
		t.Errorf("%d records are there", n)
	}
}

func TestRecordsCannotBeChanged(t *testing.T) {
	tr := newTrail(t)
	tr.Record(record("train"))
	tr.drained()
	connection, err := pgx.Connect(t.Context(), tr.url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close(t.Context()) }()
	partition := "audit.records_" + time.Now().UTC().Format("2006_01")
	for _, table := range []string{"audit.records", partition} {
		for _, statement := range []string{"UPDATE " + table + " SET username = 'bob'", "DELETE FROM " + table, "TRUNCATE " + table} {
			var refused *pgconn.PgError
			if _, err := connection.Exec(t.Context(), statement); !errors.As(err, &refused) || refused.Code != "42501" {
				t.Errorf("%s: %v", statement, err)
			}
		}
	}
	// The role that owns the tables, where it is no superuser, has not even the privilege.
	for _, statement := range []string{
		"CREATE ROLE gateway LOGIN PASSWORD 'secret'", "CREATE DATABASE owned OWNER gateway",
	} {
		if _, err := connection.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	url := strings.Replace(server.URL("owned"), "soma@", "gateway:secret@", 1)
	store, err := Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := store.Write(t.Context(), []Record{record("one")}); err != nil {
		t.Fatal(err)
	}
	for _, privilege := range []string{"UPDATE", "DELETE", "TRUNCATE"} {
		for _, table := range []string{"audit.records", partition} {
			var has bool
			if err := store.pool.QueryRow(t.Context(), "SELECT has_table_privilege($1, $2)", table, privilege).Scan(&has); err != nil || has {
				t.Errorf("the gateway may %s %s: %v", privilege, table, err)
			}
		}
	}
	if n := tr.count("username='alice'"); n != 1 {
		t.Errorf("%d records are left", n)
	}
}

func TestRecordsWaitForTheDatabase(t *testing.T) {
	tr := newTrail(t)
	tr.Record(record("before"))
	tr.drained()
	if err := server.Down(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for i := range 3000 {
		tr.Record(record(fmt.Sprint("away-", i)))
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("telling of 3000 records took %s while the database was away", took)
	}
	for end := time.Now().Add(20 * time.Second); tr.lines.count("does not answer") == 0 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	if err := server.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	tr.drained()
	if n := tr.count("name LIKE 'away-%'"); n != 3000 {
		t.Errorf("%d of 3000 records are there", n)
	}
	if tr.lines.count("does not answer") != 1 || tr.lines.count("answers again") != 1 {
		t.Errorf("the log says %q", tr.lines.all)
	}
}

func TestWhatDoesNotFitIsInTheLog(t *testing.T) {
	// Nothing writes: this log does not run.
	l := &lines{}
	store, err := Open(t.Context(), server.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	metrics := prometheus.NewRegistry()
	log, err := NewLog(store, clock.RealClock{}, funcr.New(l.add, funcr.Options{}), metrics)
	if err != nil {
		t.Fatal(err)
	}
	nobody := record("x")
	nobody.User = ""
	for range room {
		log.Record(nobody)
	}
	if n := log.Waiting(); n != roomForUnknown {
		t.Errorf("%d records of nobody wait", n)
	}
	for range room {
		log.Record(record("x"))
	}
	if n := log.Waiting(); n != room {
		t.Errorf("%d records wait", n)
	}
	if told, want := l.count("Audit record that is not in the database"), (room-roomForUnknown)*2; told != want {
		t.Errorf("the log tells of %d records, not %d", told, want)
	}
	if counted := value(t, metrics, "soma_gateway_audit_unwritten_total"); counted != (room-roomForUnknown)*2 {
		t.Errorf("the metric counts %v", counted)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	url, err := server.Database(t.Context(), "last")
	if err != nil {
		t.Fatal(err)
	}
	if log.store, err = Open(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	defer log.store.Close()
	if err := log.Run(ctx); err != nil || log.Waiting() != 0 {
		t.Errorf("at the end %d wait: %v", log.Waiting(), err)
	}
	if told := l.count("Audit record that is not in the database"); told != (room-roomForUnknown)*2 {
		t.Errorf("the last records were not written: %d are in the log", told)
	}
	log.Record(record("late"))
	if told := l.count(`"late"`); told != 1 || log.Waiting() != 0 {
		t.Errorf("what comes after the end: %d in the log, %d wait", told, log.Waiting())
	}
}

// What cannot be written at the end is told of, each and in number.
func TestWhatIsLeftAtTheEndIsInTheLog(t *testing.T) {
	l := &lines{}
	store, err := Open(t.Context(), "postgres://nobody@127.0.0.1:1/none")
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	metrics := prometheus.NewRegistry()
	log, err := NewLog(store, clock.RealClock{}, funcr.New(l.add, funcr.Options{}), metrics)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		log.Record(record(fmt.Sprint("last-", i)))
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := log.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if each, number := l.count(`"name"="last-`), l.count(`"records"=3`); each != 3 || number != 1 {
		t.Errorf("the log says %q", l.all)
	}
	if counted := value(t, metrics, "soma_gateway_audit_unwritten_total"); counted != 3 {
		t.Errorf("the metric counts %v", counted)
	}
}

// value is that of a counter.
func value(t *testing.T, metrics *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			return family.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

func TestBadTextHurtsNobody(t *testing.T) {
	tr := newTrail(t)
	bad := record(strings.Repeat("x", 1000))
	bad.User, bad.Query = "a\x00b\xff", strings.Repeat("é", 500)
	tr.Record(bad)
	tr.Record(record("good"))
	tr.drained()
	if n := tr.count("true"); n != 2 {
		t.Errorf("%d records are there", n)
	}
}

func TestADatabaseThatWasMadeAnewIsFilled(t *testing.T) {
	tr := newTrail(t)
	tr.Record(record("one"))
	tr.drained()
	connection, err := pgx.Connect(t.Context(), tr.url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close(t.Context()) }()
	if _, err := connection.Exec(t.Context(), "DROP SCHEMA audit CASCADE; DROP TABLE gateway_audit_version"); err != nil {
		t.Fatal(err)
	}
	tr.Record(record("two"))
	tr.drained()
	if n := tr.count("name = 'two'"); n != 1 {
		t.Errorf("%d records are there", n)
	}
}

// The history and the audit log are in one database, and whichever comes first leaves the other alone.
func TestTheHistoryIsBesideIt(t *testing.T) {
	tr := newTrail(t)
	past, err := history.Open(t.Context(), tr.url, clock.RealClock{})
	if err != nil {
		t.Fatal(err)
	}
	defer past.Close()
	tr.Record(record("one"))
	if err := past.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	tr.drained()
	if err := past.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := tr.count("true"); n != 1 {
		t.Errorf("%d records are there", n)
	}
}
