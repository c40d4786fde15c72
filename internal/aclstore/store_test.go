package aclstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	goredis "github.com/redis/go-redis/v9"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/testing/fuzzing"
	"github.com/soma-platform/soma/internal/testing/redis"
)

var server *redis.Server

func TestMain(m *testing.M) {
	if fuzzing.Alone() {
		os.Exit(m.Run())
	}
	var err error
	if server, err = redis.Start(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := server.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// decided is where rights are decided, in these tests.
type decided struct {
	mu         sync.Mutex
	trees      map[string]*access.Tree
	generation uint32
	asked      int
	away       bool
}

func (d *decided) set(user string, tree *access.Tree) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.trees[user] = tree
	d.generation++
}

func (d *decided) get(user string) (*access.Tree, uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if tree := d.trees[user]; tree != nil {
		return tree, d.generation
	}
	return &access.Tree{}, d.generation
}

func (d *decided) Allows(_ context.Context, user string, target access.Target, level access.Level) (bool, error) {
	tree, _ := d.get(user)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	if d.away {
		return false, errors.New("away")
	}
	return tree.Allows(target, level), nil
}

func (d *decided) setAway(away bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.away = away
}

func (d *decided) questions() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked
}

// newWriter is a writer of a term.
func newWriter(t *testing.T, client *goredis.Client, rights Rights, term uint32) *Writer {
	t.Helper()
	metrics, err := NewMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	return &Writer{
		Redis: client, Keys: func() Keys { return testKeys('a') }, Rights: rights, Clock: clock.RealClock{}, Metrics: metrics,
		Term: func() (uint32, bool) { return term, true },
	}
}

// world is a writer and a reader on one empty Redis.
type world struct {
	*decided
	client *goredis.Client
	writer *Writer
	// later is the reader's clock: real time and what is added to it, so that what it remembers is forgotten when a test wants.
	later *clocktesting.FakePassiveClock
	read  *Reader
}

func newWorld(t *testing.T) *world {
	t.Helper()
	if err := server.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	client, err := Connect("redis://"+server.Address, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	if err := client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	w := &world{decided: &decided{trees: map[string]*access.Tree{}}, client: client}
	w.writer = newWriter(t, client, w.get, 1)
	w.later = clocktesting.NewFakePassiveClock(time.Now())
	w.read = &Reader{Redis: client, Keys: func() Keys { return testKeys('a') }, Source: w.decided, Clock: w.later}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.writer.Run(ctx, func(err error) { t.Log(err) }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return w
}

// forget has the reader forget what it remembers for a moment.
func (w *world) forget() { w.read.trees, w.read.answers = nil, nil }

// allows asks the reader when it has forgotten what it knew.
func (w *world) allows(t *testing.T, user string) bool {
	t.Helper()
	w.later.SetTime(time.Now())
	w.forget()
	allowed, err := w.read.Allows(t.Context(), user, target(t, "storage://east/acme/vision/data"), access.Read)
	if err != nil {
		t.Fatal(err)
	}
	return allowed
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for !condition() {
		select {
		case <-ctx.Done():
			t.Fatalf("in vain waited until %s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// fromRedis waits until the reader answers a user's question without asking where rights are decided.
func (w *world) fromRedis(t *testing.T, user string, want bool) {
	t.Helper()
	eventually(t, fmt.Sprintf("Redis says %t of %s", want, user), func() bool {
		before := w.questions()
		return w.allows(t, user) == want && w.questions() == before
	})
}

func TestAnswersFromRedis(t *testing.T) {
	w := newWorld(t)
	w.set("bob", tree(t, "storage://east/acme", access.Write))
	if !w.allows(t, "bob") || w.questions() != 1 {
		t.Fatalf("the first question is answered where rights are decided: %d were", w.questions())
	}
	w.fromRedis(t, "bob", true)
	w.fromRedis(t, "eve", false)

	// What is taken away is gone at once, without anybody asking.
	w.set("bob", &access.Tree{})
	w.writer.Changed([]string{"bob", "nobody-asked"})
	w.fromRedis(t, "bob", false)
	if n, err := w.client.Exists(t.Context(), keyPrefix+"nobody-asked").Result(); err != nil || n != 0 {
		t.Errorf("a user whom nobody asked about has an entry: %d, %v", n, err)
	}
}

func TestRedisIsEmptied(t *testing.T) {
	w := newWorld(t)
	w.set("bob", tree(t, "storage://east/acme", access.Write))
	w.fromRedis(t, "bob", true)
	if err := w.client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if !w.allows(t, "bob") {
		t.Error("an emptied Redis took a right away")
	}
	w.fromRedis(t, "bob", true)
}

func TestRedisIsAway(t *testing.T) {
	w := newWorld(t)
	w.set("bob", tree(t, "storage://east/acme", access.Write))
	w.fromRedis(t, "bob", true)
	if err := server.Down(); err != nil {
		t.Fatal(err)
	}
	if !w.allows(t, "bob") || w.allows(t, "eve") {
		t.Error("without Redis the answer is another one")
	}
	w.setAway(true)
	w.forget()
	if allowed, err := w.read.Allows(t.Context(), "bob", target(t, "storage://east/acme/x"), access.Read); err == nil || allowed {
		t.Errorf("nobody could say, and it was allowed: %t, %v", allowed, err)
	}
	w.setAway(false)
	if err := server.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.fromRedis(t, "bob", true)
}

// Whoever can write to Redis allows nobody anything.
func TestRedisIsPoisoned(t *testing.T) {
	w := newWorld(t)
	rights := access.Encode(tree(t, "storage://", access.Manage))
	old := testKeys('a').seal("bob", 1, rights, time.Now().Add(-Validity-time.Second))
	poison := map[string][]byte{
		"nothing":         {},
		"text":            []byte("4 storage://\n"),
		"of another key":  testKeys('b').seal("bob", 99, rights, time.Now()),
		"of another user": testKeys('a').seal("root", 99, rights, time.Now()),
		"of before":       old,
		"very long":       make([]byte, 1<<20),
	}
	for name, entry := range poison {
		if err := w.client.Set(t.Context(), keyPrefix+"bob", entry, 0).Err(); err != nil {
			t.Fatal(err)
		}
		if w.allows(t, "bob") {
			t.Errorf("%s: it is allowed", name)
		}
	}
	// Another sort of value altogether, over which the writer writes all the same.
	w.set("bob", &access.Tree{})
	w.fromRedis(t, "bob", false)
	_, err := w.client.TxPipelined(t.Context(), func(pipe goredis.Pipeliner) error {
		pipe.Del(t.Context(), keyPrefix+"bob")
		pipe.LPush(t.Context(), keyPrefix+"bob", "4 storage://")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if w.allows(t, "bob") {
		t.Error("a list: it is allowed")
	}
	w.fromRedis(t, "bob", false)
}

// A writer that was paused writes nothing over what a later one wrote.
func TestNoWayBack(t *testing.T) {
	w := newWorld(t)
	w.set("bob", &access.Tree{})
	w.set("bob", &access.Tree{})
	w.fromRedis(t, "bob", false)
	paused := newWriter(t, w.client, func(string) (*access.Tree, uint32) { return tree(t, "storage://", access.Manage), 1 }, 1)
	if err := paused.write(t.Context(), []string{"bob"}); err != nil {
		t.Fatal(err)
	}
	if w.allows(t, "bob") {
		t.Error("the right is back")
	}
}

// A later leader knows of fewer changes than the one before, and writes over what that one wrote; never the other way round.
func TestLeadersFollowEachOther(t *testing.T) {
	w := newWorld(t)
	for range 5 {
		w.set("bob", tree(t, "storage://east/acme", access.Write))
	}
	w.fromRedis(t, "bob", true)
	none := func(string) (*access.Tree, uint32) { return &access.Tree{}, 1 }
	if err := newWriter(t, w.client, none, 2).write(t.Context(), []string{"bob"}); err != nil {
		t.Fatal(err)
	}
	w.fromRedis(t, "bob", false)
	// The leader before wakes up, and does not know yet that it is none any more.
	if err := w.writer.write(t.Context(), []string{"bob"}); err != nil {
		t.Fatal(err)
	}
	before := w.questions()
	if w.allows(t, "bob") || w.questions() != before {
		t.Error("who led before wrote over who leads")
	}
	over := newWriter(t, w.client, w.get, 3)
	over.Term = func() (uint32, bool) { return 3, false }
	if err := over.write(t.Context(), []string{"bob"}); err != nil {
		t.Fatal(err)
	}
	if w.allows(t, "bob") {
		t.Error("who may not write any more wrote")
	}
}

// Until it is known who may do what, nothing is written: it would take everything from everybody.
func TestNothingIsKnownYet(t *testing.T) {
	w := newWorld(t)
	early := newWriter(t, w.client, func(string) (*access.Tree, uint32) { return &access.Tree{}, 0 }, 9)
	if err := early.write(t.Context(), []string{"bob"}); err != nil {
		t.Fatal(err)
	}
	if n, err := w.client.Exists(t.Context(), keyPrefix+"bob").Result(); err != nil || n != 0 {
		t.Errorf("there is an entry: %d, %v", n, err)
	}
}

// A key is replaced while entries of the one before are there.
func TestKeysAreReplaced(t *testing.T) {
	w := newWorld(t)
	w.set("bob", tree(t, "storage://east/acme", access.Write))
	w.fromRedis(t, "bob", true)
	both := append(testKeys('b'), testKeys('a')...)
	w.read.Keys = func() Keys { return both }
	w.fromRedis(t, "bob", true)
	next := newWriter(t, w.client, w.get, 2)
	next.Keys = w.read.Keys
	if err := next.write(t.Context(), []string{"bob"}); err != nil {
		t.Fatal(err)
	}
	w.read.Keys = func() Keys { return testKeys('b') }
	before := w.questions()
	if !w.allows(t, "bob") || w.questions() != before {
		t.Error("what the new key signed does not count")
	}
}

// A Redis that takes connections and says nothing is not waited for.
func TestRedisIsSilent(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() //nolint:errcheck // the test is over
	client, err := Connect("redis://"+listener.Addr().String(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close() //nolint:errcheck // the test is over
	d := &decided{trees: map[string]*access.Tree{"bob": tree(t, "storage://east", access.Read)}}
	reader := &Reader{Redis: client, Keys: func() Keys { return testKeys('a') }, Source: d, Clock: clock.RealClock{}}
	begun := time.Now()
	allowed, err := reader.Allows(t.Context(), "bob", target(t, "storage://east/x"), access.Read)
	if err != nil || !allowed {
		t.Errorf("%t, %v", allowed, err)
	}
	if took := time.Since(begun); took > 5*redisTimeout {
		t.Errorf("it was waited for %s", took)
	}
}

func TestAddressOfRedis(t *testing.T) {
	for _, address := range []string{"", "localhost:6379", "http://u:secret@h", "redis://u:sec\x00ret@h:1", "redis://u:secret@h:1/x"} {
		if _, err := Connect(address, ""); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// What nobody signs any more ends by itself.
func TestWriterIsGone(t *testing.T) {
	w := newWorld(t)
	w.set("bob", tree(t, "storage://east/acme", access.Write))
	w.fromRedis(t, "bob", true)
	w.later.SetTime(time.Now().Add(Validity + skew))
	w.forget()
	w.set("bob", &access.Tree{})
	if allowed, err := w.read.Allows(t.Context(), "bob", target(t, "storage://east/acme/x"), access.Read); err != nil || allowed {
		t.Errorf("an entry that nobody signs counts: %t, %v", allowed, err)
	}
}
