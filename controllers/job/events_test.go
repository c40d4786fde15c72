package job

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// lister answers lists of events in pages, takes its time, and counts them.
type lister struct {
	client.Reader
	clock  *clocktesting.FakePassiveClock
	takes  time.Duration
	events []corev1.Event
	fails  error

	mutex sync.Mutex
	lists int
}

func (l *lister) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.lists++
	if l.fails != nil {
		return l.fails
	}
	l.clock.SetTime(l.clock.Now().Add(l.takes))
	asked := (&client.ListOptions{}).ApplyOptions(options)
	from, _ := strconv.Atoi(asked.Continue)
	to := min(from+int(asked.Limit), len(l.events))
	page := list.(*corev1.EventList)
	page.Items = append([]corev1.Event(nil), l.events[from:to]...)
	if to < len(l.events) {
		page.Continue = strconv.Itoa(to)
	}
	return nil
}

func pulling(pod string) corev1.Event {
	return corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: pod + ".1"}, Reason: "Pulling", InvolvedObject: corev1.ObjectReference{Kind: "Pod", UID: types.UID(pod)},
	}
}

func TestEventsAreReadOnceForAllWhoAsk(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(time.Unix(0, 0))
	from := &lister{clock: clock, events: []corev1.Event{pulling("a"), pulling("b"), {Reason: "BackOff", InvolvedObject: corev1.ObjectReference{UID: "a"}}}}
	events := newPodEvents(from, clock)
	asks := func() {
		t.Helper()
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				got, err := events.in(t.Context(), "lab")
				if err != nil || len(got["a"]) != 1 || len(got["b"]) != 1 {
					t.Errorf("got %v, %v", got, err)
				}
			})
		}
		all.Wait()
	}
	asks()
	if from.lists != 1 {
		t.Errorf("%d lists for a hundred that ask at once", from.lists)
	}
	clock.SetTime(clock.Now().Add(eventsPause))
	asks()
	if from.lists != 2 {
		t.Errorf("%d lists when the first was old", from.lists)
	}
	if _, err := events.in(t.Context(), "other"); err != nil || from.lists != 3 {
		t.Errorf("%d lists, %v: another namespace has events of its own", from.lists, err)
	}
	clock.SetTime(clock.Now().Add(2 * eventsKept))
	if _, err := events.in(t.Context(), "lab"); err != nil || len(events.of) != 1 {
		t.Errorf("%d namespaces are known, %v: nobody asks about the other any more", len(events.of), err)
	}
}

func TestEventsThatTakeLongToReadAreReadSeldom(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(time.Unix(0, 0))
	from := &lister{clock: clock, takes: time.Second}
	events := newPodEvents(from, clock)
	for range 100 { // for 50 s
		if _, err := events.in(t.Context(), "lab"); err != nil {
			t.Fatal(err)
		}
		clock.SetTime(clock.Now().Add(eventsPause))
	}
	if from.lists != 3 {
		t.Errorf("%d lists of a second each in 50 s, want 3: at most one in 20 s", from.lists)
	}
}

func TestEventsAreReadInPagesAndNotWithoutEnd(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(time.Unix(0, 0))
	for n, want := range map[int]int{0: 1, eventsPage: 1, eventsPage + 1: 2, 3 * eventsRead: eventsRead / eventsPage} {
		from := &lister{clock: clock}
		for i := range n {
			from.events = append(from.events, pulling(fmt.Sprint("pod", i)))
		}
		got, err := newPodEvents(from, clock).in(t.Context(), "lab")
		if err != nil || len(got) != min(n, eventsRead) || from.lists != want {
			t.Errorf("of %d events got %d in %d lists, want %d lists, %v", n, len(got), from.lists, want, err)
		}
	}
}

func TestEventsThatCouldNotBeReadAreReadAgain(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(time.Unix(0, 0))
	from := &lister{clock: clock, fails: errors.New("away")}
	events := newPodEvents(from, clock)
	if _, err := events.in(t.Context(), "lab"); !errors.Is(err, from.fails) {
		t.Errorf("got %v", err)
	}
	from.fails, from.events = nil, []corev1.Event{pulling("a")}
	if got, err := events.in(t.Context(), "lab"); err != nil || len(got["a"]) != 1 {
		t.Errorf("got %v, %v", got, err)
	}
}
