package faults

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/testing/faultproxy"
)

// Where one write in five is lost on its way, or its answer is, or the API server refuses it for the moment, all ends as it
// does without.
func TestWritesGoWrong(t *testing.T) {
	undisturbed(t)
	random, seed := seed(t)
	for range times(1, 20) {
		flaw := &faultproxy.Flaw{Chance: 0.2, Random: rand.New(rand.NewPCG(random.Uint64(), 0))}
		if _, err := there.play(t.Context(), succession(t.Context(), func(proxy *faultproxy.Proxy, _ func()) { proxy.SetFlaw(flaw) })); err != nil {
			again(t, err, seeded(seed))
			continue
		}
		if flaw.Made() < 20 {
			again(t, fmt.Errorf("only %d writes went wrong", flaw.Made()), seeded(seed))
		}
	}
}

// Where no watch tells more than a few changes before it ends, nothing is missed.
func TestWatchesAreCut(t *testing.T) {
	undisturbed(t)
	random, seed := seed(t)
	for range times(1, 20) {
		cuts := &faultproxy.Cuts{Most: 12, Random: rand.New(rand.NewPCG(random.Uint64(), 0))}
		if _, err := there.play(t.Context(), succession(t.Context(), func(proxy *faultproxy.Proxy, _ func()) { proxy.CutWatches(cuts) })); err != nil {
			again(t, err, seeded(seed))
			continue
		}
		if cuts.Made() < 20 {
			again(t, fmt.Errorf("only %d watches were cut", cuts.Made()), seeded(seed))
		}
	}
}

// A manager that follows one which was killed, and that is served lists of some time before, does nothing that was done.
func TestServedThePast(t *testing.T) {
	played := undisturbed(t)
	random, seed := seed(t)
	revisions := follow(t)
	meet(t, times(1, 60), seed, func() error {
		fault := lot(random, played.writes)
		ago := time.Duration(50+random.IntN(950)) * time.Millisecond
		var past *faultproxy.Past
		r, err := there.play(t.Context(), succession(t.Context(),
			func(proxy *faultproxy.Proxy, kill func()) { proxy.Arm(fault, kill) },
			func(proxy *faultproxy.Proxy, _ func()) {
				past = proxy.ServePast(revisions.before(time.Now().Add(-ago)))
				time.AfterFunc(time.Second, past.CatchUp)
			}))
		switch {
		case err != nil:
			return fmt.Errorf("after %s, %s late: %w", fault, ago, err)
		case !r.met || past == nil:
			return errUnmet
		case past.Lists() == 0:
			return fmt.Errorf("after %s, %s late: nothing was served of the past", fault, ago)
		}
		return nil
	})
}

// revisions is at which revision the API server was when.
type revisions struct {
	mutex sync.Mutex
	at    []time.Time
	was   []int64
}

// follow notes the revision again and again, until the test ends.
func follow(t *testing.T) *revisions {
	r := &revisions{}
	note := func() {
		list := &v1alpha1.ClusterList{}
		if there.List(t.Context(), list) != nil {
			return
		}
		n, err := strconv.ParseInt(list.ResourceVersion, 10, 64)
		if err != nil {
			return
		}
		r.mutex.Lock()
		defer r.mutex.Unlock()
		r.at, r.was = append(r.at, time.Now()), append(r.was, n)
	}
	note()
	go wait.Until(note, 50*time.Millisecond, t.Context().Done())
	return r
}

// before is the newest revision of a time, or the oldest there is.
func (r *revisions) before(when time.Time) int64 {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	i, _ := slices.BinarySearchFunc(r.at, when, time.Time.Compare)
	return r.was[max(i-1, 0)]
}
