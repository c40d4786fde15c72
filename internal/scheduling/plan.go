package scheduling

import "slices"

// plan is the running jobs that would give way, released in the ledger.
type plan struct {
	*whatIf
	victims []*victim
	// strict is how many of them only a job may displace that borrows nothing in a queue.
	strict map[*queue]int
}

// plan is who of some running jobs gives way: the first of them with which the job fits, less those that it does without, the most valuable
// of these first. Nobody where there is no such plan. They stay released in the ledger, as far as they give way.
func (w *whatIf) plan(candidates []*victim) []*victim {
	p := plan{whatIf: w, strict: map[*queue]int{}}
	if !p.gather(candidates) {
		p.shrink(0)
		return nil
	}
	needed := p.spare(p.victims)
	for _, v := range needed {
		w.released = append(w.released, v.running)
	}
	return needed
}

// gather releases candidates in their order until the job fits. As more room never hurts, the number is found by doubling and halving; where
// that is against the law, more of them are tried one by one.
func (p *plan) gather(candidates []*victim) bool {
	var some []*victim // of those that were looked at
	next := func() bool {
		for ; len(some) == len(p.victims) && len(candidates) > 0; candidates = candidates[1:] {
			if v := candidates[0]; v.lower || v.onBorrowed(v.theirs) { // a quota that has given back what it borrowed keeps the rest
				some = append(some, v)
			}
		}
		if len(some) == len(p.victims) {
			return false
		}
		p.add(some[len(p.victims)])
		return true
	}
	grow := func(n int) {
		for len(p.victims) < n && next() {
		}
	}
	fails := 0
	for n := 1; ; n *= 2 {
		if grow(n); p.fits() {
			break
		}
		if len(p.victims) < n {
			return false
		}
		fails = n
	}
	fits := len(p.victims)
	for fits-fails > 1 {
		middle := (fails + fits) / 2
		p.shrink(middle)
		if grow(middle); p.fits() {
			fits = middle
		} else {
			fails = middle
		}
	}
	p.shrink(fits)
	grow(fits)
	for !p.works() {
		if !next() {
			return false
		}
	}
	return true
}

// spare takes back those of the plan, of some of it, that the job does without, the last ones first. It returns the others.
func (p *plan) spare(some []*victim) (needed []*victim) {
	for _, v := range some {
		p.count(v, -1)
	}
	if p.works() {
		return nil
	}
	for _, v := range some {
		p.count(v, 1)
	}
	if len(some) == 1 {
		return slices.Clone(some)
	}
	middle := len(some) / 2
	last := p.spare(some[middle:])
	return append(p.spare(some[:middle]), last...)
}

func (p *plan) add(v *victim) {
	p.count(v, 1)
	p.victims = append(p.victims, v)
}

func (p *plan) shrink(n int) {
	for last := len(p.victims) - 1; last >= n; last-- {
		p.count(p.victims[last], -1)
		p.victims = p.victims[:last]
	}
}

// count releases a victim, or takes it back.
func (p *plan) count(v *victim, sign int64) {
	p.suppose(v.running, sign)
	if v.mine != nil && !(v.lower && v.borrowed) {
		p.strict[v.mine] += int(sign)
	}
}

// works reports whether the job would start if all of the plan had ended, and nobody in it could displace the job in turn. Of the jobs of
// another quota, those may be displaced whose quota has borrowed, by one of higher priority or by one that borrows nothing; where neither
// quota has borrowed, by one of higher priority.
func (p *plan) works() bool {
	if !p.fits() {
		return false
	}
	for mine, n := range p.strict {
		if n > 0 && slices.ContainsFunc(p.found.uses, func(u use) bool { return mine.borrows(u.of, mine.arrives(p.class.lane.queue, u)) }) {
			return false
		}
	}
	return true
}
