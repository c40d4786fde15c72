package promises

import (
	"math"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// unlimited is what is bounded by nothing.
const unlimited = math.MaxInt64

func plus(a, b int64) int64 {
	if a == unlimited || b == unlimited {
		return unlimited
	}
	return a + b
}

func times(n, amount int64) int64 {
	if amount == unlimited {
		return unlimited
	}
	return n * amount
}

// limits reports where a reservation that was just made takes more than the tree of quotas allows. It sums up everything
// that is held under each quota, in the plainest way. What the job does not take cannot be too much.
func (w *world) limits(e Event, quota *v1alpha1.Quota) {
	reservation := e.Job.Status.Reservation
	for _, r := range dimensions(reservation.Replica.GPUModel) {
		if r.held(reservation) == 0 {
			continue
		}
		at := quota
		for depth := 0; at != nil && depth <= len(w.quotas); depth++ {
			w.limit(e, at, r)
			at = w.quotas[at.Spec.Parent]
		}
	}
}

func (w *world) limit(e Event, quota *v1alpha1.Quota, r dimension) {
	held, most := w.held(quota.Name, r, everybody), plus(w.has(quota, r), borrows(quota, r))
	if held > most {
		w.report(e, "job %s exceeded quota %s: %d of %s are held of %d", e.Job.Name, quota.Name, held, r.name, most)
	}
	if user, bound := e.Job.Spec.SubmittedBy, r.given(quota.Spec.PerUser); user != "" && bound != nil {
		if n := w.held(quota.Name, r, user); n > *bound {
			w.report(e, "job %s exceeded what one user may hold of quota %s: %s holds %d of %s, of %d", e.Job.Name, quota.Name, user, n, r.name, *bound)
		}
	}
	for _, child := range w.below(quota.Name) {
		lends := r.given(child.Spec.Lending)
		if r.alone || lends == nil || most == unlimited {
			continue
		}
		keeps := w.has(child, r)
		if others := held - w.held(child.Name, r, everybody); others > most-max(0, keeps-*lends) {
			w.report(e, "job %s took what quota %s does not lend: others hold %d of %d of %s, of which it keeps %d and lends %d",
				e.Job.Name, child.Name, others, most, r.name, keeps, *lends)
		}
	}
}

// room reports where a reservation that was just made takes more of a node than it has. A node that nobody told of, or that
// went away, has no bound here.
func (w *world) room(e Event, name string) {
	node := w.nodes[name]
	if node == nil {
		return
	}
	for _, r := range dimensions("") {
		if r.alone {
			continue
		}
		sum := int64(0)
		for _, job := range w.jobs {
			if held := job.Status.Reservation; held != nil {
				for _, share := range held.Nodes {
					if share.Node == name {
						sum = plus(sum, r.of(held.Replica, int64(share.Replicas)))
					}
				}
			}
		}
		if has := r.on(node.Status.Allocatable); sum > has {
			w.report(e, "job %s took more of node %s than it has: %d of %s are held of %d", e.Job.Name, name, sum, r.name, has)
		}
	}
}

// everybody is no user.
const everybody = ""

// held is what a user, or everybody, holds of a dimension under a quota and those below it.
func (w *world) held(quota string, r dimension, user string) int64 {
	sum := int64(0)
	for _, job := range w.jobs {
		if held := job.Status.Reservation; held != nil && held.Quota == quota && (user == everybody || job.Spec.SubmittedBy == user) {
			sum = plus(sum, r.held(held))
		}
	}
	for _, child := range w.below(quota) {
		sum = plus(sum, w.held(child.Name, r, user))
	}
	return sum
}

// has is what a quota and those below it have together of a dimension. The number of jobs is each quota's own.
func (w *world) has(quota *v1alpha1.Quota, r dimension) int64 {
	own := r.nominal(quota)
	if r.alone {
		return own
	}
	for _, child := range w.below(quota.Name) {
		own = plus(own, w.has(child, r))
	}
	return own
}

// borrows is what a quota may hold beyond what it has.
func borrows(quota *v1alpha1.Quota, r dimension) int64 {
	if quota.Spec.Parent == "" || r.alone {
		return 0
	}
	if bound := r.given(quota.Spec.Borrowing); bound != nil {
		return *bound
	}
	return unlimited
}

// below are the quotas right below one.
func (w *world) below(quota string) []*v1alpha1.Quota {
	var all []*v1alpha1.Quota
	for _, q := range w.quotas {
		if q.Spec.Parent == quota && q.Name != quota {
			all = append(all, q)
		}
	}
	return all
}
