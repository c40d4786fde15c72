package jobpages

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/gateway/caller"
)

const patience = 10 * time.Second

// guarded lets what a service depends on change while it serves.
type guarded struct {
	sync.Mutex
	*signedIn
	rights
	pages
}

func (g *guarded) Authenticate(r *http.Request) (caller.Caller, error) {
	g.Lock()
	defer g.Unlock()
	return g.signedIn.Authenticate(r)
}

func (g *guarded) StillValid(c caller.Caller) bool {
	g.Lock()
	defer g.Unlock()
	return g.signedIn.StillValid(c)
}

func (g *guarded) Tree(user string) *access.Tree {
	g.Lock()
	defer g.Unlock()
	return g.rights.Tree(user)
}

func (g *guarded) ByLabel(label string) (Page, bool) {
	g.Lock()
	defer g.Unlock()
	page, there := g.pages.ByLabel(label)
	if there {
		page.Job = page.Job.DeepCopy()
	}
	return page, there
}

// served is a world whose service is served, before a job that is.
type served struct {
	*world
	guard *guarded
	front *httptest.Server
	// seen are the requests that reached the job.
	seen chan *http.Request
}

// serve serves it before a job whose pages are /socket, which gives back what it is given, /events, which goes on without end, and
// others, which give back the body.
func serve(t *testing.T) *served {
	t.Helper()
	return serveJob(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/socket":
			conn, err := (&websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}).Upgrade(rw, r, nil)
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
		case "/events":
			rw.Header().Set("Content-Type", "text/event-stream")
			endless(rw, r)
		default:
			body, err := io.ReadAll(r.Body)
			if err == nil {
				_, _ = rw.Write(body)
			}
		}
	}))
}

// endless is an answer that goes on, and as fast as it is read where it is asked to flood.
func endless(rw http.ResponseWriter, r *http.Request) {
	block := "data: " + strings.Repeat("x", 1000) + "\n\n"
	for r.Context().Err() == nil {
		if _, err := io.WriteString(rw, block); err != nil {
			return
		}
		_ = http.NewResponseController(rw).Flush()
		if r.URL.RawQuery != "flood" {
			select {
			case <-r.Context().Done():
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
}

// serveJob serves it before a job.
func serveJob(t testing.TB, answers http.Handler) *served {
	t.Helper()
	w := &served{world: newWorld(t), seen: make(chan *http.Request, 1000)}
	job := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.seen <- r.Clone(r.Context()) // which names its trailers
		answers.ServeHTTP(rw, r)
	}))
	t.Cleanup(func() {
		job.CloseClientConnections()
		job.Close()
	})
	w.job = job.Listener.Addr().String()
	w.guard = &guarded{signedIn: w.who, rights: w.rights, pages: pages{"train--vision": w.page}}
	w.Authenticator, w.Rights, w.Pages = w.guard, w.guard, w.guard
	w.front = httptest.NewUnstartedServer(w.Handler())
	w.front.EnableHTTP2 = true
	w.front.StartTLS()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		w.front.CloseClientConnections()
		w.front.Close()
	})
	eventually(t, "it is asked again", w.clock.HasWaiters)
	return w
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// change changes the world, and puts the clock forward to when it is asked again.
func (w *served) change(to func()) {
	w.guard.Lock()
	to()
	w.guard.Unlock()
	w.clock.Step(recheckInterval)
}

func (w *served) toFront(ctx context.Context, network, _ string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, network, w.front.Listener.Addr().String())
}

func (w *served) config() *tls.Config {
	config := w.front.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	config.ServerName = "example.com"
	return config
}

// client is one of HTTP/2, or of HTTP/1.1.
func (w *served) client(two bool) *http.Client {
	config := w.config()
	if !two {
		config.NextProtos = []string{"http/1.1"}
	}
	return &http.Client{
		Transport:     &http.Transport{DialContext: w.toFront, TLSClientConfig: config, ForceAttemptHTTP2: two},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// secure begins TLS on a connection to the front.
func (w *served) secure(conn net.Conn) *tls.Conn { return tls.Client(conn, w.config()) }

func (w *served) socket(t *testing.T, header http.Header) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	dialer := websocket.Dialer{NetDialContext: w.toFront, TLSClientConfig: w.config(), HandshakeTimeout: patience}
	conn, answer, err := dialer.DialContext(t.Context(), "wss://"+host+"/socket?run=7;a", header)
	if err == nil {
		t.Cleanup(func() { _ = conn.Close() })
	}
	if answer != nil {
		t.Cleanup(func() { answer.Body.Close() })
	}
	return conn, answer, err
}

func (w *served) echo(t *testing.T, conn *websocket.Conn) {
	t.Helper()
	if err := conn.WriteMessage(websocket.TextMessage, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, data, err := conn.ReadMessage(); err != nil || string(data) != "hello" {
		t.Fatalf("%q: %v", data, err)
	}
}

func TestASocketGoesThrough(t *testing.T) {
	w := serve(t)
	header := with(http.Header{
		"Origin": {"https://" + host}, "X_Soma_Assertion": {"forged"}, "x-soma-USER": {"eve"}, "X-Forwarded-For": {"10.0.0.1"}, "X-Theirs": {"1"},
	}, w.visit(t, "bob"), &http.Cookie{Name: "theirs", Value: "1"})
	conn, _, err := w.socket(t, header)
	if err != nil {
		t.Fatal(err)
	}
	w.echo(t, conn)
	seen := <-w.seen
	if w.dialled[0] != "train.vision.svc.cluster.local.:8080" || seen.Host != host || seen.RequestURI != "/socket?run=7;a" {
		t.Errorf("%s: %s %s", w.dialled, seen.Host, seen.RequestURI)
	}
	if len(seen.Header.Values(AssertionHeader)) != 1 || seen.Header.Get(AssertionHeader) == "forged" {
		t.Errorf("the assertion is %q", seen.Header.Values(AssertionHeader))
	}
	for name, want := range map[string]string{"Cookie": "theirs=1", "X-Theirs": "1", "X-Forwarded-Host": host, "X-Forwarded-Proto": "https"} {
		if got := seen.Header.Values(name); !slices.Equal(got, []string{want}) {
			t.Errorf("%s is %q", name, got)
		}
	}
	for name := range seen.Header {
		if name != AssertionHeader && name != "Cookie" && name != "X-Forwarded-Host" && name != "X-Forwarded-Proto" && ours(name) {
			t.Errorf("the job sees %s", name)
		}
	}
}

// What was let through ends when it would be no more, by a socket and by events, of HTTP/1.1 and 2, also where nobody reads.
func TestWhatIsOpenIsCut(t *testing.T) {
	ends := map[string]func(*served){
		"the right":            func(w *served) { delete(w.rights, "bob") },
		"the session":          func(w *served) { w.who.ended["session-of-bob"] = true },
		"the job stops":        func(w *served) { w.page.Job.Status.Phase = "Succeeded" },
		"another job":          func(w *served) { w.page.Job.UID = "uid-2" },
		"the job is gone":      func(w *served) { delete(w.guard.pages, "train--vision") },
		"nothing else changes": nil,
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			w := serve(t)
			cookie := w.visit(t, "bob")
			conn, _, err := w.socket(t, with(http.Header{"Origin": {"https://" + host}}, cookie))
			if err != nil {
				t.Fatal(err)
			}
			w.echo(t, conn)
			var bodies []io.ReadCloser
			for i, two := range []bool{false, true, false, true} {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+host+"/events", nil)
				if err != nil {
					t.Fatal(err)
				}
				if i > 1 {
					r.URL.RawQuery = "flood"
				}
				r.Header = with(http.Header{"Accept": {"text/event-stream"}}, cookie)
				answer, err := w.client(two).Do(r)
				if err != nil || answer.StatusCode != http.StatusOK {
					t.Fatal(err)
				}
				defer answer.Body.Close()
				if _, err := io.ReadFull(answer.Body, make([]byte, 1000)); err != nil {
					t.Fatal(err)
				}
				bodies = append(bodies, answer.Body)
			}
			if open := w.open.Count(); open != 5 {
				t.Fatalf("%d are open", open)
			}
			if end == nil {
				w.change(func() { delete(w.rights, "eve") })
				w.echo(t, conn)
				if _, err := io.ReadFull(bodies[0], make([]byte, 5000)); err != nil || w.open.Count() != 5 {
					t.Errorf("%d are open: %v", w.open.Count(), err)
				}
				return
			}
			w.change(func() { end(w) })
			eventually(t, "nothing is open", func() bool { return w.open.Count() == 0 })
			if _, _, err := conn.ReadMessage(); err == nil {
				t.Error("the socket goes on")
			}
			for i, body := range bodies {
				if _, err := io.Copy(io.Discard, body); err == nil {
					t.Errorf("stream %d ends as if it were at its end", i)
				}
			}
		})
	}
}

// Of callers unknown, a page that is public no more is cut.
func TestPublicPagesAreCut(t *testing.T) {
	w := serve(t)
	w.page.AllowsPublic, w.page.Job.Spec.HTTP.Public = true, new(true)
	conn, _, err := w.socket(t, http.Header{"Origin": {"https://elsewhere.example"}})
	if err != nil {
		t.Fatal(err)
	}
	w.echo(t, conn)
	if seen := <-w.seen; seen.Header.Get(AssertionHeader) != "" {
		t.Error("the job is told who looks")
	}
	w.change(func() { w.page.AllowsPublic = false })
	if _, _, err := conn.ReadMessage(); err == nil {
		t.Error("the socket goes on")
	}
}

func TestTheGatewayStops(t *testing.T) {
	w := serve(t)
	conn, _, err := w.socket(t, http.Header{"Authorization": {"Bearer bob"}})
	if err != nil {
		t.Fatal(err)
	}
	w.echo(t, conn)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if _, _, err := conn.ReadMessage(); err == nil {
		t.Error("the socket goes on")
	}
}

// Of a socket there is the same answer as of any request, and the job sees nothing of it.
func TestWhoOpensASocket(t *testing.T) {
	w := serve(t)
	cookie := w.visit(t, "bob")
	tests := map[string]struct {
		header http.Header
		want   int
	}{
		"a token":                 {http.Header{"Authorization": {"Bearer bob"}}, http.StatusSwitchingProtocols},
		"a cookie, of the page":   {with(http.Header{"Origin": {"https://" + host}}, cookie), http.StatusSwitchingProtocols},
		"a cookie, no origin":     {with(nil, cookie), http.StatusForbidden},
		"a cookie, elsewhere":     {with(http.Header{"Origin": {"https://evil.example"}}, cookie), http.StatusForbidden},
		"a cookie, a neighbour":   {with(http.Header{"Origin": {"https://evil--vision." + domain}}, cookie), http.StatusForbidden},
		"a cookie, the gateway":   {with(http.Header{"Origin": {gatewayURL}}, cookie), http.StatusForbidden},
		"a cookie, null":          {with(http.Header{"Origin": {"null"}}, cookie), http.StatusForbidden},
		"a cookie, two origins":   {with(http.Header{"Origin": {"https://" + host, "https://evil.example"}}, cookie), http.StatusForbidden},
		"a cookie, without TLS":   {with(http.Header{"Origin": {"http://" + host}}, cookie), http.StatusForbidden},
		"a cookie, a port":        {with(http.Header{"Origin": {"https://" + host + ":444"}}, cookie), http.StatusForbidden},
		"nobody":                  {http.Header{"Origin": {"https://" + host}}, http.StatusUnauthorized},
		"a token that is refused": {http.Header{"Authorization": {"Bearer mallory"}}, http.StatusUnauthorized},
		"who may not":             {http.Header{"Authorization": {"Bearer eve"}}, http.StatusNotFound},
	}
	reached := 0
	for name, tc := range tests {
		_, answer, err := w.socket(t, maps.Clone(tc.header))
		if answer == nil {
			t.Fatal(name, err)
		}
		if answer.StatusCode != tc.want {
			t.Errorf("%s: %d, want %d", name, answer.StatusCode, tc.want)
		}
		if tc.want == http.StatusSwitchingProtocols {
			reached++
		}
	}
	if len(w.seen) != reached {
		t.Errorf("%d requests reached the job, of %d", len(w.seen), reached)
	}
}

// What lands at the gateway without asking for more than any request does is answered all the same.
func TestAnyRequestGoesThrough(t *testing.T) {
	w := serve(t)
	large := bytes.Repeat([]byte("0123456789abcdef"), 4<<16)
	for _, two := range []bool{false, true} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+host+"//a%2fb/../c?d=%zz;e", io.MultiReader(bytes.NewReader(large)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer bob")
		r.Trailer = http.Header{"X-Soma-Assertion": {"forged"}}
		answer, err := w.client(two).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK || !bytes.Equal(body, large) {
			t.Errorf("%d, %d bytes: %v", answer.StatusCode, len(body), err)
		}
		if seen := <-w.seen; seen.Method != http.MethodPost || seen.RequestURI != "//a%2fb/../c?d=%zz;e" || len(seen.Trailer) > 0 {
			t.Errorf("%s %s %v", seen.Method, seen.RequestURI, seen.Trailer)
		}
	}
	// Other protocols than WebSockets are not begun: what is said over them nobody looks at.
	for _, upgrade := range []string{"h2c", "websocket, h2c", "TLS/1.0", "x"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+host+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"Authorization": {"Bearer bob"}, "Connection": {"Upgrade, HTTP2-Settings"}, "Upgrade": {upgrade}, "Http2-Settings": {"AAMAAABk"}}
		answer, err := w.client(false).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if seen := <-w.seen; answer.StatusCode != http.StatusOK || seen.Header.Get("Upgrade") != "" || seen.Header.Get("Http2-Settings") != "" {
			t.Errorf("%s: %d, %v", upgrade, answer.StatusCode, seen.Header)
		}
	}
}

// What is the gateway's own on a page's host is no job's, and is refused to others as the page is.
func TestTheGatewaysOwnReachesNoJob(t *testing.T) {
	w := serve(t)
	for user, want := range map[string]int{"bob": http.StatusNotFound, "eve": http.StatusNotFound, "mallory": http.StatusUnauthorized} {
		for _, path := range []string{"/.soma/", "/.soma/x", "/%2esoma/x"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+host+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+user)
			answer, err := w.client(false).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != want || len(w.seen) > 0 {
				t.Errorf("%s for %s: %d", path, user, answer.StatusCode)
			}
		}
	}
}

func TestJobsAreAtNoAddressOfTheMachine(t *testing.T) {
	for address, ok := range map[string]bool{
		"10.244.0.10:8080": true, "192.168.1.2:80": true, "[fd00::1]:80": true, "8.8.8.8:80": true,
		"127.0.0.1:80": false, "127.1.2.3:80": false, "[::1]:80": false, "0.0.0.0:80": false, "[::]:80": false, "169.254.169.254:80": false,
		"[fe80::1]:80": false, "[fe80::1%eth0]:80": false, "224.0.0.1:80": false, "[::ffff:127.0.0.1]:80": false, "[::ffff:169.254.169.254]:80": false,
		"255.255.255.255:80": false, "name:80": false,
	} {
		if err := checkAddress(address); (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	if _, err := Dialer()(t.Context(), "tcp", listener.Addr().String()); err == nil || !strings.Contains(err.Error(), "is not the address of a job") {
		t.Errorf("the machine itself is reached: %v", err)
	}
}

func BenchmarkRecheck(b *testing.B) {
	w := newWorld(b)
	for range 1000 {
		w.open.Add(&visitor{
			judged: judged{page: w.page, known: true, who: caller.Caller{User: "bob", UID: "uid-of-bob", Session: "s"}},
			label:  "train--vision", uid: "uid-1", cut: func(error) { b.Fatal("cut") },
		})
	}
	for b.Loop() {
		w.recheck()
	}
}
