// Package stream is what those parts of the gateway have in common behind which something stays open: nobody has too much of
// it, and it can be ended wherever it is.
package stream

import (
	"bufio"
	"net"
	"net/http"
	"sync"
	"time"
)

// Tap sees what is answered, and can end an answer that nobody reads.
type Tap struct {
	http.ResponseWriter
	// Answered, if there is one, is called once, when the answer begins.
	Answered func(code int)

	mu       sync.Mutex
	begun    bool
	finished bool
	hijacked net.Conn
}

// Unwrap lets http.ResponseController find what the writer can do.
func (t *Tap) Unwrap() http.ResponseWriter { return t.ResponseWriter }

func (t *Tap) begin(code int) {
	if code >= 100 && code < 200 && code != http.StatusSwitchingProtocols {
		return
	}
	t.mu.Lock()
	first := !t.begun
	t.begun = true
	t.mu.Unlock()
	if first && t.Answered != nil {
		t.Answered(code)
	}
}

// Begun reports whether the answer began.
func (t *Tap) Begun() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.begun
}

// WriteHeader begins the answer.
func (t *Tap) WriteHeader(code int) {
	t.begin(code)
	t.ResponseWriter.WriteHeader(code)
}

// Write goes on with the answer.
func (t *Tap) Write(data []byte) (int, error) {
	t.begin(http.StatusOK)
	return t.ResponseWriter.Write(data)
}

// FlushError sends what was written.
func (t *Tap) FlushError() error { return http.NewResponseController(t.ResponseWriter).Flush() }

// Hijack gives the connection to whoever goes on with another protocol.
func (t *Tap) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(t.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	t.mu.Lock()
	t.hijacked = conn
	t.mu.Unlock()
	t.begin(http.StatusSwitchingProtocols)
	return conn, buffered, nil
}

// Sever ends the request wherever it is, also where it waits for a client that does not read, or does not send.
func (t *Tap) Sever() {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.finished:
	case t.hijacked != nil:
		_ = t.hijacked.Close() // it may be closed already
	default:
		// A writer without deadlines is not one of net/http: nothing would wait on it.
		over, controller := time.Unix(1, 0), http.NewResponseController(t.ResponseWriter)
		_, _ = controller.SetWriteDeadline(over), controller.SetReadDeadline(over)
	}
}

// Finish keeps what comes too late from the connection, which may be about something else by then.
func (t *Tap) Finish() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.finished = true
}
