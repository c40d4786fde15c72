package aclstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/testing/redis"
)

var server *redis.Server

func TestMain(m *testing.M) {
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
	generation uint64
	asked      int
	away       bool
}

func (d *decided) set(user string, tree *access.Tree) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.trees[user] = tree
	d.generation++
}

func (d *decided) get(user string) (*access.Tree, uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if tree := d.trees[user]; tree != nil {
		return tree, d.generation
	}
	return &access.Tree{}, d.generation
}

func (d *decided) Tree(_ context.Context, user string) (*access.Tree, error) {
	tree, _ := d.get(user)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	if d.away {
		return nil, errors.New("away")
	}
	return tree, nil
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
	client := goredis.NewClient(&goredis.Options{Addr: server.Address, DialTimeout: redisTimeout})
	t.Cleanup(func() { _ = client.Close() })
	if err := client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	w := &world{decided: &decided{trees: map[string]*access.Tree{}}, client: client}
	w.writer = &Writer{Redis: client, Keys: testKeys('a'), Trees: w.get, Clock: clock.RealClock{}}
	w.later = clocktesting.NewFakePassiveClock(time.Now())
	w.read = &Reader{Redis: client, Keys: testKeys('a'), Source: w.decided, Clock: w.later}
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

// allows asks the reader when it has forgotten what it knew.
func (w *world) allows(t *testing.T, user string) bool {
	t.Helper()
	w.later.SetTime(time.Now())
	w.read.trees = nil
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
	w.read.trees = nil
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
	paused := &Writer{Redis: w.client, Keys: testKeys('a'), Clock: clock.RealClock{}, Trees: func(string) (*access.Tree, uint64) {
		return tree(t, "storage://", access.Manage), 1
	}}
	if err := paused.write(t.Context(), []string{"bob"}); err != nil {
		t.Fatal(err)
	}
	if w.allows(t, "bob") {
		t.Error("the right is back")
	}
}

// What nobody signs any more ends by itself.
func TestWriterIsGone(t *testing.T) {
	w := newWorld(t)
	w.set("bob", tree(t, "storage://east/acme", access.Write))
	w.fromRedis(t, "bob", true)
	w.later.SetTime(time.Now().Add(Validity + skew))
	w.read.trees = nil
	w.set("bob", &access.Tree{})
	if allowed, err := w.read.Allows(t.Context(), "bob", target(t, "storage://east/acme/x"), access.Read); err != nil || allowed {
		t.Errorf("an entry that nobody signs counts: %t, %v", allowed, err)
	}
}
