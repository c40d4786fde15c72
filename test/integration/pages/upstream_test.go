package pages_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// upstream is a job that keeps every byte that reached it.
type upstream struct {
	address string
	mu      sync.Mutex
	got     bytes.Buffer
	seen    []seen
	// free ends what is stuck.
	free chan struct{}
}

// seen is a request as a program reads it.
type seen struct {
	path   string
	header http.Header
}

func newUpstream(t *testing.T) *upstream {
	t.Helper()
	u := &upstream{free: make(chan struct{})}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u.address = listener.Addr().String()
	server := &http.Server{Handler: http.HandlerFunc(u.serve), ReadHeaderTimeout: time.Minute}
	done := make(chan error, 1)
	go func() { done <- server.Serve(&tapped{Listener: listener, upstream: u}) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return u
}

// serve answers: /socket with what it is given, /events and /endless without end, /stuck when it is freed, /upload with how much it was
// given, others with a word, and with cookies.
func (u *upstream) serve(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	u.seen = append(u.seen, seen{r.URL.Path, r.Header.Clone()})
	u.mu.Unlock()
	switch r.URL.Path {
	case "/socket":
		conn, err := (&websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}).Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		for {
			kind, data, err := conn.ReadMessage()
			if err != nil || conn.WriteMessage(kind, data) != nil {
				return
			}
		}
	case "/events", "/endless":
		if r.URL.Path == "/events" {
			w.Header().Set("Content-Type", "text/event-stream")
		}
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, "data: x\n\n"); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	case "/stuck":
		<-u.free
	case "/upload":
		n, _ := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprint(w, n)
	default:
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header()["Set-Cookie"] = []string{"theirs=1", "all=1; Domain=" + domain, "__Host-soma-page=x; Path=/; Secure"}
		_, _ = io.WriteString(w, "the job's own page\n")
	}
}

// take is all that reached it since the last time, as bytes and as requests.
func (u *upstream) take() (string, []seen) {
	u.mu.Lock()
	defer u.mu.Unlock()
	got, all := u.got.String(), u.seen
	u.got.Reset()
	u.seen = nil
	return got, all
}

// tapped keeps what is read of its connections.
type tapped struct {
	net.Listener
	upstream *upstream
}

func (l *tapped) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &tappedConn{conn, l.upstream}, nil
}

type tappedConn struct {
	net.Conn
	upstream *upstream
}

func (c *tappedConn) Read(into []byte) (int, error) {
	n, err := c.Conn.Read(into)
	c.upstream.mu.Lock()
	c.upstream.got.Write(into[:n])
	c.upstream.mu.Unlock()
	return n, err
}
