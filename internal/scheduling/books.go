package scheduling

import (
	"fmt"
	"math"

	"k8s.io/apimachinery/pkg/api/resource"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// Books tell, from what the quotas grant and from what their statuses say is in use, what is borrowed, lent and left. They count as
// the engine does, for whoever reads quotas and has no engine.
type Books struct{ engine *Engine }

// Balance is how a quota stands. What is not set is not limited.
type Balance struct {
	// Borrowed is what is used beyond the quota's own.
	Borrowed platformv1.ResourceAmounts `json:"borrowed"`
	// Lent is what is not used of the quota's own and could not be had now, as others hold it.
	Lent platformv1.ResourceAmounts `json:"lent"`
	// Left is what further jobs under the quota may hold now, its own and what it may borrow.
	Left platformv1.ResourceAmounts `json:"left"`
}

// OpenBooks reads the quotas. Statuses that are not of the same moment make the books as wrong as they are.
func OpenBooks(quotas []platformv1.Quota) *Books {
	b := &Books{engine: New(Options{})}
	below := map[string][]*platformv1.Quota{}
	for i := range quotas {
		b.engine.SetQuota(ReadQuota(&quotas[i]))
		below[quotas[i].Spec.Parent] = append(below[quotas[i].Spec.Parent], &quotas[i])
	}
	for i := range quotas {
		if used := quotas[i].Status.Used; used != nil {
			for _, m := range used.GPUModels {
				b.engine.model(m.Model)
			}
		}
	}
	b.engine.rebuild()
	for i := range quotas {
		b.enter(&quotas[i], below[quotas[i].Name])
	}
	return b
}

// enter counts what the quota's own jobs hold: what its status says, less what those of the quotas below it do.
func (b *Books) enter(q *platformv1.Quota, below []*platformv1.Quota) {
	at := b.engine.queues[q.Name]
	if at.broken != "" {
		return
	}
	rest := b.count(q.Status.Used)
	users := map[string]vector{}
	for _, u := range q.Status.Users {
		users[u.Name] = b.count(&u.Used)
	}
	for _, child := range below {
		rest.subtract(b.count(child.Status.Used))
		for _, u := range child.Status.Users {
			users[u.Name] = append(vector{}, users[u.Name]...)
			v := users[u.Name]
			v.subtract(b.count(&u.Used))
			users[u.Name] = v
		}
	}
	for _, name := range sortedKeys(users) {
		mine := users[name]
		rest.subtract(mine)
		at.hold(name, mine.uses())
	}
	at.hold("", rest.uses()) // of users that the status does not name
}

// count is an amount of everything as a vector.
func (b *Books) count(amounts *platformv1.ResourceAmounts) vector {
	v := make(vector, int(firstModel)+len(b.engine.models.names))
	if amounts == nil {
		return v
	}
	limits := ReadLimits(amounts)
	for d, n := range map[dimension]*int64{dimCPU: limits.MilliCPU, dimMemory: limits.Memory, dimGPUs: limits.GPUs, dimJobs: limits.Jobs} {
		if n != nil {
			v[d] = *n
		}
	}
	for model, n := range limits.Models {
		v.add(b.engine.model(model), n)
	}
	return v
}

func (v *vector) subtract(other vector) {
	for d, n := range other {
		v.add(dimension(d), -n)
	}
}

// uses are the amounts that are more than none.
func (v vector) uses() []use {
	var all []use
	for d, n := range v {
		if n > 0 {
			all = append(all, use{dimension(d), n})
		}
	}
	return all
}

// Balance is how the quota stands; nothing where there is no such quota.
func (b *Books) Balance(quota string) Balance {
	q := b.engine.queues[quota]
	if q == nil || q.broken != "" {
		return Balance{}
	}
	named := func(d dimension) bool { return d < firstModel || !q.bounds[d].others }
	return Balance{
		Borrowed: b.amounts(func(d dimension) int64 {
			if q.parent == nil || d == dimJobs || !named(d) {
				return unlimited
			}
			return max(0, q.used.at(d)-q.bounds[d].own)
		}),
		Lent: b.amounts(func(d dimension) int64 {
			if q.parent == nil || d == dimJobs || !named(d) || q.bounds[d].own >= unlimited {
				return unlimited
			}
			return max(0, q.bounds[d].own-q.used.at(d)-q.left(d))
		}),
		Left: b.amounts(func(d dimension) int64 {
			if !named(d) {
				return unlimited
			}
			return q.left(d)
		}),
	}
}

// left is what may still be used of a dimension under the queue: what is left of the part that it does not lend, and of what its
// parents have beyond that, within its own bound.
func (q *queue) left(d dimension) int64 {
	n := unlimited
	if most := q.bounds[d].most; most < unlimited {
		n = max(0, most-q.used.at(d))
	}
	if q.parent == nil {
		return n
	}
	above := q.parent.left(d)
	if d != dimJobs {
		above += max(0, q.bounds[d].guaranteed-q.used.at(d))
	}
	return min(n, above)
}

// amounts are those of every dimension; the ones that are unlimited are left out.
func (b *Books) amounts(of func(dimension) int64) platformv1.ResourceAmounts {
	var a platformv1.ResourceAmounts
	if n := of(dimCPU); n < unlimited {
		a.CPU = resource.NewMilliQuantity(n, resource.DecimalSI)
	}
	if n := of(dimMemory); n < unlimited {
		a.Memory = resource.NewQuantity(n, resource.BinarySI)
	}
	if n := of(dimGPUs); n < unlimited {
		a.GPUs = new(small(n))
	}
	if n := of(dimJobs); n < unlimited {
		a.RunningJobs = new(small(n))
	}
	for i, name := range b.engine.models.names {
		if n := of(firstModel + dimension(i)); n < unlimited {
			a.GPUModels = append(a.GPUModels, platformv1.GPUModelAmount{Model: name, Count: small(n)})
		}
	}
	return a
}

func small(n int64) int32 { return int32(min(n, math.MaxInt32)) } //nolint:gosec // it is no more than fits

// Startable is how many jobs of one replica the quota would let a user start now, by the best of the models that they take, and
// what bounds that.
func (b *Books) Startable(quota, user string, r Request) (jobs int64, bound string) {
	q := b.engine.queues[quota]
	if q == nil {
		return 0, fmt.Sprintf("quota %q does not exist", quota)
	}
	if q.broken != "" {
		return 0, q.broken
	}
	models := r.Models
	if len(models) == 0 {
		models = append(models, "")
	}
	jobs = -1
	for _, model := range models {
		n, at := b.startable(q, user, r.Replica, model)
		if n > jobs {
			jobs, bound = n, at
		}
	}
	return jobs, bound
}

func (b *Books) startable(q *queue, user string, replica Amounts, model string) (jobs int64, bound string) {
	jobs = unlimited
	for _, u := range uses(replica, b.engine.model(model)) {
		if n := q.left(u.of) / u.n; n < jobs {
			jobs = n
			_, at := q.slack(user, use{u.of, (n + 1) * u.n})
			bound = at.name()
		}
		for at := q; at != nil; at = at.parent {
			limit := bind{at, user, u.of}
			if at.users == nil || at.bounds[u.of].user >= unlimited {
				continue
			}
			if n := max(0, limit.room()) / u.n; n < jobs {
				jobs, bound = n, limit.name()
			}
		}
	}
	return jobs, bound
}
