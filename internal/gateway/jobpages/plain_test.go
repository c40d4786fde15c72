package jobpages

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/soma-platform/soma/internal/gateway/caller"
)

// request is one by a token of bob.
func (w *served) request(t *testing.T, method, path string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "https://"+host+path, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer bob")
	return r
}

func (w *served) do(t *testing.T, client *http.Client, r *http.Request) *http.Response {
	t.Helper()
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	return answer
}

// both runs a test by HTTP/1.1 and by HTTP/2.
func both(t *testing.T, test func(t *testing.T, two bool)) {
	for name, two := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) { test(t, two) })
	}
}

// An answer that nobody said would stay open ends with the right all the same, whether it is read or not, and so does an upload.
func TestPlainRequestsAreCut(t *testing.T) {
	both(t, func(t *testing.T, two bool) {
		w := serveJob(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				_, _ = io.Copy(io.Discard, r.Body)
				return
			}
			endless(rw, r)
		}))
		client := w.client(two)
		var bodies []io.Reader
		for _, path := range []string{"/", "/?flood"} {
			answer := w.do(t, client, w.request(t, http.MethodGet, path, nil))
			if _, err := io.ReadFull(answer.Body, make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
			bodies = append(bodies, answer.Body)
		}
		in, out := io.Pipe()
		uploaded := make(chan int, 1)
		go func() {
			answer, err := client.Do(w.request(t, http.MethodPut, "/", in))
			if err != nil {
				uploaded <- 0
				return
			}
			answer.Body.Close()
			uploaded <- answer.StatusCode
		}()
		if _, err := io.WriteString(out, "it begins"); err != nil {
			t.Fatal(err)
		}
		eventually(t, "three requests are under way", func() bool { return len(w.open.Of("bob")) == 3 })
		w.change(func() { delete(w.rights, "bob") })
		eventually(t, "none is under way", func() bool { return len(w.open.Of("bob")) == 0 })
		for i, body := range bodies {
			if _, err := io.Copy(io.Discard, body); err == nil {
				t.Errorf("answer %d ends as if it were at its end", i)
			}
		}
		_ = out.Close()
		if code := <-uploaded; code == http.StatusOK {
			t.Error("the upload was taken")
		}
	})
}

// Of what a job answers, browsers take nothing that counts beyond its page.
func TestWhatAnswersMayNotSay(t *testing.T) {
	kept := []string{
		"theirs=1", "theirs=1; Path=/; Secure; HttpOnly", "json={\"a\": 1}; Max-Age=5", "domain=x", "a=domain=b", "odd name=ü; SameSite=None", "theirs=1; domains=x", "; a=b", "",
	}
	dropped := []string{
		"a=b; Domain=jobs.example.org", "a=b; domain=.example.org", "a=b;DOMAIN=example.org; Path=/", "a=b; Domain", "a=b; Domain=", "a=b; \tDomain \t= example.org", "a=b; Path=/; Domain=[::1]", "json={\"a\": 1}; Domain=x",
		"=; Domain=x", "__Host-soma=x; Path=/; Secure", "__Host-soma-page=x", "__HOST-SOMA-page-sign-in=x", " __Host-soma-page =x", "=__Host-soma-page=x", "__Host-soma-page", "a=__Host-soma-page=x",
	}
	w := serveJob(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		h := rw.Header()
		h["Set-Cookie"] = slices.Concat(kept, dropped, kept)
		for _, name := range beyond {
			h.Set(name, "x")
		}
		h["X-Odd"], h["Date"], h["Content-Type"] = []string{"1", "2"}, nil, nil
		h.Set("Content-Security-Policy", "default-src 'self'")
		if r.URL.Path == "/hints" {
			rw.WriteHeader(http.StatusEarlyHints)
		}
		if r.URL.Path == "/socket" {
			conn, _, err := http.NewResponseController(rw).Hijack()
			if err != nil {
				return
			}
			defer func() { _ = conn.Close() }()
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-Websocket-Accept: "+
				"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSet-Cookie: a=b; Domain=x\r\nSet-Cookie: theirs=1\r\n\r\n")
			return
		}
		rw.WriteHeader(http.StatusOK)
		_, _ = io.WriteString(rw, "<html>")
	}))
	check := func(t *testing.T, header http.Header) {
		t.Helper()
		if got := header["Set-Cookie"]; !slices.Equal(got, slices.Concat(kept, kept)) {
			t.Errorf("cookies: %q", got)
		}
		for _, name := range beyond {
			if header.Get(name) != "" {
				t.Errorf("%s passes", name)
			}
		}
	}
	both(t, func(t *testing.T, two bool) {
		r := w.request(t, http.MethodGet, "/hints", nil)
		hinted := make(chan http.Header, 1)
		r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{Got1xxResponse: func(_ int, header textproto.MIMEHeader) error {
			hinted <- http.Header(header).Clone()
			return nil
		}}))
		answer := w.do(t, w.client(two), r)
		check(t, <-hinted)
		check(t, answer.Header)
		if got := answer.Header; len(got["Content-Type"]) > 0 || got.Get("Content-Security-Policy") != "default-src 'self'" || !slices.Equal(got["X-Odd"], []string{"1", "2"}) {
			t.Errorf("the answer is another: %v", got)
		}
	})
	r := w.request(t, http.MethodGet, "/socket", nil)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	if answer := w.do(t, w.client(false), r); answer.StatusCode != http.StatusSwitchingProtocols || !slices.Equal(answer.Header["Set-Cookie"], []string{"theirs=1"}) {
		t.Errorf("what upgrades: %d, %v", answer.StatusCode, answer.Header)
	}
}

// A page with hundreds of assets is loaded at once.
func TestAPageOfManyAssets(t *testing.T) {
	const assets = 300
	both(t, func(t *testing.T, two bool) {
		var all sync.WaitGroup
		all.Add(assets)
		// None is answered before all were asked for.
		w := serveJob(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			all.Done()
			all.Wait()
			_, _ = io.WriteString(rw, r.URL.Path)
		}))
		client := w.client(two)
		answers := make(chan error, assets)
		for i := range assets {
			go func() {
				path := fmt.Sprintf("/asset/%d", i)
				answer, err := client.Do(w.request(t, http.MethodGet, path, nil))
				if err != nil {
					answers <- err
					return
				}
				defer answer.Body.Close()
				body, err := io.ReadAll(answer.Body)
				if err == nil && string(body) != path {
					err = fmt.Errorf("%s is %d %q", path, answer.StatusCode, body)
				}
				answers <- err
			}()
		}
		for range assets {
			if err := <-answers; err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestTooMuchIsUnderWay(t *testing.T) {
	w := serve(t)
	with := func(header http.Header, n int) {
		t.Helper()
		for range n {
			one := judged{who: caller.Caller{User: "bob"}, known: true, page: w.page, request: asked{header: header}}
			if !w.open.Add(&visitor{judged: one, cut: func(error) {}}) {
				t.Fatal("it is refused before the bound")
			}
		}
	}
	stream := http.Header{"Accept": {"text/event-stream"}}
	// As many requests as may be leave room for streams, and the other way round.
	with(nil, maxRequests-1)
	with(stream, maxStreams-1)
	for i, want := range []int{http.StatusOK, http.StatusTooManyRequests} {
		if answer := w.do(t, w.client(true), w.request(t, http.MethodGet, "/", nil)); answer.StatusCode != want || want != http.StatusOK && answer.Header.Get("Retry-After") == "" {
			t.Errorf("request: %d, want %d", answer.StatusCode, want)
		}
		if _, answer, _ := w.socket(t, http.Header{"Authorization": {"Bearer bob"}}); want == http.StatusOK && answer.StatusCode != http.StatusSwitchingProtocols || want != http.StatusOK && answer.StatusCode != want {
			t.Errorf("stream: %d, want %d", answer.StatusCode, want)
		}
		if i == 0 {
			with(nil, 1)
		}
	}
	w.guard.Lock()
	w.rights["eve"] = w.rights["bob"]
	w.guard.Unlock()
	if _, _, err := w.socket(t, http.Header{"Authorization": {"Bearer eve"}}); err != nil {
		t.Errorf("somebody else: %v", err)
	}
}

// Large bodies go through as they come, in both directions at the same time, with what follows an answer.
func TestLargeBodies(t *testing.T) {
	const size = 16 << 20
	w := serveJob(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		n, err := io.Copy(sum, r.Body)
		if err != nil {
			return
		}
		rw.Header().Set("Trailer", "X-Sum")
		_, _ = fmt.Fprintf(rw, "%d of %d", n, r.ContentLength)
		rw.Header().Set("X-Sum", fmt.Sprintf("%x", sum.Sum(nil)))
	}))
	large := make([]byte, size)
	_, _ = rand.Read(large)
	want := fmt.Sprintf("%x", sha256.Sum256(large))
	both(t, func(t *testing.T, two bool) {
		answer := w.do(t, w.client(two), w.request(t, http.MethodPut, "/", bytes.NewReader(large)))
		body, err := io.ReadAll(answer.Body)
		if err != nil || string(body) != fmt.Sprintf("%d of %d", size, size) || answer.Trailer.Get("X-Sum") != want {
			t.Errorf("%q, %v: %v", body, answer.Trailer, err)
		}
	})
}

// What browsers and programs do with files: parts of them, their size alone, packed ones as they are.
func TestFiles(t *testing.T) {
	file := bytes.Repeat([]byte("0123456789"), 1000)
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, _ = zip.Write(file)
	_ = zip.Close()
	w := serveJob(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			rw.Header().Set("Content-Encoding", "gzip")
			_, _ = rw.Write(packed.Bytes())
			return
		}
		rw.Header().Set("Etag", `"1"`)
		http.ServeContent(rw, r, "file.bin", noon, bytes.NewReader(file))
	}))
	both(t, func(t *testing.T, two bool) {
		client := w.client(two)
		ask := func(method string, header http.Header) (*http.Response, []byte) {
			t.Helper()
			r := w.request(t, method, "/", nil)
			r.Header.Set("Accept-Encoding", "identity")
			for name, values := range header {
				r.Header[name] = values
			}
			answer := w.do(t, client, r)
			body, err := io.ReadAll(answer.Body)
			if err != nil {
				t.Fatal(err)
			}
			return answer, body
		}
		if answer, body := ask(http.MethodGet, http.Header{"Range": {"bytes=10-14"}}); answer.StatusCode != http.StatusPartialContent || string(body) != "01234" || answer.Header.Get("Content-Range") != "bytes 10-14/10000" {
			t.Errorf("a part: %d %q %v", answer.StatusCode, body, answer.Header)
		}
		if answer, body := ask(http.MethodHead, nil); answer.ContentLength != int64(len(file)) || len(body) > 0 {
			t.Errorf("its size: %d %q", answer.ContentLength, body)
		}
		if answer, body := ask(http.MethodGet, http.Header{"If-None-Match": {`"1"`}}); answer.StatusCode != http.StatusNotModified || len(body) > 0 {
			t.Errorf("what did not change: %d %q", answer.StatusCode, body)
		}
		if answer, body := ask(http.MethodGet, http.Header{"Accept-Encoding": {"gzip"}}); !bytes.Equal(body, packed.Bytes()) || answer.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("packed: %v, %d bytes", answer.Header, len(body))
		}
	})
}

// A job that takes nothing of what it is sent does not hold it for ever.
func TestAJobThatTakesNothing(t *testing.T) {
	here, there := net.Pipe()
	defer func() { _ = there.Close() }()
	if n, err := (taken{here, time.Millisecond}).Write([]byte("hello")); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d bytes: %v", n, err)
	}
}

// Who asks before they send a large body is told by the job, and sends nothing that it does not want.
func TestAskingBeforeABody(t *testing.T) {
	w := serveJob(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/no" {
			http.Error(rw, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		_, _ = io.Copy(rw, r.Body)
	}))
	for path, want := range map[string]string{"/yes": "HTTP/1.1 100 Continue", "/no": "HTTP/1.1 413 Request Entity Too Large"} {
		transport := w.client(false).Transport.(*http.Transport)
		conn, err := transport.DialContext(t.Context(), "tcp", "")
		if err != nil {
			t.Fatal(err)
		}
		secure := w.secure(conn)
		defer func() { _ = secure.Close() }()
		_, _ = fmt.Fprintf(secure, "PUT %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer bob\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", path, host)
		answer := bufio.NewReader(secure)
		line, err := answer.ReadString('\n')
		if err != nil || strings.TrimSpace(line) != want {
			t.Fatalf("%s: %q, %v", path, line, err)
		}
		if path != "/yes" {
			continue
		}
		_, _ = io.WriteString(secure, "hello")
		if _, err := answer.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		got, err := http.ReadResponse(answer, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(got.Body); err != nil || string(body) != "hello" {
			t.Errorf("%q: %v", body, err)
		}
	}
}

// What a job writes is there before it has ended.
func TestAnswersAreNotHeldBack(t *testing.T) {
	goOn := make(chan struct{})
	w := serveJob(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(rw, "first")
		_ = http.NewResponseController(rw).Flush()
		select {
		case <-goOn:
			_, _ = io.WriteString(rw, "second")
		case <-r.Context().Done():
		}
	}))
	both(t, func(t *testing.T, two bool) {
		answer := w.do(t, w.client(two), w.request(t, http.MethodGet, "/", nil))
		if _, err := io.ReadFull(answer.Body, make([]byte, len("first"))); err != nil {
			t.Fatal(err)
		}
		goOn <- struct{}{}
		if rest, err := io.ReadAll(answer.Body); err != nil || string(rest) != "second" {
			t.Errorf("%q: %v", rest, err)
		}
	})
}

// A job that started a moment ago does not listen yet; one that listens and does not answer is told from it.
func TestAJobThatDoesNotAnswer(t *testing.T) {
	w := serveJob(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	ask := func(header http.Header, method string) (*http.Response, string) {
		t.Helper()
		r := w.request(t, method, "/", nil)
		r.Header = header.Clone()
		answer := w.do(t, w.client(true), r)
		body, err := io.ReadAll(answer.Body)
		if err != nil || answer.Header.Get("Retry-After") != "5" {
			t.Errorf("%v: %v", answer.Header, err)
		}
		return answer, string(body)
	}
	page, program := with(browser, w.visit(t, "bob")), http.Header{"Authorization": {"Bearer bob"}}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		if answer, said := ask(program, method); answer.StatusCode != http.StatusBadGateway || !strings.Contains(said, `"message":"The job runs, but does not answer."`) {
			t.Errorf("%s: %d %s", method, answer.StatusCode, said)
		}
	}
	w.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("connection refused") }
	if answer, said := ask(page, http.MethodGet); answer.StatusCode != http.StatusServiceUnavailable || !strings.Contains(said, "<title>The page is not there yet</title>") || !strings.Contains(said, `http-equiv="refresh" content="5"`) {
		t.Errorf("%d %s", answer.StatusCode, said)
	}
	if answer, said := ask(program, http.MethodPost); answer.StatusCode != http.StatusServiceUnavailable || !strings.Contains(said, `{"message":"The job runs`) {
		t.Errorf("%d %s", answer.StatusCode, said)
	}
}

// A gateway that stops lets a download come to its end.
func TestDownloadsOutliveStopping(t *testing.T) {
	end := make(chan struct{})
	w := serveJob(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(rw, "first")
		_ = http.NewResponseController(rw).Flush()
		select {
		case <-end:
			_, _ = io.WriteString(rw, "second")
		case <-r.Context().Done():
		}
	}))
	answer := w.do(t, w.client(true), w.request(t, http.MethodGet, "/", nil))
	if _, err := io.ReadFull(answer.Body, make([]byte, len("first"))); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Run(ctx); err != nil {
		t.Fatal(err)
	}
	close(end)
	if rest, err := io.ReadAll(answer.Body); err != nil || string(rest) != "second" {
		t.Errorf("%q: %v", rest, err)
	}
}

// BenchmarkThrough is a small page, by one connection to the gateway after the other's answer.
func BenchmarkThrough(b *testing.B) {
	w := serveJob(b, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, "ok") }))
	go func() {
		for range w.seen { //nolint:revive // nobody looks
		}
	}()
	client := w.client(false)
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "https://"+host+"/", nil)
		if err != nil {
			b.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer bob")
		answer, err := client.Do(r)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
}
