package lease

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/utils/clock"
	testclock "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
)

const us, others = "us", "others"

// lock is one whose requests take some time and end as is said.
type lock struct {
	resourcelock.Interface
	takes  func()
	err    error
	holder string
}

func (l *lock) Identity() string { return us }

func (l *lock) Get(context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	if l.err != nil {
		return nil, nil, l.err
	}
	return &resourcelock.LeaderElectionRecord{HolderIdentity: l.holder}, nil, nil
}

func (l *lock) Create(context.Context, resourcelock.LeaderElectionRecord) error {
	l.takes()
	return l.err
}

func (l *lock) Update(context.Context, resourcelock.LeaderElectionRecord) error {
	l.takes()
	return l.err
}

// scene is a guard that watches a lock, by a clock that goes when it is told to.
type scene struct {
	*testing.T
	clock *testclock.FakeClock
	guard *Guard
	// create: the lease is created, and not updated.
	create bool
}

func newScene(t *testing.T) *scene {
	c := testclock.NewFakeClock(time.Now().Round(0))
	return &scene{T: t, clock: c, guard: &Guard{Clock: c}}
}

// step is something that happens.
type step func(s *scene)

func passes(d time.Duration) step { return func(s *scene) { s.clock.Step(d) } }

// writes takes, renews or releases a lease of 15 s by a request that takes some time.
func writes(holder string, takes time.Duration, err error) step {
	return func(s *scene) {
		l := s.guard.Watch(&lock{takes: func() { s.clock.Step(takes) }, err: err})
		write := l.Update
		if s.create {
			write = l.Create
		}
		if got := write(s.Context(), resourcelock.LeaderElectionRecord{HolderIdentity: holder, LeaseDurationSeconds: 15}); !errors.Is(got, err) {
			s.Errorf("the lock's error is %v, want %v", got, err)
		}
	}
}

func renews(takes time.Duration, err error) step { return writes(us, takes, err) }

func reads(holder string, err error) step {
	return func(s *scene) {
		if _, _, got := s.guard.Watch(&lock{holder: holder, err: err}).Get(s.Context()); !errors.Is(got, err) {
			s.Errorf("the lock's error is %v, want %v", got, err)
		}
	}
}

func TestHowLongWritesPass(t *testing.T) {
	failure, gone := errors.New("no answer"), apierrors.NewNotFound(schema.GroupResource{Resource: "leases"}, "lease")
	tests := map[string]struct {
		steps []step
		want  time.Duration
	}{
		"never held":                        {nil, 0},
		"taken":                             {[]step{renews(0, nil)}, 12 * time.Second},
		"made":                              {[]step{func(s *scene) { s.create = true }, renews(time.Second, nil)}, 11 * time.Second},
		"counted from before the request":   {[]step{renews(5*time.Second, nil)}, 7 * time.Second},
		"some of it has passed":             {[]step{renews(0, nil), passes(11 * time.Second)}, time.Second},
		"all of it has passed":              {[]step{renews(0, nil), passes(12 * time.Second)}, 0},
		"renewed":                           {[]step{renews(0, nil), passes(5 * time.Second), renews(0, nil)}, 12 * time.Second},
		"not renewed":                       {[]step{renews(0, nil), passes(5 * time.Second), renews(time.Second, failure)}, 6 * time.Second},
		"renewed after it was over":         {[]step{renews(0, nil), passes(time.Hour), renews(0, nil)}, 12 * time.Second},
		"not taken":                         {[]step{renews(0, failure)}, 0},
		"released":                          {[]step{renews(0, nil), writes("", 0, nil)}, 0},
		"released, which may have arrived":  {[]step{renews(0, nil), writes("", 0, failure)}, 0},
		"held by others":                    {[]step{renews(0, nil), reads(others, nil)}, 0},
		"held by nobody":                    {[]step{renews(0, nil), reads("", nil)}, 0},
		"removed":                           {[]step{renews(0, nil), reads("", gone)}, 0},
		"still held":                        {[]step{renews(0, nil), reads(us, nil)}, 12 * time.Second},
		"not known":                         {[]step{renews(0, nil), reads("", failure)}, 12 * time.Second},
		"taken again when others let it go": {[]step{renews(0, nil), reads(others, nil), renews(0, nil)}, 12 * time.Second},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			for _, step := range tc.steps {
				step(s)
			}
			if got := max(0, s.guard.left()); got != tc.want {
				t.Errorf("writes pass for %s, want %s", got, tc.want)
			}
			for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
				given, err := send(t, s.guard, method, answers)
				if tc.want == 0 && (!errors.Is(err, ErrOver) || !strings.HasPrefix(err.Error(), "not sent")) {
					t.Errorf("%s is sent: %v", method, err)
				}
				if tc.want > 0 && (err != nil || given != "dryRun=All&timeout="+tc.want.String()) {
					t.Errorf("%s is sent with %q, %v", method, given, err)
				}
			}
			if given, err := send(t, s.guard, http.MethodGet, answers); err != nil || given != "dryRun=All" {
				t.Errorf("GET is sent with %q, %v", given, err)
			}
		})
	}
}

// way is one to an API server.
type way func(r *http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (w way) RoundTrip(r *http.Request) (*http.Response, error) { return w(r) }

// answers tells the query that it was asked, unless it is given up before that is read.
func answers(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Request: r, Body: io.NopCloser(readerFunc(func(p []byte) (int, error) {
		if err := r.Context().Err(); err != nil {
			return 0, err
		}
		return copy(p, r.URL.RawQuery), io.EOF
	}))}, nil
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// send sends a request and returns what the answer says.
func send(t *testing.T, g *Guard, method string, next way) (string, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	body := &closed{Reader: strings.NewReader("{}")}
	r := httptest.NewRequestWithContext(ctx, method, "https://api.example/api/v1/namespaces/n/pods?dryRun=All", body)
	response, err := g.Wrap(next).RoundTrip(r)
	if err != nil {
		if strings.HasPrefix(err.Error(), "not sent") && !body.closed {
			t.Error("the body of a request that was not sent is left open")
		}
		return "", err
	}
	said, err := io.ReadAll(response.Body)
	if closing := response.Body.Close(); closing != nil {
		t.Error(closing)
	}
	if r.URL.RawQuery != "dryRun=All" {
		t.Errorf("the request itself was changed to %q", r.URL.RawQuery)
	}
	if method != http.MethodGet && response.Request.Context().Err() == nil {
		t.Error("the request goes on when its answer was read")
	}
	return string(said), err
}

// closed is a body that knows whether it was closed.
type closed struct {
	io.Reader
	closed bool
}

func (c *closed) Close() error {
	c.closed = true
	return nil
}

// A write that is under way when the lease is over is given up.
func TestGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Guard{Clock: clock.RealClock{}}
		g.hold(time.Now(), 15*time.Second, 0)
		began := time.Now()
		_, err := send(t, g, http.MethodPost, func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		if !errors.Is(err, ErrOver) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the error is %v", err)
		}
		if took := time.Since(began); took != 12*time.Second {
			t.Errorf("it was given up after %s", took)
		}
	})
}

// What fails for another reason says nothing of the lease.
func TestFailsOtherwise(t *testing.T) {
	s := newScene(t)
	renews(0, nil)(s)
	failure := errors.New("no route")
	_, err := send(t, s.guard, http.MethodPost, func(*http.Request) (*http.Response, error) { return nil, failure })
	if !errors.Is(err, failure) || errors.Is(err, ErrOver) {
		t.Errorf("the error is %v", err)
	}
}

// Many write while the lease is renewed.
func TestAtTheSameTime(t *testing.T) {
	s := newScene(t)
	renews(0, nil)(s)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 100 {
				if _, err := send(t, s.guard, http.MethodPost, answers); err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			for range 100 {
				renews(0, nil)(s)
			}
		})
	}
	all.Wait()
}

// Whoever leads later has a later term, and who does not lead has none to write in.
func TestTerms(t *testing.T) {
	s := newScene(t)
	if _, writes := s.guard.Term(); writes {
		t.Error("who never led may write")
	}
	lock := s.guard.Watch(&lock{takes: func() {}})
	for _, transitions := range []int{3, 3, 8} {
		record := resourcelock.LeaderElectionRecord{HolderIdentity: us, LeaseDurationSeconds: 15, LeaderTransitions: transitions}
		if err := lock.Update(t.Context(), record); err != nil {
			t.Fatal(err)
		}
		if term, writes := s.guard.Term(); term != uint32(transitions) || !writes { //nolint:gosec // small
			t.Errorf("after %d transitions the term is %d, may write: %t", transitions, term, writes)
		}
	}
	s.clock.Step(12 * time.Second)
	if _, writes := s.guard.Term(); writes {
		t.Error("who has not renewed the lease may write")
	}
}

func TestDurationOfALease(t *testing.T) {
	for _, duration := range []time.Duration{0, -time.Second, 1500 * time.Millisecond} {
		if _, err := NewManager(&rest.Config{}, ctrl.Options{}, Election{Namespace: "n", Name: "lease", Duration: duration}); err == nil {
			t.Errorf("a lease of %s is taken", duration)
		}
	}
}
