package kubeproxy

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/utils/lru"
)

// Limits bound what one user may take of the gateway.
type Limits struct {
	// PerSecond requests may a user make over time, and Burst of them at once.
	PerSecond float64
	Burst     int
	// Streams may a user have open, and Requests under way that are none, at the same time.
	Streams, Requests int
	// BodyBytes of a request.
	BodyBytes int64
	// Request is how long a request may take that is no stream.
	Request time.Duration
}

// DefaultLimits are those of an API server where it has the same, and otherwise such that a person with a dashboard, or a
// program that watches everything, does not meet them.
func DefaultLimits() Limits {
	return Limits{
		PerSecond: 50, Burst: 300, Streams: 250, Requests: 100, BodyBytes: 3 << 20, Request: 65 * time.Second,
	}
}

// filteredCost is for how many requests a filtered list counts: for the API server it is the whole list, whatever of it is
// shown.
const filteredCost = 10

// strangers are how many refusals of somebody unknown are recorded of an address over time: the audit log is no place that
// anybody may fill. Metrics count all.
var strangers = Limits{PerSecond: 0.2, Burst: 60}

// rememberedUsers is for how many users it is known how much they asked lately. Whoever is forgotten begins anew.
const rememberedUsers = 10_000

// rates bounds how often users ask.
type rates struct {
	mu        sync.Mutex
	users     *lru.Cache
	perSecond rate.Limit
	burst     int
}

func newRates(l Limits) *rates {
	return &rates{users: lru.New(rememberedUsers), perSecond: rate.Limit(l.PerSecond), burst: l.Burst}
}

// allow reports whether the user may ask now for what counts for so many requests, or after how many seconds they may.
func (r *rates) allow(user string, now time.Time, cost int) (after int, allowed bool) {
	r.mu.Lock()
	var limiter *rate.Limiter
	if found, ok := r.users.Get(user); ok {
		limiter, _ = found.(*rate.Limiter)
	}
	if limiter == nil {
		limiter = rate.NewLimiter(r.perSecond, r.burst)
		r.users.Add(user, limiter)
	}
	r.mu.Unlock()
	if limiter.AllowN(now, cost) {
		return 0, true
	}
	return 1 + int(float64(cost)/max(float64(r.perSecond), 1.0/60)), false
}
