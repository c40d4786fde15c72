// Package ticket makes what a browser has to show beside its cookie to open a connection to a container: got by a POST, which other
// sites' pages cannot make, and good once, for moments, for one session and one address.
package ticket

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/soma-platform/soma/internal/gateway/caller"
	"github.com/soma-platform/soma/internal/gateway/session"
)

const (
	// Lifetime is how long a ticket counts.
	Lifetime = 30 * time.Second
	// maxUsed bounds how many used ones are remembered; more are refused.
	maxUsed = 65536
)

// ErrRefused does not say what is wrong: who has no ticket learns nothing of those of others.
var ErrRefused = errors.New("the ticket does not count: get another for this session and this very address")

// Tickets makes and takes tickets. It is safe for concurrent use.
//
// A ticket is sealed, so that any gateway takes what another has made. That it was used is known to the gateway that took it: at
// another one it could be shown again within its time, by who has the session's cookie as well, and so could have had another.
type Tickets struct {
	keys  *session.Keys
	clock clock.PassiveClock

	mu   sync.Mutex
	used map[string]time.Time // by ID, until when
}

// New makes tickets that are sealed with keys.
func New(keys *session.Keys, clk clock.PassiveClock) *Tickets {
	return &Tickets{keys: keys, clock: clk, used: map[string]time.Time{}}
}

// content is what is sealed.
type content struct {
	ID      string    `json:"i"`
	UID     string    `json:"u"`
	Session string    `json:"s"`
	Target  []byte    `json:"t"`
	Until   time.Time `json:"x"`
}

// Issue makes a ticket for a caller's session and an address: a path with its query, letter by letter.
func (t *Tickets) Issue(c caller.Caller, target string) (ticket string, until time.Time, err error) {
	until = t.clock.Now().Add(Lifetime)
	text, err := json.Marshal(content{ID: rand.Text(), UID: c.UID, Session: c.Session, Target: hashOf(target), Until: until})
	if err != nil {
		return "", until, fmt.Errorf("make a ticket: %w", err)
	}
	ticket, err = t.keys.Seal(session.ForConnection, text)
	return ticket, until, err
}

// Redeem takes a ticket, once.
func (t *Tickets) Redeem(ticket string, c caller.Caller, target string) error {
	text, err := t.keys.Open(session.ForConnection, ticket)
	if err != nil {
		return ErrRefused
	}
	var shown content
	if err := json.Unmarshal(text, &shown); err != nil {
		return ErrRefused
	}
	now := t.clock.Now()
	if !now.Before(shown.Until) || shown.UID != c.UID || shown.Session != c.Session || string(shown.Target) != string(hashOf(target)) {
		return ErrRefused
	}
	return t.use(shown, now)
}

// use notes that a ticket was used, if it was not.
func (t *Tickets) use(shown content, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, again := t.used[shown.ID]; again {
		return ErrRefused
	}
	if len(t.used) >= maxUsed {
		for id, until := range t.used {
			if !now.Before(until) {
				delete(t.used, id)
			}
		}
		if len(t.used) >= maxUsed {
			return ErrRefused
		}
	}
	t.used[shown.ID] = shown.Until
	return nil
}

func hashOf(target string) []byte {
	sum := sha256.Sum256([]byte(target))
	return sum[:]
}
