package pages_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// browser is a client of HTTP/2.
func (w *world) browser(p *proxy) *http.Client {
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, p.address)
		},
		TLSClientConfig: w.tls(), ForceAttemptHTTP2: true,
	}}
	w.t.Cleanup(client.CloseIdleConnections)
	return client
}

// fetch asks by a client, with alice's token, and reads all that is answered.
func (w *world) fetch(client *http.Client, method, job, path, body string) (reply, error) {
	r, err := http.NewRequestWithContext(w.t.Context(), method, "https://"+host(job)+path, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	r.Header.Set("Authorization", "Bearer "+w.tokens["alice"])
	answer, err := client.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return reply{answer.StatusCode, answer.Header, string(text)}, err
}

// What a page is made of comes through the proxy and the gateway as a job means it.
func TestPagesAreCarried(t *testing.T) {
	w := newWorld(t)
	p := startTraefik(w)
	client := w.browser(p)
	t.Run("a page of many assets", func(t *testing.T) {
		const assets = 300
		ended := make(chan error, assets)
		for range assets {
			go func() {
				answer, err := w.fetch(client, http.MethodGet, train, "/asset", "")
				if err == nil && answer.status != http.StatusOK {
					err = fmt.Errorf("an asset is answered %v", answer)
				}
				ended <- err
			}()
		}
		for range assets {
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("cookies are of the page alone", func(t *testing.T) {
		answer, err := w.fetch(client, http.MethodGet, train, "/", "")
		if got := answer.header["Set-Cookie"]; err != nil || !slices.Equal(got, []string{"theirs=1"}) {
			t.Errorf("%q: %v", got, err)
		}
	})
	t.Run("an upload, while another job does not take one", func(t *testing.T) {
		large := strings.Repeat("x", 32<<20)
		defer close(w.upstreams[train].free)
		stuck := w.browser(p)
		for range 4 {
			go func() { _, _ = w.fetch(stuck, http.MethodPut, train, "/stuck", large) }()
		}
		w.eventually("uploads are stuck", func() bool {
			w.upstreams[train].mu.Lock()
			defer w.upstreams[train].mu.Unlock()
			return strings.Count(w.upstreams[train].got.String(), "PUT /stuck") == 4
		})
		done := make(chan error, 1)
		go func() {
			answer, err := w.fetch(client, http.MethodPut, board, "/upload", large)
			if err == nil && answer.body != fmt.Sprint(len(large)) {
				err = fmt.Errorf("it is answered %v", answer)
			}
			done <- err
		}()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Error("it is held up")
		}
	})
}
