package recorder

import (
	"context"
	"fmt"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platform "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/accounting"
	"github.com/soma-platform/soma/internal/history"
)

// unsettled are objects that wait for nothing but that quotas take up what they used, by UID. The zero value is ready for use.
type unsettled struct {
	mutex   sync.Mutex
	waiting map[types.UID]history.Identity
}

func (u *unsettled) add(items []looked) {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	if u.waiting == nil {
		u.waiting = map[types.UID]history.Identity{}
	}
	for _, item := range items {
		u.waiting[item.object.GetUID()] = item.key
	}
}

func (u *unsettled) remove(uid types.UID) {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	delete(u.waiting, uid)
}

// woken are those that a change of a quota may let go: those that it has settled, or all where it holds up nobody any more.
func (u *unsettled) woken(quota *platform.Quota, gone bool) []history.Identity {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	var woken []history.Identity
	if gone || !quota.Settles() {
		for _, key := range u.waiting {
			woken = append(woken, key)
		}
		return woken
	}
	if len(u.waiting) == 0 {
		return nil
	}
	for _, uid := range quota.Status.Settling {
		if key, waits := u.waiting[uid]; waits {
			woken = append(woken, key)
		}
	}
	return woken
}

// heirs are the quotas that have to take up what an object used before it goes: those that a job's attempts counted against,
// and the one above a quota that settled something itself.
func heirs(object history.Journaled) []string {
	switch o := object.(type) {
	case *platform.Job:
		return accounting.Quotas(o)
	case *platform.Quota:
		if o.Spec.Parent != "" && len(o.Status.Usage) > 0 {
			return []string{o.Spec.Parent}
		}
	}
	return nil
}

// settled are those of the objects of which all that they used is taken up. The others come again when it is. A quota that
// does not exist holds nobody up.
func (r *Recorder) settled(ctx context.Context, items []looked) []looked {
	r.unsettled.add(items) // before anything is read: what changes from now on wakes them
	read := map[string]map[types.UID]bool{}
	return slices.DeleteFunc(items, func(item looked) bool {
		uid := item.object.GetUID()
		for _, name := range heirs(item.object) {
			if _, known := read[name]; !known {
				taken, err := r.takenBy(ctx, name)
				if err != nil {
					r.retry(item.key, err)
					return true
				}
				read[name] = taken
			}
			if taken := read[name]; taken != nil && !taken[uid] {
				return true
			}
		}
		r.unsettled.remove(uid)
		return false
	})
}

// takenBy are the UIDs that a quota has settled; nil where it holds up nobody.
func (r *Recorder) takenBy(ctx context.Context, name string) (map[types.UID]bool, error) {
	quota, key := &platform.Quota{}, client.ObjectKey{Name: name}
	err := r.cache.Get(ctx, key, quota, client.UnsafeDisableDeepCopy)
	if apierrors.IsNotFound(err) { // or the cache is behind
		err = r.live.Get(ctx, key, quota)
	}
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read quota %q: %w", name, err)
	}
	if !quota.Settles() {
		return nil, nil
	}
	taken := map[types.UID]bool{}
	for _, uid := range quota.Status.Settling {
		taken[uid] = true
	}
	return taken, nil
}
