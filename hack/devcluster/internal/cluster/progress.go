package cluster

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Progress tells a person what is being done and how long it took. Several steps may run at once.
type Progress struct {
	Out io.Writer

	mutex sync.Mutex
}

// Say prints one line.
func (p *Progress) Say(format string, args ...any) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	_, _ = fmt.Fprintf(p.Out, format+"\n", args...)
}

// slow is from when on a step that is under way is announced.
const slow = 5 * time.Second

// Step does one thing and prints its name and duration when it is done; one that takes long is named before as well.
func (p *Progress) Step(name string, do func() error) error {
	started := time.Now()
	timer := time.AfterFunc(slow, func() { p.Say("  %-28s …", name) })
	err := do()
	timer.Stop()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	p.Say("  %-28s %5.1fs", name, time.Since(started).Seconds())
	return nil
}
