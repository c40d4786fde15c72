package faultproxy

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
)

// backend takes down what reaches it, and tells of itself in ten lines where it is watched.
type backend struct {
	mutex sync.Mutex
	got   []string
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mutex.Lock()
	b.got = append(b.got, r.Method+" "+r.URL.RequestURI())
	b.mutex.Unlock()
	if r.URL.Query().Get("watch") == "" {
		_, _ = io.WriteString(w, "done")
		return
	}
	for i := range 10 {
		_, _ = fmt.Fprintln(w, i)
		_ = http.NewResponseController(w).Flush()
		time.Sleep(time.Millisecond) // so that the lines are pieces of their own
	}
}

func (b *backend) all() []string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return slices.Clone(b.got)
}

func start(t *testing.T) (*Proxy, *backend) {
	t.Helper()
	b := &backend{}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	p, err := Start(&rest.Config{Host: server.URL}, clientgoscheme.Scheme)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p, b
}

func (p *Proxy) do(t *testing.T, method, path, body string) (string, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, p.address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultTransport.RoundTrip(request) // which does not try again by itself
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d", response.StatusCode)
	}
	return string(answer), err
}

const (
	status = "/apis/platform.soma.dev/v1alpha1/namespaces/lab/jobs/train/status"
	pods   = "/api/v1/namespaces/lab/pods"
	pod    = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"train-0a1b2c3d-1-0"}}`
)

func TestWritesAreNamedAlikeInEveryRun(t *testing.T) {
	p, _ := start(t)
	for _, r := range []struct{ method, path, body string }{
		{"PATCH", status, "{}"}, {"POST", pods, pod}, {"PATCH", status, "{}"}, {"DELETE", pods + "/train-99999999-1-0", ""},
		{"PUT", "/apis/coordination.k8s.io/v1/namespaces/soma-system/leases/soma-manager", "{}"}, {"GET", pods, ""},
		{"POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", "{}"},
	} {
		if _, err := p.do(t, r.method, r.path, r.body); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, w := range p.Writes() {
		got = append(got, w.String())
	}
	want := []string{
		"write 1: patch jobs/status lab/train#1", "write 2: create pods lab/train-UID-1-0#1",
		"write 3: patch jobs/status lab/train#2", "write 4: delete pods lab/train-UID-1-0#1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAManagerEndsAtItsWrite(t *testing.T) {
	for _, tc := range []struct {
		fault             string
		applied, answered int
	}{
		{"kind=before,write=2", 1, 1},
		{"kind=after-applied,write=2", 2, 1},
		{"kind=after,at=patch jobs/status lab/train#2", 2, 2},
	} {
		t.Run(tc.fault, func(t *testing.T) {
			p, b := start(t)
			fault, err := ParseFault(tc.fault)
			if err != nil {
				t.Fatal(err)
			}
			if fault.String() != tc.fault {
				t.Errorf("it is told as %s", fault)
			}
			var killed atomic.Bool
			p.Arm(fault, func() { killed.Store(true) })
			answered := 0
			for range 4 {
				if answer, err := p.do(t, "PATCH", status, "{}"); err == nil && answer == "done" {
					answered++
				}
			}
			if answered != tc.answered || len(b.all()) != tc.applied || len(p.Applied()) != tc.applied {
				t.Errorf("%d were answered, %d arrived; want %d and %d", answered, len(b.all()), tc.answered, tc.applied)
			}
			if !killed.Load() || !p.Met() || !p.Dead() {
				t.Error("the manager lives")
			}
		})
	}
}

func TestFaultsThatAreNone(t *testing.T) {
	for _, text := range []string{"", "kind=before", "kind=never,write=1", "kind=after,write=0", "kind=after,write=1,at=x#1", "write=1", "what=1"} {
		if _, err := ParseFault(text); err == nil {
			t.Errorf("%q is taken for a fault", text)
		}
	}
}

func TestAHeldWriteArrivesThoughItsManagerIsGone(t *testing.T) {
	p, b := start(t)
	hold := p.Hold(1, func(w Write) bool { return w.Verb() == "patch" }, nil)
	lost := make(chan error, 1)
	go func() {
		_, err := p.do(t, "PATCH", status, "{}")
		lost <- err
	}()
	eventually(t, func() bool { return len(hold.Held()) == 1 })
	p.Cut()
	if err := <-lost; err == nil {
		t.Error("a manager that is cut off has an answer")
	}
	if n := len(b.all()); n != 0 {
		t.Fatalf("%d writes arrived", n)
	}
	hold.Release()
	eventually(t, func() bool { return hold.Arrived() && len(b.all()) == 1 })
}

func TestAFlawSpoilsWritesAndLeavesTheManagerAlive(t *testing.T) {
	p, b := start(t)
	p.SetFlaw(&Flaw{Chance: 0.5, Random: rand.New(rand.NewPCG(1, 2))})
	const tries = 100
	answered := 0
	for range tries {
		if answer, err := p.do(t, "PATCH", status, "{}"); err == nil && answer == "done" {
			answered++
		}
	}
	if arrived := len(b.all()); answered == 0 || answered >= arrived || arrived >= tries {
		t.Errorf("%d of %d were answered, %d arrived", answered, tries, arrived)
	}
	p.SetFlaw(nil)
	if _, err := p.do(t, "PATCH", status, "{}"); err != nil {
		t.Error(err)
	}
}

func TestAnAPIServerThatIsBehind(t *testing.T) {
	p, b := start(t)
	past := p.ServePast(7, "pods")
	fresh := []string{"GET " + pods + "?limit=5", "GET " + strings.TrimSuffix(pods, "pods") + "secrets?resourceVersion=0"}
	for _, list := range append([]string{"GET " + pods + "?limit=5&resourceVersion=0"}, fresh...) {
		method, address, _ := strings.Cut(list, " ")
		if _, err := p.do(t, method, address, ""); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.do(t, "GET", pods+"?watch=true&sendInitialEvents=true", ""); err == nil {
		t.Error("a list that comes as a watch is served")
	}
	watched := make(chan string, 1)
	go func() {
		answer, _ := p.do(t, "GET", pods+"?watch=true&resourceVersion=7", "")
		watched <- answer
	}()
	if want := append([]string{"GET " + pods + "?limit=5&resourceVersion=7&resourceVersionMatch=Exact"}, fresh...); !slices.Equal(b.all(), want) {
		t.Errorf("got %q, want %q", b.all(), want)
	}
	past.CatchUp()
	if answer := <-watched; !strings.Contains(answer, "9") {
		t.Errorf("the watch told %q", answer)
	}
	if past.Lists() != 1 {
		t.Errorf("%d lists of the past", past.Lists())
	}
}

func TestWatchesEndEarly(t *testing.T) {
	p, _ := start(t)
	cuts := &Cuts{Most: 3, Random: rand.New(rand.NewPCG(1, 2))}
	p.CutWatches(cuts)
	answer, err := p.do(t, "GET", pods+"?watch=true", "")
	if err == nil || strings.Contains(answer, "9") || cuts.Made() != 1 {
		t.Errorf("got %q, %v, with %d cuts", answer, err, cuts.Made())
	}
}

func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), time.Millisecond, 10*time.Second, true, func(context.Context) (bool, error) { return condition(), nil })
	if err != nil {
		t.Fatal("it does not happen")
	}
}
