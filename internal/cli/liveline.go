package cli

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// liveLine shows the progress of a job. On a terminal a passing line is written over by the next and counts the seconds;
// elsewhere every line is written once.
type liveLine struct {
	w     io.Writer
	style style
	start time.Time

	mu      sync.Mutex
	current *line
	shown   bool
	closed  bool
	done    chan struct{}
}

// newLiveLine begins to show progress on the writer. It ends with close.
func newLiveLine(w io.Writer, s style) *liveLine {
	l := &liveLine{w: w, style: s, start: time.Now(), done: make(chan struct{})}
	if s.terminal {
		go l.tick()
	}
	return l
}

func (l *liveLine) tick() {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-l.done:
			return
		case <-ticker.C:
			l.mu.Lock()
			l.draw()
			l.mu.Unlock()
		}
	}
}

// show replaces the line that is shown.
func (l *liveLine) show(next line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.style.terminal {
		fmt.Fprintln(l.w, next.text)
		return
	}
	l.erase()
	if next.lasting {
		l.current = nil
		fmt.Fprintln(l.w, l.style.tone(next.tone, next.text))
		if next.then == "" {
			return
		}
		next = line{text: next.then}
	}
	l.current = &next
	l.draw()
}

// draw writes the passing line, cut to the terminal's width. The caller holds the lock.
func (l *liveLine) draw() {
	if l.current == nil {
		return
	}
	l.erase()
	seconds := time.Since(l.start).Round(time.Second)
	text := l.current.text
	if file, ok := l.w.(*os.File); ok {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
			text = shorten(text, max(20, width-12))
		}
	}
	fmt.Fprintf(l.w, "%s %s", l.style.tone(l.current.tone, text), l.style.dim(seconds.String()))
	l.shown = true
}

func (l *liveLine) erase() {
	if l.shown {
		fmt.Fprint(l.w, "\r\x1b[K")
		l.shown = false
	}
}

// over returns a writer for output on the same terminal: what is written takes the place of the passing line.
func (l *liveLine) over(w io.Writer) io.Writer { return &overWriter{l, w} }

type overWriter struct {
	l *liveLine
	w io.Writer
}

func (o *overWriter) Write(p []byte) (int, error) {
	o.l.mu.Lock()
	defer o.l.mu.Unlock()
	o.l.erase()
	o.l.current = nil
	return o.w.Write(p)
}

// close takes the passing line away; no more is shown.
func (l *liveLine) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.erase()
	l.current = nil
	if !l.closed {
		l.closed = true
		close(l.done)
	}
}
