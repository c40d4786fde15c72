package job

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/internal/workload"
)

const (
	// eventsPage is how many events are asked for at once, eventsRead how many of a namespace are read at most.
	eventsPage = 500
	eventsRead = 10_000
	// eventsPause is the least time between two readings of a namespace's events, eventsShare how many times as long as a
	// reading took they are taken for current: the API server spends no more than that part of its time on them.
	eventsPause = 500 * time.Millisecond
	eventsShare = 20
	// eventsKept is how long events are kept that nobody asks for.
	eventsKept = time.Minute
)

// untold are events that most pods have, and that do not tell what a slow one is at.
var untold = []string{"Scheduled", "Created", "Started", "Killing"}

// podEvents tells the events of pods that are slow to start, from the API server itself: they are needed seldom, and a cluster
// has far too many of them to watch. To find those of one pod the API server reads all of its namespace. A thousand slow pods
// would make it do so a thousand times: what is read for one serves the others for a while.
type podEvents struct {
	live  client.Reader
	clock clock.PassiveClock

	mutex sync.Mutex
	of    map[string]*namespaceEvents
}

// namespaceEvents are those of one namespace by pod, of the time when they were read. Its mutex is held meanwhile: who else
// asks waits for the same.
type namespaceEvents struct {
	asked time.Time // under the mutex of all

	mutex sync.Mutex
	due   time.Time
	byPod map[types.UID][]corev1.Event
}

func newPodEvents(live client.Reader, now clock.PassiveClock) *podEvents {
	return &podEvents{live: live, clock: now, of: map[string]*namespaceEvents{}}
}

// in returns the events of a namespace by pod. They are shared, and not to be changed.
func (e *podEvents) in(ctx context.Context, namespace string) (map[types.UID][]corev1.Event, error) {
	n := e.namespace(namespace)
	n.mutex.Lock()
	defer n.mutex.Unlock()
	began := e.clock.Now()
	if began.Before(n.due) {
		return n.byPod, nil
	}
	byPod, err := e.read(ctx, namespace)
	if err != nil {
		return nil, err
	}
	now := e.clock.Now()
	n.byPod, n.due = byPod, now.Add(max(eventsPause, eventsShare*now.Sub(began)))
	return n.byPod, nil
}

// namespace is what is known of a namespace. Those that nobody asks about any more are forgotten.
func (e *podEvents) namespace(name string) *namespaceEvents {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	now := e.clock.Now()
	for other, n := range e.of {
		if now.Sub(n.asked) > eventsKept {
			delete(e.of, other)
		}
	}
	n := e.of[name]
	if n == nil {
		n = &namespaceEvents{}
		e.of[name] = n
	}
	n.asked = now
	return n
}

func (e *podEvents) read(ctx context.Context, namespace string) (map[types.UID][]corev1.Event, error) {
	terms := []fields.Selector{fields.OneTermEqualSelector("involvedObject.kind", "Pod")}
	for _, reason := range untold {
		terms = append(terms, fields.OneTermNotEqualSelector("reason", reason))
	}
	options := []client.ListOption{
		client.InNamespace(namespace), client.MatchingFieldsSelector{Selector: fields.AndSelectors(terms...)}, client.Limit(eventsPage),
	}
	byPod := map[types.UID][]corev1.Event{}
	for next, read := "", 0; ; {
		page := &corev1.EventList{}
		if err := e.live.List(ctx, page, append(options, client.Continue(next))...); err != nil {
			return nil, fmt.Errorf("list the events of pods in %s: %w", namespace, err)
		}
		for _, event := range page.Items {
			if workload.Tells(&event) {
				event.ManagedFields = nil
				byPod[event.InvolvedObject.UID] = append(byPod[event.InvolvedObject.UID], event)
			}
		}
		read += len(page.Items)
		if next = page.Continue; next == "" || read >= eventsRead {
			return byPod, nil
		}
	}
}
