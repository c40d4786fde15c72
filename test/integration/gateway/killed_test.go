package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
)

const jobs = "/kubernetes/apis/platform.soma.dev/v1alpha1/namespaces/" + project + "/jobs"

// seen are the jobs of which a watch told, in order, and the newest version that it did.
type seen struct {
	names   []string
	version string
}

// watch opens a watch from a version, and tells a function how many jobs it told of so far, until it ends.
func (w *world) watch(client *http.Client, r *http.Request, s *seen, tell func(n int)) {
	w.t.Helper()
	r.URL.RawQuery = "watch=true&resourceVersion=" + s.version
	response, err := client.Do(r)
	w.must(err)
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		w.t.Fatalf("the watch is answered %s", response.Status)
	}
	for decoder := json.NewDecoder(response.Body); ; {
		var event struct {
			Type   string
			Object metav1.PartialObjectMetadata
		}
		if decoder.Decode(&event) != nil {
			return
		}
		if event.Type != "ADDED" {
			w.t.Fatalf("the watch tells of %+v", event)
		}
		s.names, s.version = append(s.names, event.Object.Name), event.Object.ResourceVersion
		tell(len(s.names))
	}
}

// whoami is whom a gateway takes a request for.
func (w *world) whoami(client *http.Client, address string, byToken bool) string {
	w.t.Helper()
	response, err := client.Do(w.request(http.MethodGet, address, "/whoami", byToken))
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	var me struct{ User string }
	if err := json.NewDecoder(response.Body).Decode(&me); err != nil {
		return response.Status
	}
	return me.User
}

// records are how many there are of what; none before there are tables.
func (w *world) records(where string) (n int) {
	w.t.Helper()
	connection, err := pgx.Connect(w.t.Context(), w.audit)
	w.must(err)
	defer func() { _ = connection.Close(w.t.Context()) }()
	var answer *pgconn.PgError
	err = connection.QueryRow(w.t.Context(), "SELECT count(*) FROM audit.records WHERE "+where).Scan(&n)
	if !errors.As(err, &answer) || answer.Code != "42P01" {
		w.must(err)
	}
	return n
}

// One of two gateways is killed while a watch is open through it. The other takes the same cookie and the same token, and goes
// on with the watch, which misses nothing. Then it is told to end while somebody asks for something, which is recorded.
func TestOneOfTwoGatewaysIsKilled(t *testing.T) {
	w := newWorld(t)
	first := w.start(w.addresses[0])
	second := w.start(w.addresses[1])
	browser := w.browser()
	response, err := w.identity.SignIn(browser, "https://"+w.addresses[0]+"/signin/start?issuer=dex", alice)
	w.must(err)
	_ = response.Body.Close()
	for _, address := range w.addresses {
		if who := w.whoami(browser, address, false); who != alice.ID {
			t.Fatalf("at %s the cookie is %q's", address, who)
		}
		if who := w.whoami(w.browser(), address, true); who != robot {
			t.Fatalf("at %s the token is %q's", address, who)
		}
	}
	w.eventually("the API server knows who may watch", func() bool {
		response, err := browser.Do(w.request(http.MethodGet, w.addresses[0], jobs, false))
		w.must(err)
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK
	})

	w.eventually("the sign-in is recorded", func() bool { return w.records("verb = 'sign-in' AND username = 'alice' AND allowed") == 1 })

	const all, before = 60, 20
	list := &v1alpha1.JobList{}
	w.must(w.server.Client.List(t.Context(), list))
	s := &seen{version: list.ResourceVersion}
	made := make(chan error, 1)
	go func() {
		for i := range all {
			job := &v1alpha1.Job{
				ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: fmt.Sprintf("job-%d", i)}, Spec: v1alpha1.JobSpec{Image: "soma.dev/busybox:1"},
			}
			if err := w.server.Client.Create(t.Context(), job); err != nil {
				made <- err
				return
			}
		}
		made <- nil
	}()
	w.watch(browser, w.request(http.MethodGet, w.addresses[0], jobs, false), s, func(n int) {
		if n == before {
			w.must(first.Kill())
		}
	})
	if len(s.names) < before || len(s.names) >= all {
		t.Fatalf("the watch ended after %d jobs", len(s.names))
	}
	t.Logf("killed after %d of %d", len(s.names), all)
	if who := w.whoami(browser, w.addresses[0], false); who == alice.ID {
		t.Fatal("the gateway that was killed answers")
	}
	again := w.request(http.MethodGet, w.addresses[1], jobs, false)
	w.watch(browser, again, s, func(n int) {
		if n == all {
			browser.CloseIdleConnections()
			w.must(second.Terminate()) // which ends watches
		}
	})
	w.must(<-made)
	for i, name := range s.names {
		if name != fmt.Sprintf("job-%d", i) {
			t.Fatalf("the watch told of %v", s.names)
		}
	}
	if len(s.names) != all {
		t.Errorf("the watch told of %d jobs, not %d", len(s.names), all)
	}
	w.must(second.Wait())
	if n := w.records("verb = 'watch' AND username = 'alice' AND allowed"); n == 0 {
		t.Error("the watch that went on is not recorded")
	}
	w.endsWhileAsked()
}

// endsWhileAsked tells a gateway to end while a request is under way: it is answered and recorded.
func (w *world) endsWhileAsked() {
	w.t.Helper()
	address := w.addresses[1]
	gateway := w.start(address)
	const head, tail = `{"apiVersion":"platform.soma.dev/v1alpha1","kind":"Job","metadata":{"name":"last"},`, `"spec":{"image":"soma.dev/busybox:1"}}`
	body, writer := io.Pipe()
	r := w.request(http.MethodPost, address, jobs, true)
	r.Body, r.ContentLength = body, int64(len(head)+len(tail))
	r.Header.Set("Content-Type", "application/json")
	// So nothing of the body is taken before the gateway wants it.
	r.Header.Set("Expect", "100-continue")
	answered := make(chan string, 1)
	client := w.browser()
	go func() {
		response, err := client.Do(r)
		if err != nil {
			answered <- err.Error()
			return
		}
		defer response.Body.Close()
		answered <- response.Status
	}()
	_, err := io.Copy(writer, strings.NewReader(head))
	w.must(err)
	w.must(gateway.Terminate())
	w.eventually("nobody listens any more", func() bool {
		connection, err := (&net.Dialer{}).DialContext(w.t.Context(), "tcp", address)
		if err == nil {
			_ = connection.Close()
		}
		return err != nil
	})
	_, err = io.Copy(writer, strings.NewReader(tail))
	w.must(err)
	if status := <-answered; !strings.HasPrefix(status, "201") {
		w.t.Errorf("what was asked before the end is answered %s", status)
	}
	w.must(gateway.Wait())
	if n := w.records("verb = 'create' AND resource = 'jobs' AND username = 'robot' AND code = 201"); n != 1 {
		w.t.Errorf("%d jobs are recorded as made", n)
	}
}
