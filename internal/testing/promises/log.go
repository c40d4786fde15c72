package promises

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	watchtools "k8s.io/client-go/tools/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// Log is everything that happened to jobs, pods, quotas and nodes since it was begun.
type Log struct {
	client client.WithWatch

	mutex  sync.Mutex
	events []Event
	live   map[types.UID]string
}

// kinds are what is logged.
func kinds() []client.ObjectList {
	return []client.ObjectList{&v1alpha1.JobList{}, &corev1.PodList{}, &v1alpha1.QuotaList{}, &corev1.NodeList{}}
}

// Begin begins a log; it goes on until the context ends. The client must read from the API server itself.
func Begin(ctx context.Context, c client.WithWatch) (*Log, error) {
	l := &Log{client: c, live: map[types.UID]string{}}
	for _, list := range kinds() {
		if err := c.List(ctx, list); err != nil {
			return nil, fmt.Errorf("list %T: %w", list, err)
		}
		if err := l.takeAll(list); err != nil {
			return nil, err
		}
		watcher, err := watchtools.NewRetryWatcherWithContext(ctx, list.GetResourceVersion(), kindWatcher{c, list})
		if err != nil {
			return nil, fmt.Errorf("watch %T: %w", list, err)
		}
		go func() {
			for e := range watcher.ResultChan() {
				l.take(e)
			}
		}()
	}
	return l, nil
}

// kindWatcher watches one kind in all namespaces.
type kindWatcher struct {
	client client.WithWatch
	list   client.ObjectList
}

// WatchWithContext begins a watch.
func (w kindWatcher) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	list, ok := w.list.DeepCopyObject().(client.ObjectList)
	if !ok {
		return nil, fmt.Errorf("%T is no list", w.list)
	}
	return w.client.Watch(ctx, list, &client.ListOptions{Raw: &options})
}

func (l *Log) takeAll(list client.ObjectList) error {
	return meta.EachListItem(list, func(object runtime.Object) error {
		l.take(watch.Event{Type: watch.Added, Object: object.DeepCopyObject()})
		return nil
	})
}

func (l *Log) take(e watch.Event) {
	event := Event{Deleted: e.Type == watch.Deleted}
	var object client.Object
	switch o := e.Object.(type) {
	case *v1alpha1.Job:
		event.Job, object = o, o
	case *corev1.Pod:
		event.Pod, object = o, o
	case *v1alpha1.Quota:
		event.Quota, object = o, o
	case *corev1.Node:
		event.Node, object = o, o
	default:
		return // a bookmark, or the end of a watch that is begun again
	}
	revision, err := strconv.ParseInt(object.GetResourceVersion(), 10, 64)
	if err != nil || e.Type == watch.Bookmark {
		return
	}
	event.Revision = revision
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.events = append(l.events, event)
	if event.Deleted {
		delete(l.live, object.GetUID())
	} else {
		l.live[object.GetUID()] = object.GetResourceVersion()
	}
}

// Events is the log so far.
func (l *Log) Events() []Event {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return slices.Clone(l.events)
}

// Complete returns an error while the log is behind of what exists.
func (l *Log) Complete(ctx context.Context) error {
	there := map[types.UID]string{}
	for _, list := range kinds() {
		if err := l.client.List(ctx, list); err != nil {
			return fmt.Errorf("list %T: %w", list, err)
		}
		err := meta.EachListItem(list, func(o runtime.Object) error {
			object, err := meta.Accessor(o)
			if err == nil {
				there[object.GetUID()] = object.GetResourceVersion()
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for uid, version := range there {
		if l.live[uid] != version {
			return fmt.Errorf("the log has version %q of object %s, which is at %s", l.live[uid], uid, version)
		}
	}
	if len(there) != len(l.live) {
		return fmt.Errorf("the log knows of %d objects, and there are %d", len(l.live), len(there))
	}
	return nil
}
