package faults

import (
	"context"
	"errors"
	"fmt"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/testing/faultproxy"
	"github.com/soma-platform/soma/internal/testing/promises"
)

// run is the history, lived through once.
type run struct {
	// writes are those of the first manager.
	writes []faultproxy.Write
	// made and removed are the objects that managers made and removed, and how often those of each name.
	made, removed map[string]int
	// settled is everything there was when all stood still, and lives is what became of each job.
	settled, lives map[string]string
	// met reports that the first manager came to the write at which it was to end.
	met bool
	// took is how long it took.
	took time.Duration
}

// cast are the managers of a run.
type cast interface {
	// proxies are those of all managers so far, the first one's first.
	proxies() []*faultproxy.Proxy
	// end ends all that still run, once the history is over.
	end() error
}

// play lives through the history with the managers that begin starts. It returns an error where a promise was broken, or where
// anything came out otherwise than in the undisturbed run.
func (w *world) play(ctx context.Context, begin func() (cast, error)) (*run, error) {
	ctx, stop := context.WithTimeout(ctx, 4*patience)
	defer stop()
	r, began, start := &run{}, time.Now(), len(w.happened.Events())
	if err := w.unbind(ctx); err != nil {
		return r, err
	}
	managers, err := begin()
	if err != nil {
		return r, err
	}
	s := w.newStory()
	err = s.tell(ctx, func(ctx context.Context) error { return r.settle(ctx, w) })
	if err == nil {
		err = until(ctx, "the log is complete", w.happened.Complete)
	}
	r.took = time.Since(began)
	err = errors.Join(err, managers.end())
	proxies := managers.proxies()
	r.met, r.writes = proxies[0].Met(), proxies[0].Writes()
	if err != nil {
		return r, errors.Join(err, w.clear(ctx, s), w.check(start))
	}
	r.count(proxies)
	err = errors.Join(w.check(start), r.live(ctx, w, start))
	if w.played != nil {
		err = errors.Join(err, r.differs(w.played))
	}
	return r, err
}

// unbind removes what managers before made for everybody, which no project takes along.
func (w *world) unbind(ctx context.Context) error {
	made := client.MatchingLabels{v1alpha1.LabelAccess: v1alpha1.AccessPlatform}
	return errors.Join(w.DeleteAllOf(ctx, &rbacv1.ClusterRoleBinding{}, made), w.DeleteAllOf(ctx, &rbacv1.ClusterRole{}, made))
}

// clear makes room for another run where one failed.
func (w *world) clear(ctx context.Context, s *story) error {
	m, err := w.start(ctx, 0, nil)
	if err != nil {
		return err
	}
	return errors.Join(s.removeAll(context.WithoutCancel(ctx)), m.Stop())
}

// check replays every revision since the run began.
func (w *world) check(start int) error {
	return promises.Check(w.since(start))
}

// since is the log of a run, and of the nodes, which were there before.
func (w *world) since(start int) []promises.Event {
	var events []promises.Event
	for i, e := range w.happened.Events() {
		if i >= start || e.Node != nil {
			events = append(events, e)
		}
	}
	return events
}

// count counts what the managers made and removed. An object is removed once, however often that is asked for: a manager that
// did not hear that it was asks again.
func (r *run) count(proxies []*faultproxy.Proxy) {
	r.made, r.removed = map[string]int{}, map[string]int{}
	gone := map[string]bool{}
	for _, proxy := range proxies {
		for _, write := range proxy.Applied() {
			switch write.Verb() {
			case "create":
				r.made[write.What]++
			case "delete":
				if write.Object != "" && !gone[write.Object] {
					r.removed[write.What]++
				}
				gone[write.Object] = true
			}
		}
	}
	for _, project := range []string{lab, guest, owner, poor} {
		// Kubernetes makes this one too, and whoever comes second changes what is there.
		delete(r.made, "create serviceaccounts "+project+"/default")
	}
	// The scheduler's record is made once and stays.
	delete(r.made, "create configmaps "+systemNamespace+"/soma-scheduler")
}

// differs tells how the run came out otherwise than another.
func (r *run) differs(from *run) error {
	var all []error
	for _, part := range []struct {
		what      string
		got, want map[string]string
	}{
		{"what was made", texts(r.made), texts(from.made)},
		{"what was removed", texts(r.removed), texts(from.removed)},
		{"what there was in the end", r.settled, from.settled},
		{"what became of the jobs", r.lives, from.lives},
	} {
		if d := difference(part.got, part.want); d != "" {
			all = append(all, fmt.Errorf("%s is not what it was undisturbed (-), but (+)\n%s", part.what, d))
		}
	}
	return errors.Join(all...)
}

func texts(numbers map[string]int) map[string]string {
	all := map[string]string{}
	for name, n := range numbers {
		all[name] = fmt.Sprint(n)
	}
	return all
}
