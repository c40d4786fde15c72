package debounce

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const delay = time.Second

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// pod on a node: events of it concern the node.
func pod(node string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "pod"}, Spec: corev1.PodSpec{NodeName: node}}
}

func nodeOf(_ context.Context, object client.Object) []reconcile.Request {
	p, ok := object.(*corev1.Pod)
	if !ok || p.Spec.NodeName == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: p.Spec.NodeName}}}
}

func TestEvents(t *testing.T) {
	create := func(node string) func(context.Context, handler.EventHandler, queue) {
		return func(ctx context.Context, h handler.EventHandler, q queue) {
			h.Create(ctx, event.CreateEvent{Object: pod(node)}, q)
		}
	}
	tests := map[string]struct {
		events []func(context.Context, handler.EventHandler, queue)
		// want is how many objects are reconciled after the delay.
		want int
	}{
		"created":            {[]func(context.Context, handler.EventHandler, queue){create("a")}, 1},
		"concerns nothing":   {[]func(context.Context, handler.EventHandler, queue){create("")}, 0},
		"many come together": {[]func(context.Context, handler.EventHandler, queue){create("a"), create("a"), create("a"), create("b")}, 2},
		"moved: the old and the new": {[]func(context.Context, handler.EventHandler, queue){
			func(ctx context.Context, h handler.EventHandler, q queue) {
				h.Update(ctx, event.UpdateEvent{ObjectOld: pod("a"), ObjectNew: pod("b")}, q)
			}}, 2},
		"an update without the old": {[]func(context.Context, handler.EventHandler, queue){
			func(ctx context.Context, h handler.EventHandler, q queue) {
				h.Update(ctx, event.UpdateEvent{ObjectNew: pod("b")}, q)
			}}, 1},
		"deleted": {[]func(context.Context, handler.EventHandler, queue){
			func(ctx context.Context, h handler.EventHandler, q queue) {
				h.Delete(ctx, event.DeleteEvent{Object: pod("a")}, q)
			}}, 1},
		"a generic event says nothing": {[]func(context.Context, handler.EventHandler, queue){
			func(ctx context.Context, h handler.EventHandler, q queue) {
				h.Generic(ctx, event.GenericEvent{Object: pod("a")}, q)
			}}, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			// Time is that of the test's own bubble: it passes at once.
			synctest.Test(t, func(t *testing.T) {
				q := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
				defer q.ShutDown()
				h := Events(delay, nodeOf)
				for _, happen := range test.events {
					happen(t.Context(), h, q)
				}
				time.Sleep(delay - time.Millisecond)
				synctest.Wait()
				if n := q.Len(); n != 0 {
					t.Errorf("%d objects are reconciled before the delay", n)
				}
				time.Sleep(2 * time.Millisecond)
				synctest.Wait()
				if n := q.Len(); n != test.want {
					t.Errorf("want %d objects reconciled, got %d", test.want, n)
				}
			})
		})
	}
}
