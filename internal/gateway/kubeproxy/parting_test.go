package kubeproxy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
)

// Whoever watches is told why that ends, in the words of Kubernetes.
func TestAWatchThatIsCutSaysWhy(t *testing.T) {
	w := newWorld(t, "parting")
	project, alice, bob := w.project("vision"), w.user("alice"), w.user("bob")
	grants := w.writer(project, alice)
	w.writer(project, bob)
	w.job(project, "train")
	w.compile(writes(project, alice, bob))

	var said bytes.Buffer
	kubectl := w.kubectl(alice, "get", "sjob", "-n", project, "--watch")
	kubectl.Stderr = &said
	out, err := kubectl.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := kubectl.Start(); err != nil {
		t.Fatal(err)
	}
	shown := bufio.NewReader(out)
	for range 2 {
		if line, err := shown.ReadString('\n'); err != nil {
			t.Fatalf("%q, %v: %s", line, err, said.String())
		}
	}
	refused := w.follows(alice, project)
	events := w.events(w.request(http.MethodGet, alice, jobsPath+project+"/jobs?watch=1", nil))
	w.next(events, "ADDED train")
	session := w.events(w.request(http.MethodGet, bob, jobsPath+project+"/jobs?watch=1", nil))
	w.next(session, "ADDED train")
	w.eventually("all watch", func() bool { return w.proxy.streams.Count() == 4 })

	for _, grant := range grants {
		w.remove(grant)
	}
	w.next(events, "ERROR Forbidden")
	w.compile(func(tree func(string) *access.Tree) bool {
		return tree(alice).Most(access.In(access.Job, access.Home, "", project)) == access.None
	})
	w.proxy.recheck(t.Context(), w.proxy.streams.Of())
	rest, err := io.ReadAll(shown)
	_ = kubectl.Wait()
	if words := string(rest) + said.String(); err != nil || strings.Contains(words, "decode") || !strings.Contains(words, "is no longer") {
		t.Errorf("kubectl says %q, %v", words, err)
	}
	w.within("an informer lists anew", patience, refused)
	w.signIn.end(bob)
	w.next(session, "ERROR Forbidden")
}

// cutAfter is the body of a watch that is cut once all of it was read.
type cutAfter struct {
	io.Reader
	cut func()
}

// Read reads on.
func (c cutAfter) Read(into []byte) (int, error) {
	n, err := c.Reader.Read(into)
	if err != nil {
		c.cut()
		err = context.Canceled
	}
	return n, err
}

// Close does nothing.
func (cutAfter) Close() error { return nil }

func TestTheLastEventComesBetweenTwo(t *testing.T) {
	const event = `{"type":"ADDED"}` + "\n"
	tests := map[string]struct {
		body  string
		cause error
		last  string
		err   error
	}{
		"revoked":          {event, errRevoked, `"code":403`, nil},
		"before the first": {"", errRevoked, `"code":403`, nil},
		"expired":          {event, errExpired, `"code":401`, nil},
		"changed":          {event, errChanged, `"code":410`, nil},
		"the gateway ends": {event, errStopping, "", nil},
		"within an event":  {event + `{"type"`, errRevoked, "", context.Canceled},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			read, err := io.ReadAll(&parted{ReadCloser: cutAfter{strings.NewReader(test.body), func() { cancel(test.cause) }}, context: ctx})
			last, whole := strings.CutPrefix(string(read), test.body)
			if !whole || !errors.Is(err, test.err) || !strings.Contains(last, test.last) || (last == "") != (test.last == "") {
				t.Errorf("read %q, %v", read, err)
			}
		})
	}
}

// follows has an informer follow the jobs of a project, and tells when it is refused what it follows.
func (w *world) follows(user, project string) <-chan struct{} {
	w.t.Helper()
	client, err := dynamic.NewForConfigAndClient(&rest.Config{Host: w.front.URL + "/kube"}, &http.Client{Transport: bearer{user, w.client().Transport}})
	if err != nil {
		w.t.Fatal(err)
	}
	informer := dynamicinformer.NewFilteredDynamicInformer(client, v1alpha1.GroupVersion.WithResource("jobs"), project, 0, cache.Indexers{}, nil).Informer()
	refused := make(chan struct{})
	var once sync.Once
	if err := informer.SetWatchErrorHandler(func(_ *cache.Reflector, err error) {
		if apierrors.IsForbidden(err) {
			once.Do(func() { close(refused) })
		}
	}); err != nil {
		w.t.Fatal(err)
	}
	done := make(chan struct{})
	ctx, stop := context.WithCancel(w.t.Context())
	go func() {
		defer close(done)
		informer.Run(ctx.Done())
	}()
	w.t.Cleanup(func() { stop(); <-done })
	w.eventually("the informer knows the jobs", informer.HasSynced)
	return refused
}

// bearer comes with a token.
type bearer struct {
	token string
	next  http.RoundTripper
}

// RoundTrip does one request.
func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return b.next.RoundTrip(r)
}
