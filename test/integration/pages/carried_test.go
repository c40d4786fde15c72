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

// browser is a client of HTTP/2, with alice's token.
func (w *world) browser(p *proxy) func(method, job, path string, body io.Reader) (*http.Response, error) {
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, p.address)
		},
		TLSClientConfig: w.tls(), ForceAttemptHTTP2: true,
	}}
	w.t.Cleanup(client.CloseIdleConnections)
	return func(method, job, path string, body io.Reader) (*http.Response, error) {
		r, err := http.NewRequestWithContext(w.t.Context(), method, "https://"+host(job)+path, body)
		if err != nil {
			return nil, err
		}
		r.Header.Set("Authorization", "Bearer "+w.tokens["alice"])
		return client.Do(r)
	}
}

// What a page is made of comes through the proxy and the gateway as a job means it.
func TestPagesAreCarried(t *testing.T) {
	w := newWorld(t)
	p := startTraefik(w)
	ask := w.browser(p)
	t.Run("a page of many assets", func(t *testing.T) {
		const assets = 300
		ended := make(chan error, assets)
		for range assets {
			go func() {
				answer, err := ask(http.MethodGet, train, "/asset", nil)
				if err == nil {
					defer answer.Body.Close()
					if answer.StatusCode != http.StatusOK {
						err = fmt.Errorf("an asset is answered %d", answer.StatusCode)
					}
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
		answer, err := ask(http.MethodGet, train, "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if got := answer.Header["Set-Cookie"]; !slices.Equal(got, []string{"theirs=1"}) {
			t.Errorf("%q", got)
		}
	})
	t.Run("an upload, while another job does not take one", func(t *testing.T) {
		const size = 32 << 20
		defer close(w.upstreams[train].free)
		stuck := w.browser(p)
		for range 4 {
			go func() {
				answer, err := stuck(http.MethodPut, train, "/stuck", strings.NewReader(strings.Repeat("x", size)))
				if err == nil {
					answer.Body.Close()
				}
			}()
		}
		w.eventually("uploads are stuck", func() bool {
			w.upstreams[train].mu.Lock()
			defer w.upstreams[train].mu.Unlock()
			return strings.Count(w.upstreams[train].got.String(), "PUT /stuck") == 4
		})
		done := make(chan string, 1)
		go func() {
			answer, err := ask(http.MethodPut, board, "/upload", strings.NewReader(strings.Repeat("x", size)))
			if err != nil {
				done <- err.Error()
				return
			}
			defer answer.Body.Close()
			body, _ := io.ReadAll(answer.Body)
			done <- string(body)
		}()
		select {
		case said := <-done:
			if said != fmt.Sprint(size) {
				t.Error(said)
			}
		case <-time.After(patience):
			t.Error("it is held up")
		}
	})
}
