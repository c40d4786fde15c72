package scheduling

import (
	"math"
	"time"
)

// usage is what somebody holds, and what they held in the past. The past is an average that forgets: what was held one
// half-life ago counts half of what is held now.
type usage struct {
	held vector
	past [3]float64
	at   time.Time
}

// age brings the past up to now.
func (u *usage) age(now time.Time, halfLife time.Duration) {
	if halfLife > 0 && !u.at.IsZero() && now.After(u.at) {
		kept := math.Exp2(-float64(now.Sub(u.at)) / float64(halfLife))
		for d := range u.past {
			u.past[d] = u.past[d]*kept + float64(u.held.at(dimension(d)))*(1-kept)
		}
	}
	u.at = now
}

// counts is what counts for the share: half what is held, half what was.
func (u *usage) counts(d dimension, halfLife time.Duration) float64 {
	held := float64(u.held.at(d))
	if halfLife == 0 {
		return held
	}
	return (held + u.past[d]) / 2
}

// shareOf is how much of what is due to somebody they have, in the resource of which they have most (dominant resource
// fairness; Ghodsi et al., NSDI 2011). Up to 1 it is the part in use of what is their own; beyond, 1 and the part of all
// that the tree has which they borrow, by weight.
func shareOf(u *usage, own func(dimension) int64, root *queue, weight int64) float64 {
	share := 0.0
	for d := dimCPU; d <= dimGPUs; d++ {
		counted := u.counts(d, root.HalfLife)
		if counted == 0 {
			continue
		}
		mine, total := float64(own(d)), float64(root.bounds[d].all)
		switch {
		case counted <= mine:
			share = max(share, counted/mine)
		case total > 0:
			share = max(share, 1+(counted-mine)/(total*float64(max(weight, 1))))
		default:
			share = max(share, 2)
		}
	}
	return share
}
