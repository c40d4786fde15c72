package access

import (
	"context"
	"sync"
	"time"
)

// statusPatience is how long a status gives way: where something is bound all the time, statuses are written slowly and not never.
const statusPatience = 250 * time.Millisecond

// precedence lets what people may do go before what is said of it in statuses: those are many after a start, all write to the same API
// server, and nobody waits for them. It is safe for concurrent use.
type precedence struct {
	mu      sync.Mutex
	binding int
	// idle is closed when nothing is being bound any more; it is nil where nothing is.
	idle chan struct{}
}

// begin takes note that something is being bound, until the function is called that it returns.
func (p *precedence) begin() (end func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.binding == 0 {
		p.idle = make(chan struct{})
	}
	p.binding++
	return p.end
}

func (p *precedence) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.binding--; p.binding == 0 {
		close(p.idle)
		p.idle = nil
	}
}

// giveWay waits until nothing is being bound, and no longer than a status has patience.
func (p *precedence) giveWay(ctx context.Context) {
	p.mu.Lock()
	idle := p.idle
	p.mu.Unlock()
	if idle == nil {
		return
	}
	patience := time.NewTimer(statusPatience)
	defer patience.Stop()
	select {
	case <-idle:
	case <-patience.C:
	case <-ctx.Done():
	}
}
