package scheduling

import (
	"fmt"
	"slices"
	"strings"
	"time"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// text says which bound is in use that a job of the queue needs more of, with what is held and may be as quotas tell it.
func (b bind) text(by *queue, total Amounts, models *modelIndex) string {
	asks, held, limit := total.at(b.of), b.held(), b.limit()
	text := fmt.Sprintf("%s is in use: the job asks for %s, %s of %s are held", b.name(), amountOf(b.of, asks, models), number(b.of, held), amountOf(b.of, limit, models))
	// The job may have what is left in the bound, and what is guaranteed to it on the way there; the rest is guaranteed to others.
	if others := limit - held - b.room() - (asks - b.queue.arrives(by, use{b.of, asks})); others > 0 {
		text += fmt.Sprintf(", and %s are not lent", number(b.of, others))
	}
	return text
}

// neverText says which bound a job of the queue exceeds even when nothing is held.
func (b bind) neverText(by *queue, total Amounts, models *modelIndex) string {
	text := fmt.Sprintf("%s can never start this job: it asks for %s, the limit is %s", b.name(), amountOf(b.of, total.at(b.of), models), amountOf(b.of, b.limit(), models))
	if others := b.keptFrom(by); others > 0 {
		text += fmt.Sprintf(", of which %s are not lent", number(b.of, others))
	}
	return text
}

func (b bind) name() string { return BoundName(b.queue.Name, b.user) }

// BoundName is how messages about what is in use, or too small, begin: by a quota, or by a user's share of it where one is given.
func BoundName(quota, user string) string {
	if user != "" {
		return fmt.Sprintf("the share of user %q in quota %q", user, quota)
	}
	return fmt.Sprintf("quota %q", quota)
}

// held is what all jobs that the bound is for hold, limit what they may: what is guaranteed to those below included.
func (b bind) held() int64 {
	if b.user != "" {
		return b.queue.usedBy(b.user).at(b.of)
	}
	return b.queue.usage.held.at(b.of)
}

func (b bind) limit() int64 {
	if b.user != "" {
		return b.queue.bounds[b.of].user
	}
	return b.queue.reach(b.of) + b.queue.kept(b.of)
}

// keptFrom is what of that the quotas below keep from the jobs of one of them.
func (b bind) keptFrom(by *queue) int64 {
	if b.user != "" {
		return 0
	}
	kept := b.queue.kept(b.of)
	for at := by; at != b.queue; at = at.parent {
		kept -= at.bounds[b.of].guaranteed
	}
	return kept
}

func amountOf(d dimension, n int64, models *modelIndex) string {
	switch d {
	case dimCPU:
		return number(d, n) + " cpu"
	case dimMemory:
		return memoryOf(n) + " of memory"
	case dimGPUs:
		return number(d, n) + " GPUs"
	case dimJobs:
		return number(d, n) + " running jobs"
	}
	return number(d, n) + " GPUs of " + models.name(d)
}

func number(d dimension, n int64) string {
	switch d {
	case dimCPU:
		return fmt.Sprintf("%g", float64(n)/1000)
	case dimMemory:
		return fmt.Sprintf("%.4g", float64(n)/(1<<30))
	}
	return fmt.Sprint(n)
}

// heldBackFor says that a job could start and does not, so that others start at last: those before it in its own queue, or in that of a
// quota that is named.
func (c *class) heldBackFor(held []heldBy) verdict {
	return verdict{reason: platformv1.JobReasonQueued, behind: held, text: func() string {
		head := held[0].head
		message, who := "others before it in the queue would have to wait longer if it started", "they start"
		if head.lane.queue != c.lane.queue {
			message, who = fmt.Sprintf("a job of quota %q that goes before it would have to wait longer if it started", head.lane.queue.Name), "that starts"
		}
		if r := head.reservation; r != nil && r.at != never {
			message += fmt.Sprintf("; %s at %s at the latest", who, r.latest().UTC().Format("2006-01-02 15:04:05 MST"))
		}
		return message
	}}
}

// latest is when the reservation's job starts at the latest, with the time that those have to end who are being ended.
func (r *reservation) latest() time.Time {
	at := r.at
	for other := range r.gone {
		if gone := other.gone(r.made); other.ends() && gone.After(at) {
			at = gone
		}
	}
	return at
}

func (e *Engine) whyNever(c *class, model string) string {
	if len(e.nodes) == 0 {
		return "the cluster has no node on which a job can start"
	}
	largest, slots := Amounts{}, int64(0)
	groups := e.groupsFor(c, model)
	for _, g := range groups {
		for size, nodes := range g.sizes {
			largest = largest.most(size)
			slots += nodes * c.replica.count(size)
		}
	}
	switch {
	case largest == Amounts{} && c.pools != "" && !e.hasPoolOf(c):
		return fmt.Sprintf("there is no node%s; there are: %s", c.inPools(), strings.Join(e.pools(), ", "))
	case largest == Amounts{} && model != "":
		return fmt.Sprintf("no node that the job may use%s has GPUs of the model %q; there are: %s", c.inPools(), model, strings.Join(e.gpuModels(), ", "))
	case largest == Amounts{}:
		return "there is no node that the job may use" + c.inPools()
	case slots >= c.replicas:
		return fmt.Sprintf("no topology domain has room for all %d replicas even when it is empty", c.replicas)
	case slots > 0:
		return fmt.Sprintf("%d replicas start together, and the cluster has room for %d even when it is empty", c.replicas, slots)
	}
	return fmt.Sprintf("a replica asks for %s; the largest that a node can give is %s", describe(c.replica), describe(largest))
}

// inPools names the pools that the class takes, if it names any.
func (c *class) inPools() string {
	if c.pools == "" {
		return ""
	}
	return " in the pool " + strings.ReplaceAll(c.pools, ",", " or ")
}

// hasPoolOf reports whether there are nodes in a pool that the class takes.
func (e *Engine) hasPoolOf(c *class) bool {
	there := e.pools()
	return slices.ContainsFunc(strings.Split(c.pools, ","), func(pool string) bool { return slices.Contains(there, pool) })
}

// pools are the pools that have nodes.
func (e *Engine) pools() []string {
	var all []string
	for _, g := range e.groups {
		if len(g.nodes) > 0 && !slices.Contains(all, g.pool) {
			all = append(all, g.pool)
		}
	}
	slices.Sort(all)
	return all
}

func (e *Engine) whyBusy(c *class, model string) string {
	if c.replicas == 1 {
		what := describe(c.replica)
		if model != "" {
			what += " of " + model
		}
		return "waiting for others to end: no node has " + what + " free"
	}
	free := int64(0)
	for _, g := range e.groupsFor(c, model) {
		free += g.roomFor(c.replica)
	}
	if free >= c.replicas {
		return fmt.Sprintf("waiting for others to end: no topology domain has room for all %d replicas, which start together; there is room for %d in all",
			c.replicas, free)
	}
	return fmt.Sprintf("waiting for others to end: there is room for %d of %d replicas, which start together", free, c.replicas)
}

// memoryOf is an amount of memory, in bytes where it is so little that somebody forgot a unit.
func memoryOf(n int64) string {
	if 0 < n && n < 1<<20 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%.4g GiB", float64(n)/(1<<30))
}

func describe(a Amounts) string {
	text := fmt.Sprintf("%g cpu, %s memory", float64(a.MilliCPU)/1000, memoryOf(a.Memory))
	if a.GPUs > 0 {
		text += fmt.Sprintf(", %d GPUs", a.GPUs)
	}
	return text
}
