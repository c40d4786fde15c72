package manager

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/soma-platform/soma/internal/history"
)

// crash is the end of a manager at one of its writes.
type crash struct {
	// write is the number of the write, from 1.
	write int
	// after tells that the write still takes effect, and only its answer is lost.
	after bool
}

// flaw makes single writes go wrong for a manager that lives on: each with the given chance is refused, or takes effect
// while its answer is lost.
type flaw struct {
	chance float64
	random *rand.Rand
}

// errLost is what a manager gets for a write that went wrong.
var errLost = errors.New("the connection was lost")

// errDead is what a manager that crashed gets for everything that it still tries.
var errDead = errors.New("this manager is dead")

// gate is what every request of a manager to the API server and every write to the history goes through. It counts writes,
// and at the one that the crash names it lets through nothing more, as if the process had been killed: what is under way
// in the manager then ends without effect.
type gate struct {
	crash *crash
	kill  func()

	mutex  sync.Mutex
	late   *late
	flaw   *flaw
	dead   bool
	writes int
	last   time.Time
}

func newGate(crash *crash, kill func()) *gate {
	return &gate{crash: crash, kill: kill, last: time.Now()}
}

// count is the number of writes so far.
func (g *gate) count() int {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return g.writes
}

// quiet is for how long there has been no write.
func (g *gate) quiet() time.Duration {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return time.Since(g.last)
}

// crashed reports whether the crash happened.
func (g *gate) crashed() bool {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return g.dead
}

// disarm takes back a crash that has not happened.
func (g *gate) disarm() {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.crash = nil
}

// enter reports whether a write may begin, and which crash the manager meets at it, if any. From then on nothing else
// goes through.
func (g *gate) enter() (met *crash, err error) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if g.dead {
		return nil, errDead
	}
	g.writes++
	g.last = time.Now()
	if g.crash == nil || g.writes != g.crash.write {
		return nil, nil
	}
	g.dead = true
	return g.crash, nil
}

func (g *gate) write(action func() error) error {
	met, err := g.enter()
	if err != nil {
		return err
	}
	if met == nil {
		return g.spoil(action)
	}
	defer g.kill()
	if met.after {
		_ = action() // with the process goes the answer
	}
	return errDead
}

// spoil does a write, unless the flaw has it go wrong.
func (g *gate) spoil(action func() error) error {
	refused, lost := g.draw()
	if refused {
		return errLost
	}
	err := action()
	if lost {
		return errLost
	}
	return err
}

func (g *gate) draw() (refused, lost bool) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if g.flaw == nil {
		return false, false
	}
	draw := g.flaw.random.Float64()
	return draw < g.flaw.chance, draw > 1-g.flaw.chance
}

// setFlaw makes writes go wrong from now on, or, with nil, not any more.
func (g *gate) setFlaw(flaw *flaw) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.flaw = flaw
}

func (g *gate) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		if request.Method == http.MethodGet {
			if g.crashed() {
				return nil, errDead
			}
			return next.RoundTrip(request)
		}
		var response *http.Response
		err := g.write(func() error {
			var err error
			if late := g.lateFor(request); late != nil {
				return late.send(next, request)
			}
			response, err = next.RoundTrip(request) //nolint:bodyclose // the client that asked reads it and closes it
			return err
		})
		if err != nil && response != nil {
			_ = response.Body.Close()
			response = nil
		}
		return response, err
	})
}

// late is a write that stays on its way, longer than the manager lives that sent it.
type late struct {
	method, path string
	// sent is closed when the manager has sent it; it arrives when arrive is closed. Then answer has the status of the answer.
	sent, arrive chan struct{}
	answer       chan int
}

func newLate(method, path string) *late {
	return &late{method: method, path: path, sent: make(chan struct{}), arrive: make(chan struct{}), answer: make(chan int, 1)}
}

// delay makes one write late.
func (g *gate) delay(l *late) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.late = l
}

// lateFor is how the request is late; nil where it is not. Only the first one is.
func (g *gate) lateFor(request *http.Request) *late {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if g.late == nil || g.late.method != request.Method || g.late.path != request.URL.Path {
		return nil
	}
	l := g.late
	g.late = nil
	return l
}

// send sends the request late. Who asked for it is never answered.
func (l *late) send(next http.RoundTripper, request *http.Request) error {
	late := request.Clone(context.WithoutCancel(request.Context()))
	go func() {
		<-l.arrive
		response, err := next.RoundTrip(late)
		if err != nil {
			l.answer <- 0
			return
		}
		_ = response.Body.Close()
		l.answer <- response.StatusCode
	}()
	close(l.sent)
	<-request.Context().Done()
	return request.Context().Err()
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip calls the function.
func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

// gatedStore is a history whose writes go through the gate.
type gatedStore struct {
	*history.Store
	gate *gate
}

// Record writes entries.
func (s gatedStore) Record(ctx context.Context, entries []history.Entry) (written int, err error) {
	err = s.gate.write(func() error {
		written, err = s.Store.Record(ctx, entries)
		return err
	})
	return written, err
}

// Delete writes deletions.
func (s gatedStore) Delete(ctx context.Context, deletions []history.Deletion) (written int, err error) {
	err = s.gate.write(func() error {
		written, err = s.Store.Delete(ctx, deletions)
		return err
	})
	return written, err
}
