package scheduler

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/platform/fencing"
	"github.com/soma-platform/soma/internal/scheduling"
)

// writer is a client that can do nothing but write status, and fails for some jobs.
type writer struct {
	client.Client
	fails   map[string]error
	written chan string
}

func (w *writer) Status() client.SubResourceWriter { return statusWriter{writer: w} }

type statusWriter struct {
	client.SubResourceWriter
	writer *writer
}

func (w statusWriter) Patch(_ context.Context, o client.Object, _ client.Patch, _ ...client.SubResourcePatchOption) error {
	if err := w.writer.fails[o.GetName()]; err != nil {
		return err
	}
	w.writer.written <- o.GetName()
	return nil
}

// alone is the fence of a scheduler that has no other. It keeps what is in doubt.
type alone struct{ doubted []string }

func (*alone) Ready(context.Context) (bool, error)          { return true, nil }
func (*alone) Begin(context.Context, []fencing.Write) error { return nil }
func (*alone) Wrote(string)                                 {}
func (a *alone) Doubt(w fencing.Write)                      { a.doubted = append(a.doubted, w.Name) }

func TestABadJobHurtsOnlyItself(t *testing.T) {
	invalid := apierrors.NewInvalid(schema.GroupKind{Kind: "Job"}, "job", nil)
	for name, tc := range map[string]struct {
		err error
		// reason that the job is told; empty where it is left alone.
		reason platformv1.JobReason
		again  time.Duration
		// waits are those who are looked at right after that.
		waits int
		// doubt reports that the reservation may have been written all the same.
		doubt bool
	}{
		"a reservation that is not valid":    {invalid, platformv1.JobReasonReservationRefused, pause, 3, false},
		"a job that is too large":            {apierrors.NewInternalError(errors.New("etcdserver: request is too large")), platformv1.JobReasonReservationRefused, pause, 3, false},
		"an answer that was lost on the way": {errors.New("the connection was lost"), "", pause, 3, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := &writer{fails: map[string]error{"bad": tc.err}, written: make(chan string, 10)}
			others := &alone{}
			r := &Reconciler{Client: w, fence: others, Clock: clocktesting.NewFakePassiveClock(now), aside: aside{}, refusals: newRefusals()}
			newState := func() state {
				s := state{candidates: map[string]*candidate{}}
				for _, name := range []string{"bad", "good", "waits"} {
					job := &platformv1.Job{}
					job.Name, job.UID = name, types.UID(name)
					c := &candidate{job: job, cluster: &platformv1.Cluster{}}
					s.candidates[name] = c
					s.waiting = append(s.waiting, c)
				}
				return s
			}
			place := func(key string) decision {
				return decision{key: key, placement: &scheduling.Placement{Nodes: []scheduling.Share{{Node: "n", Replicas: 1}}}}
			}
			waits := decision{key: "waits", position: 1, reason: platformv1.JobReasonSecretMissing, words: func() string { return "" }}
			again, err := r.commit(t.Context(), newState(), []decision{place("bad"), place("good"), waits}, nil, now)
			if err != nil || (len(others.doubted) == 1) != tc.doubt {
				t.Errorf("in doubt: %v, error %v", others.doubted, err)
			}
			if a, b := <-w.written, <-w.written; a != "good" || b != "waits" || again != tc.again {
				t.Errorf("wrote %s and %s, and looks again after %s", a, b, again)
			}

			s := newState()
			r.aside.apply(&s, now)
			reason := platformv1.JobReason("")
			if s.waiting[0].key() == "bad" && s.waiting[0].why() != nil {
				reason = s.waiting[0].why().Reason
			}
			if reason != tc.reason || len(s.waiting) != tc.waits {
				t.Errorf("the job is told %q, %d wait", reason, len(s.waiting))
			}
			s = newState()
			r.aside.apply(&s, now.Add(shortestAside))
			if len(s.waiting) != 3 || s.waiting[0].why() != nil {
				t.Error("the job is not tried again")
			}
		})
	}
}

func TestAsideGrowsAndIsForgotten(t *testing.T) {
	a := aside{}
	last := time.Duration(0)
	for range triesInPlace { // nobody takes its place
		if lasts := a.put("job", starting, nil, now); lasts != pause || a["job"].until.After(now) {
			t.Errorf("it is put aside until %s, looked at after %s", a["job"].until, lasts)
		}
	}
	for range 10 {
		lasts := a.put("job", starting, nil, now)
		if lasts < last || lasts > longestAside {
			t.Errorf("%s after %s", lasts, last)
		}
		last = lasts
	}
	if last != longestAside {
		t.Errorf("the longest is %s, want %s", last, longestAside)
	}
	a.apply(&state{}, now)
	if len(a) != 0 {
		t.Error("a job that does not wait any more is remembered")
	}
}

// A failure now and then costs a job nothing: only those in a row add up.
func TestAsideIsForgottenOnSuccess(t *testing.T) {
	a, at := aside{}, now
	for range 20 { // told at last, each time
		a.put("told", telling, nil, at)
		a.told("told")
	}
	for range 20 { // its place cannot be recorded, which it can be told
		a.put("refused", starting, nil, at)
		a.told("refused")
	}
	for range 20 { // once an hour
		a.put("seldom", starting, nil, at)
		at = at.Add(time.Hour)
	}
	got := fmt.Sprint(a["told"].tries, a["refused"].tries, a["refused"].lasts, a["seldom"].tries, a["seldom"].lasts)
	if want := fmt.Sprint(0, 20, longestAside, 1, time.Duration(0)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A job that could not be told why it waits, and then could, is as if it had never failed.
func TestARefusalThatIsWrittenEndsTheRow(t *testing.T) {
	w := &writer{fails: map[string]error{}, written: make(chan string, 10)}
	r := &Reconciler{Client: w, aside: aside{}, refusals: newRefusals()}
	job := &platformv1.Job{}
	job.Name, job.UID = "job", "job"
	s := state{candidates: map[string]*candidate{"job": {job: job}}}
	d := []decision{{key: "job", position: 1, reason: platformv1.JobReasonQueued, words: func() string { return "" }}}
	w.fails["job"] = errors.New("the connection was lost")
	r.refuse(t.Context(), s, d, now)
	if r.aside["job"].tries != 1 {
		t.Errorf("after a failure: %+v", r.aside)
	}
	delete(w.fails, "job")
	r.refuse(t.Context(), s, d, now)
	if len(r.aside) != 0 {
		t.Errorf("after a success: %+v", r.aside)
	}
}

// The words are made by one goroutine, though many are told at once: the engine that makes them is for one at a time.
func TestWordsAreMadeOneByOne(t *testing.T) {
	const many = 2 * writers
	r := &Reconciler{Client: &writer{written: make(chan string, many)}, aside: aside{}, refusals: newRefusals()}
	s, asked, engine := state{candidates: map[string]*candidate{}}, 0, sync.Mutex{}
	ask := func() {
		if !engine.TryLock() {
			t.Error("two ask the engine at the same time")
			return
		}
		defer engine.Unlock()
		for range 100 {
			runtime.Gosched()
		}
		asked++
	}
	var all []decision
	for i := range many {
		job := &platformv1.Job{}
		job.Name, job.UID = fmt.Sprint("job", i), types.UID(fmt.Sprint("job", i))
		s.candidates[job.Name] = &candidate{job: job}
		all = append(all, decision{
			key: job.Name, reason: platformv1.JobReasonGangWaiting,
			words: func() string { ask(); return "" }, holders: func() []scheduling.Holder { ask(); return nil },
		})
	}
	r.refuse(t.Context(), s, all, now)
	if asked != 2*many {
		t.Errorf("%d were asked for, want %d", asked, 2*many)
	}
}

// A job that cannot be told why it waits keeps its place all the while; one that cannot be started does not.
func TestWhoCannotBeToldKeepsItsPlace(t *testing.T) {
	for of, keeps := range map[failure]bool{telling: true, starting: false} {
		a, job := aside{}, &platformv1.Job{}
		job.UID = "a"
		for range triesInPlace + 1 {
			a.put("a", of, nil, night)
		}
		c := &candidate{job: job}
		s := state{waiting: []*candidate{c}, candidates: map[string]*candidate{"a": c}}
		a.apply(&s, night)
		if _, asked := s.candidates["a"]; asked != keeps || (len(s.waiting) == 1) != keeps || a.untellable("a", night) != keeps {
			t.Errorf("%v: asked %t, waits %d, untellable %t", of, asked, len(s.waiting), a.untellable("a", night))
		}
	}
}
