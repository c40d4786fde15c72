package cli

import (
	"bytes"
	"io"
	"sync"
)

// lockedWriter lets several streams write to one.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// prefixWriter marks every line with a prefix and writes whole lines, so that lines of several streams do not mix. A line
// longer than maxLogLine is written as several.
type prefixWriter struct {
	w      io.Writer
	prefix []byte
	line   []byte
}

func (p *prefixWriter) Write(text []byte) (int, error) {
	written := len(text)
	for len(text) > 0 {
		end, whole := bytes.IndexByte(text, '\n')+1, true
		if end == 0 {
			end, whole = len(text), false
		}
		p.line = append(p.line, text[:end]...)
		text = text[end:]
		if whole || len(p.line) >= maxLogLine {
			if err := p.flush(); err != nil {
				return 0, err
			}
		}
	}
	return written, nil
}

func (p *prefixWriter) flush() error {
	if len(p.line) == 0 {
		return nil
	}
	line := append(bytes.Clone(p.prefix), p.line...)
	if line[len(line)-1] != '\n' {
		line = append(line, '\n')
	}
	p.line = p.line[:0]
	_, err := p.w.Write(line)
	return err
}

// flush writes what a prefixWriter still holds.
func flush(w io.Writer) {
	if p, ok := w.(*prefixWriter); ok {
		_ = p.flush() // the output is gone; the stream's own error told so
	}
}
