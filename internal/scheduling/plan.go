package scheduling

import "slices"

// plan is the running jobs that would give way, released in the ledger.
type plan struct {
	*whatIf
	victims []*victim
	// some are the victims that were thought of, in their order, candidates those who were not looked at yet.
	some, candidates []*victim
	// strict is how many of the victims only a job may displace that borrows nothing in a queue.
	strict map[*queue]int
}

// plan is who of some running jobs gives way: the first of them with which the job fits, less those that it does without, the most valuable
// of these first. Nobody where there is no such plan. They stay released in the ledger, as far as they give way.
func (w *whatIf) plan(candidates []*victim) []*victim {
	p := plan{whatIf: w, candidates: candidates, strict: map[*queue]int{}}
	if !p.gather() {
		p.shrink(0)
		return nil
	}
	needed := p.spare(p.victims)
	for _, v := range needed {
		w.released = append(w.released, v.running)
	}
	return needed
}

// gather releases candidates in their order until the job fits, and more of them where that is against the law. It reports whether there are
// as many.
func (p *plan) gather() bool { return p.least(p.fits) && (p.works() || p.least(p.works)) }

// least releases more until something is so, but no more than it takes. Where it is so with some it is with more, which is true of what
// fits, as more room never hurts; the number is found by doubling and halving.
func (p *plan) least(is func() bool) bool {
	without := len(p.victims)
	for more := 1; ; more *= 2 {
		if p.grow(without + more); is() {
			break
		}
		if len(p.victims) < without+more {
			return false
		}
		without += more
	}
	with := len(p.victims)
	for with-without > 1 {
		middle := (without + with) / 2
		p.shrink(middle)
		if p.grow(middle); is() {
			with = middle
		} else {
			without = middle
		}
	}
	p.shrink(with)
	p.grow(with)
	return is()
}

// grow releases as many in all, or as there are.
func (p *plan) grow(n int) {
	for len(p.victims) < n {
		for ; len(p.some) == len(p.victims) && len(p.candidates) > 0; p.candidates = p.candidates[1:] {
			if v := p.candidates[0]; v.lower || v.onBorrowed(v.theirs) { // a quota that has given back what it borrowed keeps the rest
				p.some = append(p.some, v)
			}
		}
		if len(p.some) == len(p.victims) {
			return
		}
		v := p.some[len(p.victims)]
		p.count(v, 1)
		p.victims = append(p.victims, v)
	}
}

func (p *plan) shrink(n int) {
	for last := len(p.victims) - 1; last >= n; last-- {
		p.count(p.victims[last], -1)
		p.victims = p.victims[:last]
	}
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
