package kubeproxy

import (
	"time"

	"github.com/soma-platform/soma/internal/gateway/limit"
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

// rates are how often users may ask.
func (l Limits) rates() *limit.Limit {
	return limit.New(time.Duration(float64(time.Second)/l.PerSecond), l.Burst)
}

// after is in how many seconds a user may ask again for what counts for so many requests.
func (l Limits) after(cost int) int { return 1 + int(float64(cost)/l.PerSecond) }
