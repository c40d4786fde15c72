package pages_test

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// each runs a test behind each proxy.
func each(t *testing.T, test func(t *testing.T, w *world, p *proxy)) {
	for name, start := range proxies {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			test(t, w, start(w))
		})
	}
}

// open opens a WebSocket and events of a page, and, where the gateway carries all, an answer that does not end, and returns what is
// closed when they have ended.
func (w *world) open(p *proxy, job string, header http.Header) (ended <-chan struct{}) {
	w.t.Helper()
	dialer := websocket.Dialer{
		NetDialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, p.address)
		},
		TLSClientConfig: w.tls(), HandshakeTimeout: patience,
	}
	header.Set("Origin", "https://"+host(job))
	conn, answer, err := dialer.DialContext(w.t.Context(), "wss://"+host(job)+"/socket", header)
	if err != nil {
		w.t.Fatalf("a WebSocket of %s: %v, %v", job, err, answer)
	}
	w.t.Cleanup(func() {
		_ = answer.Body.Close()
		_ = conn.Close()
	})
	if err := conn.WriteMessage(websocket.TextMessage, []byte("hello")); err != nil {
		w.t.Fatal(err)
	}
	if _, data, err := conn.ReadMessage(); err != nil || string(data) != "hello" {
		w.t.Fatalf("%q: %v", data, err)
	}
	answers := []*bufio.Scanner{w.endless(p, job, "/events", with(header, "Accept", "text/event-stream"))}
	if !p.asks {
		answers = append(answers, w.endless(p, job, "/endless", header))
	}
	all := make(chan struct{})
	go func() {
		defer close(all)
		for _, lines := range answers {
			for lines.Scan() {
			}
		}
		for err := error(nil); err == nil; {
			_, _, err = conn.ReadMessage()
		}
	}()
	return all
}

func with(header http.Header, name, value string) http.Header {
	header = header.Clone()
	header.Set(name, value)
	return header
}

// endless is an answer that goes on, of which something came.
func (w *world) endless(p *proxy, job, path string, header http.Header) *bufio.Scanner {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, "https://"+host(job)+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header = header
	answer, err := w.client(p.address).Do(r)
	if err != nil || answer.StatusCode != http.StatusOK {
		w.t.Fatalf("%s of %s: %v, %v", path, job, answer, err)
	}
	w.t.Cleanup(func() { _ = answer.Body.Close() })
	lines := bufio.NewScanner(answer.Body)
	if !lines.Scan() || lines.Text() != "data: x" {
		w.t.Fatalf("%s begins with %q", path, lines.Text())
	}
	return lines
}

// What is open ends with what it was begun by, whatever that is, and with nothing else.
func TestStreamsAreCut(t *testing.T) {
	each(t, func(t *testing.T, w *world, p *proxy) {
		cookie := func(user, job string) http.Header {
			return http.Header{"Cookie": {"__Host-soma-page=" + w.visit(p, user, job)}}
		}
		bearer := func(user string) http.Header { return http.Header{"Authorization": {"Bearer " + w.tokens[user]}} }
		streams := []struct {
			name  string
			ended <-chan struct{}
			end   func()
		}{
			{"the session ends", w.open(p, train, cookie("alice", train)), func() {
				w.change(&v1alpha1.User{}, "", "alice", func(o client.Object) {
					o.(*v1alpha1.User).Status.EndedSessions = []string{w.sessions["alice"].ID}
				})
			}},
			{"the token is taken away", w.open(p, train, bearer("alice")), func() {
				w.change(&v1alpha1.User{}, "", "alice-robot", func(o client.Object) { o.(*v1alpha1.User).Spec.Tokens = nil })
			}},
			{"the right ends", w.open(p, notes, cookie("eve", notes)), func() {
				grant := &v1alpha1.Grant{}
				grant.Namespace, grant.Name = project, "eve-"+notes
				if err := api.Client.Delete(t.Context(), grant); err != nil {
					t.Fatal(err)
				}
			}},
			{"the user is disabled", w.open(p, notes, bearer("eve")), func() {
				w.change(&v1alpha1.User{}, "", "eve-robot", func(o client.Object) { o.(*v1alpha1.User).Spec.Disabled = new(true) })
			}},
			{"the job ends", w.open(p, board, http.Header{}), func() { w.phase(board, v1alpha1.JobSucceeded) }},
		}
		for i, one := range streams {
			began := time.Now()
			one.end()
			select {
			case <-one.ended:
				t.Logf("%s: cut after %s", one.name, time.Since(began).Round(time.Millisecond))
			case <-time.After(patience):
				t.Fatalf("%s: it goes on", one.name)
			}
			for _, other := range streams[i+1:] {
				select {
				case <-other.ended:
					t.Fatalf("%s, and %q is cut", one.name, other.name)
				default:
				}
			}
		}
	})
}

// change changes an object, and its status.
func (w *world) change(object client.Object, namespace, name string, to func(client.Object)) {
	w.t.Helper()
	if err := api.Client.Get(w.t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, object); err != nil {
		w.t.Fatal(err)
	}
	before, ok := object.DeepCopyObject().(client.Object)
	if !ok {
		w.t.Fatal("a copy is no object")
	}
	to(object)
	changed, ok := object.DeepCopyObject().(client.Object)
	if !ok {
		w.t.Fatal("a copy is no object")
	}
	if err := api.Client.Patch(w.t.Context(), object, client.MergeFrom(before)); err != nil {
		w.t.Fatal(err)
	}
	if err := api.Client.Status().Patch(w.t.Context(), changed, client.MergeFrom(before)); err != nil {
		w.t.Fatal(err)
	}
}
