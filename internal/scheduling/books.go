package scheduling

import platformv1 "github.com/soma-platform/soma/api/v1alpha1"

// Books tell, from what quotas grant and from what their statuses say is in use, what is borrowed, lent and left. They count as
// the engine does, for whoever reads quotas and has no engine. Of a quota they need those above it alone.
type Books struct {
	engine *Engine
	quotas map[string]*platformv1.Quota
	// unnamed is what those users of a queue hold whom its status does not name.
	unnamed map[*queue]vector
	// hidden are the quotas that are not known though others name them: nothing is known to be bounded by them.
	hidden map[*queue]bool
	// all reports that there are no others.
	all bool
}

// Balance is how a quota stands. What is not set is not limited.
type Balance struct {
	// Most is what jobs under the quota may hold while nobody else holds anything: its own and what it may borrow.
	Most platformv1.ResourceAmounts
	// Borrowed is what is used beyond the quota's own.
	Borrowed platformv1.ResourceAmounts
	// Lent is what is not used of the quota's own and could not be had now, as others hold it.
	Lent platformv1.ResourceAmounts
	// Left is what further jobs of the quota may hold now, its own and what it may borrow.
	Left platformv1.ResourceAmounts
	// Hidden is the quota above that is not known; it is empty where all are. By it, less may be left, and more lent.
	Hidden string
}

// OpenBooks reads quotas. Where these are not all that there are, a parent that is not among them is one that may not be seen.
// Statuses that are not of the same moment make the books as wrong as they are.
func OpenBooks(quotas []platformv1.Quota, all bool) *Books {
	b := &Books{engine: New(Options{}), quotas: map[string]*platformv1.Quota{}, unnamed: map[*queue]vector{}, hidden: map[*queue]bool{}, all: all}
	for i := range quotas {
		q := &quotas[i]
		b.quotas[q.Name] = q
		b.engine.SetQuota(ReadQuota(q))
		b.engine.models.know(q.Status.Used)
		for k := range q.Status.Users {
			b.engine.models.know(&q.Status.Users[k].Used)
		}
		if pool := q.Status.Pool; pool != nil {
			b.engine.models.know(&pool.Total)
			b.engine.models.know(&pool.Kept)
			b.engine.models.know(&pool.Used)
		}
	}
	hidden := map[string]bool{}
	for i := range quotas {
		if parent := quotas[i].Spec.Parent; parent != "" && b.quotas[parent] == nil && !all {
			b.engine.SetQuota(Quota{Name: parent}) // bounds nothing
			hidden[parent] = true
		}
	}
	b.engine.rebuild()
	for name := range hidden {
		b.hidden[b.engine.queues[name]] = true
	}
	b.measure()
	for name, q := range b.quotas {
		b.enter(b.engine.queues[name], &q.Status)
	}
	return b
}

// measure derives the bounds of every queue from what its own status says of those below it, which need not be known.
func (b *Books) measure() {
	models := &b.engine.models
	for name, q := range b.engine.queues {
		total, kept := Limits{}, vector(nil)
		if quota := b.quotas[name]; quota != nil && quota.Status.Pool != nil {
			total, kept = ReadLimits(&quota.Status.Pool.Total), models.read(&quota.Status.Pool.Kept)
		}
		q.bounds = make([]bounds, int(firstModel)+len(models.names))
		for i := range q.bounds {
			d := dimension(i)
			own := q.nominal(d, models)
			if n := total.bound(d, models); n < unlimited {
				own = n - kept.at(d)
			}
			q.bounds[d] = q.bound(d, own, models)
		}
	}
}

// enter counts what the quota's status says is in use.
func (b *Books) enter(q *queue, status *platformv1.QuotaStatus) {
	models := &b.engine.models
	q.used = models.read(status.Used)
	unnamed := models.read(status.Used)
	if status.Pool != nil {
		q.used = models.read(&status.Pool.Used)
	}
	for i := range status.Users {
		held := models.read(&status.Users[i].Used)
		if q.users != nil {
			q.users[status.Users[i].Name] = &held
		}
		for d, n := range held {
			unnamed.add(dimension(d), -n)
		}
	}
	if len(status.Users) >= platformv1.QuotaUsers {
		b.unnamed[q] = unnamed
	}
}

// model is the dimension of a model, which the quotas need not name.
func (b *Books) model(name string) dimension {
	known := len(b.engine.models.names)
	d := b.engine.models.of(name)
	if len(b.engine.models.names) > known {
		b.measure()
	}
	return d
}

// From are the quota and those above it, as far as they are known.
func (b *Books) From(quota string) (all []*platformv1.Quota) {
	for at := b.engine.queues[quota]; at != nil; at = at.parent {
		if q := b.quotas[at.Name]; q != nil {
			all = append(all, q)
		}
	}
	return all
}

// Balance is how the quota stands; nothing where there is no such quota.
func (b *Books) Balance(quota string) Balance {
	q := b.engine.queues[quota]
	if q == nil || q.broken != "" || b.hidden[q] {
		return Balance{}
	}
	kept := vector(nil)
	if pool := b.quotas[quota].Status.Pool; pool != nil {
		kept = b.engine.models.read(&pool.Kept)
	}
	told := func(of func(d dimension) int64) platformv1.ResourceAmounts {
		return b.engine.models.tell(func(d dimension) int64 {
			if d >= firstModel && q.bounds[d].others {
				return unlimited
			}
			return of(d)
		})
	}
	balance := Balance{
		Most: told(func(d dimension) int64 { return q.reach(d) + kept.at(d) }),
		Borrowed: told(func(d dimension) int64 {
			if q.parent == nil || d == dimJobs {
				return unlimited
			}
			return max(0, q.used.at(d)-q.bounds[d].own)
		}),
		Lent: told(func(d dimension) int64 {
			if q.parent == nil || d == dimJobs || q.bounds[d].own >= unlimited {
				return unlimited
			}
			return max(0, q.bounds[d].own-q.used.at(d)-q.left(d))
		}),
		Left: told(q.left),
	}
	if root := q.root(); b.hidden[root] {
		balance.Hidden = root.Name
	}
	return balance
}

// Share is what is left for a user of what a single one may hold under the quota. What is not set is not limited, or not told.
func (b *Books) Share(quota, user string) platformv1.ResourceAmounts {
	q := b.engine.queues[quota]
	if q == nil || q.users == nil || q.users[user] == nil && b.unnamed[q] != nil {
		return platformv1.ResourceAmounts{}
	}
	return b.engine.models.tell(func(d dimension) int64 {
		if q.bounds[d].user >= unlimited {
			return unlimited
		}
		return max(0, bind{q, user, d}.room())
	})
}

// reach is what may be used of a dimension under the queue while nothing is: its own, and what it may borrow.
func (q *queue) reach(d dimension) int64 {
	n := q.bounds[d].most
	if q.parent == nil {
		return n
	}
	above := q.parent.reach(d)
	if d != dimJobs {
		above += q.bounds[d].guaranteed
	}
	return min(n, above)
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
