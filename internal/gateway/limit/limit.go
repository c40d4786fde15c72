// Package limit bounds how often somebody may try something, in memory: nothing that can fail takes the bound away.
package limit

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/utils/lru"
)

// maxKnown bounds how many are kept in mind; of more, those that have not tried for longest are forgotten.
const maxKnown = 16384

// Limit lets everybody try something a number of times at once, and again each time an interval has passed.
type Limit struct {
	every time.Duration
	burst int

	mu    sync.Mutex
	known *lru.Cache
}

// New makes one.
func New(every time.Duration, burst int) *Limit {
	return &Limit{every: every, burst: burst, known: lru.New(maxKnown)}
}

// Allow counts a try, and reports whether it is within the bound.
func (l *Limit) Allow(who string, now time.Time) bool { return l.AllowN(who, now, 1) }

// AllowN counts what is worth several tries, and reports whether it is within the bound.
func (l *Limit) AllowN(who string, now time.Time, n int) bool { return l.of(who).AllowN(now, n) }

func (l *Limit) of(who string) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if found, ok := l.known.Get(who); ok {
		return found.(*rate.Limiter)
	}
	made := rate.NewLimiter(rate.Every(l.every), l.burst)
	l.known.Add(who, made)
	return made
}

// Strangers bounds, by address, how often something is recorded of somebody who is not known: the audit log is no place that
// anybody may fill.
func Strangers() *Limit { return New(5*time.Second, 60) }

// Address is the address that the connection of a request comes from.
func Address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return host
}

// Remote is who sends a request, as far as its connection tells: headers are not asked, which anybody can set. Of IPv6 it is
// the network, of which one machine has all addresses.
func Remote(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	address = address.Unmap().WithZone("")
	if address.Is6() {
		if network, err := address.Prefix(64); err == nil {
			return network.String()
		}
	}
	return address.String()
}
