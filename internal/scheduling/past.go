package scheduling

import (
	"cmp"
	"slices"
	"time"
)

// Past is what the jobs of a user held under a quota in the past, or all of them, as it counts for fair share now: an average that
// forgets half of itself in the half-life of the tree.
type Past struct {
	Quota string `json:"quota"`
	// User is empty where it is about the quota with all below it.
	User     string  `json:"user,omitempty"`
	MilliCPU float64 `json:"milliCPU,omitempty"`
	Memory   float64 `json:"memory,omitempty"`
	GPUs     float64 `json:"gpus,omitempty"`
}

// Compare puts who used less before others.
func (p Past) Compare(other Past) int {
	return cmp.Or(cmp.Compare(p.GPUs, other.GPUs), cmp.Compare(p.MilliCPU, other.MilliCPU), cmp.Compare(p.Memory, other.Memory))
}

// negligible is what is not worth keeping: less than a thousandth of a core, a MiB and a thousandth of a GPU.
func (p *Past) negligible() bool { return p.MilliCPU < 1 && p.Memory < 1<<20 && p.GPUs < 0.001 }

// Past is all past use that counts. Trees without a half-life have none.
func (e *Engine) Past() (all []Past) {
	add := func(quota, user string, u *usage) {
		if p := (Past{Quota: quota, User: user, MilliCPU: u.past[dimCPU], Memory: u.past[dimMemory], GPUs: u.past[dimGPUs]}); !p.negligible() {
			all = append(all, p)
		}
	}
	for name, q := range e.queues {
		if q.root().HalfLife == 0 {
			continue
		}
		add(name, "", &q.usage)
		for user, l := range q.lanes {
			add(name, user, &l.usage)
		}
	}
	slices.SortFunc(all, func(a, b Past) int { return cmp.Or(cmp.Compare(a.Quota, b.Quota), cmp.Compare(a.User, b.User)) })
	return all
}

// SetPast tells an engine that knows the quotas and who holds what now of past use as it was at a time. What was held from then on is
// taken to be what is held now.
func (e *Engine) SetPast(all []Past, at time.Time) {
	e.rebuild()
	for _, p := range all {
		q := e.queues[p.Quota]
		if q == nil {
			continue
		}
		u := &q.usage
		if p.User != "" {
			u = &q.lane(p.User).usage
		}
		u.past, u.at = [3]float64{dimCPU: p.MilliCPU, dimMemory: p.Memory, dimGPUs: p.GPUs}, at
	}
	e.aged = time.Time{}
}
