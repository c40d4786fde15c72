package kubeproxy

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/gateway/audit"
)

const jobsPath = "/apis/platform.soma.dev/v1alpha1/namespaces/"

// work is a world with a project in which one may work and another may not.
func work(t *testing.T, prefix string) (w *world, project, alice, bob string) {
	t.Helper()
	w = newWorld(t, prefix)
	project, alice, bob = w.project("vision"), w.user("alice"), w.user("bob")
	w.writer(project, alice)
	w.compile(writes(project, alice))
	return w, project, alice, bob
}

const review = `{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}`

// whoami is who the API server sees.
func (w *world) whoami(r *http.Request) authenticationv1.SelfSubjectReview {
	w.t.Helper()
	r.Header.Set("Content-Type", "application/json")
	code, body := w.do(r)
	var answer authenticationv1.SelfSubjectReview
	if err := json.Unmarshal(body, &answer); code != http.StatusCreated || err != nil {
		w.t.Fatalf("the API server was asked who asks, and answered %d %s", code, body)
	}
	return answer
}

func (w *world) selfReview(user string) *http.Request {
	return w.request(http.MethodPost, user, "/apis/authentication.k8s.io/v1/selfsubjectreviews", strings.NewReader(review))
}

func TestTheAPIServerSeesTheUser(t *testing.T) {
	w := newWorld(t, "sees")
	alice := w.user("alice")
	info := w.whoami(w.selfReview(alice)).Status.UserInfo
	if info.Username != "soma:"+alice || !slices.Equal(info.Groups, []string{"soma:users", "system:authenticated"}) || len(info.Extra) > 0 {
		t.Errorf("the API server sees %+v", info)
	}
	if code, _ := w.get("", "/version"); code != http.StatusUnauthorized {
		t.Errorf("who is nobody is answered %d", code)
	}
}

func TestKubectl(t *testing.T) {
	w, project, alice, bob := work(t, "kubectl")
	manifest := "apiVersion: platform.soma.dev/v1alpha1\nkind: Job\nmetadata: {name: train, namespace: " + project + "}\nspec: {image: 'soma.dev/busybox:1'}\n"
	create := w.kubectl(alice, "create", "-f", "-")
	create.Stdin = strings.NewReader(manifest)
	if out, err := create.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := w.kubectl(alice, "get", "sjob", "-n", project).CombinedOutput(); err != nil || !strings.Contains(string(out), "train") {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := w.kubectl(bob, "get", "sjob", "-n", project).CombinedOutput(); err == nil || !strings.Contains(string(out), "Forbidden") {
		t.Errorf("who may see none lists %s", out)
	}
	if out, err := w.kubectl(bob, "get", "sjob", "train", "-n", project).CombinedOutput(); err == nil || !strings.Contains(string(out), "NotFound") {
		t.Errorf("who may not see it gets %s", out)
	}

	if out, err := w.kubectl(alice, "get", "sjob", "-n", project, "--as", bob).CombinedOutput(); err == nil || !strings.Contains(string(out), "takes nobody for somebody else") {
		t.Errorf("get as somebody else: %v: %s", err, out)
	}
	watch := w.kubectl(alice, "get", "sjob", "-n", project, "--watch", "-o", "name")
	out, err := watch.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	expect := func(want string) {
		t.Helper()
		if !lines.Scan() || !strings.Contains(lines.Text(), want) {
			t.Fatalf("the watch shows %q, not %s", lines.Text(), want)
		}
	}
	expect("train")
	w.job(project, "second")
	expect("second")
	_ = watch.Process.Kill()
	_ = watch.Wait()

	if out, err := w.kubectl(alice, "delete", "sjob", "train", "-n", project, "--wait=false").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// stream begins a request that lasts, and returns a channel that is closed when it ends.
func (w *world) stream(r *http.Request) (first string, ended <-chan struct{}) {
	w.t.Helper()
	response, err := w.client().Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(response.Body)
		w.t.Fatalf("%s: %d %s", r.URL, response.StatusCode, body)
	}
	reader := bufio.NewReader(response.Body)
	first, err = reader.ReadString('\n')
	if err != nil {
		w.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(io.Discard, reader)
	}()
	return first, done
}

func (w *world) within(what string, limit time.Duration, ended <-chan struct{}) {
	w.t.Helper()
	began := time.Now()
	select {
	case <-ended:
		w.t.Logf("%s: ended after %s", what, time.Since(began).Round(time.Millisecond))
	case <-time.After(limit):
		w.t.Errorf("%s: still open after %s", what, limit)
	}
}

func TestRevocationEndsWatches(t *testing.T) {
	w := newWorld(t, "revoke")
	project, alice, bob := w.project("vision"), w.user("alice"), w.user("bob")
	grants := w.writer(project, alice)
	w.writer(project, bob)
	w.job(project, "train")
	w.compile(writes(project, alice, bob))

	path := jobsPath + project + "/jobs?watch=true"
	_, revoked := w.stream(w.request(http.MethodGet, alice, path, nil))
	_, session := w.stream(w.request(http.MethodGet, bob, path, nil))
	for _, grant := range grants {
		w.remove(grant)
	}
	w.within("the grant is gone", 5*time.Second, revoked)
	w.eventually("the cut is recorded", func() bool {
		return len(w.audit.Find(func(r audit.Record) bool { return r.User == alice && r.Reason == string(ReasonRevoked) })) == 1
	})
	w.signIn.end(bob)
	w.within("the session has ended", recheckInterval+2*time.Second, session)
	if code, _ := w.get(bob, path); code != http.StatusUnauthorized {
		t.Errorf("a session that has ended is answered %d", code)
	}
}

func TestDisabledUsersAndEndedSessionsLoseTheirWatches(t *testing.T) {
	w, project, alice, bob := work(t, "disabled")
	w.writer(project, bob)
	w.job(project, "train")
	w.compile(writes(project, alice, bob))
	path := jobsPath + project + "/jobs?watch=true"
	_, disabled := w.stream(w.request(http.MethodGet, alice, path, nil))
	w.signIn.mu.Lock()
	lasting := bob + ":token"
	w.signIn.until[bob], w.signIn.until[lasting] = time.Now().Add(2*time.Second), time.Now().Add(2*time.Second)
	w.signIn.lasts[lasting] = time.Now().Add(time.Hour)
	w.signIn.mu.Unlock()
	_, lasts := w.stream(w.request(http.MethodGet, lasting, path, nil))
	_, expired := w.stream(w.request(http.MethodGet, bob, path, nil))
	user := &v1alpha1.User{}
	user.Name = alice
	if err := server.Client.Patch(t.Context(), user, clientMerge(`{"spec":{"disabled":true}}`)); err != nil {
		t.Fatal(err)
	}
	w.within("the user is disabled", 5*time.Second, disabled)
	w.within("the session has expired", recheckInterval+4*time.Second, expired)
	select {
	case <-lasts:
		t.Error("a stream ends with the token by which it was opened, and not with the sign-in")
	default:
	}
}

func TestRightsThatSomaDoesNotKnowAreAskedOfTheAPIServer(t *testing.T) {
	w := newWorld(t, "foreign")
	alice := w.user("alice")
	role, binding := foreignRole(alice, w.name("configmaps"))
	w.put(role, binding)
	w.make(configMap(w.name("one")))
	path := "/api/v1/namespaces/default/configmaps?watch=true"
	var ended <-chan struct{}
	w.eventually("the role counts", func() bool {
		code, _ := w.get(alice, "/api/v1/namespaces/default/configmaps")
		return code == http.StatusOK
	})
	_, ended = w.stream(w.request(http.MethodGet, alice, path, nil))
	w.proxy.recheck(t.Context(), w.proxy.streams.Of())
	select {
	case <-ended:
		t.Fatal("a watch that the API server allows was cut")
	case <-time.After(200 * time.Millisecond):
	}
	w.remove(binding)
	w.within("the binding is gone", recheckInterval+2*time.Second, ended)
}

func TestTheGatewaysOwnCookiesAreKept(t *testing.T) {
	w := newWorld(t, "cookies")
	alice := w.user("alice")
	for _, path := range []string{"/kube/version", "/kube/nothing", "/kube" + kindsPath + "users"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		r.Header.Set("Authorization", "Bearer "+alice)
		answer := httptest.NewRecorder()
		answer.Header().Set("Set-Cookie", "session=renewed")
		w.proxy.ServeHTTP(answer, r)
		if answer.Header().Get("Set-Cookie") != "session=renewed" || answer.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", path, answer.Code, answer.Header())
		}
	}
}

func TestWhatIsRefusedAnywayIsNotCut(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	w := newWorld(t, "late", func(o *Options) {
		o.Config.Wrap(func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(r *http.Request) (*http.Response, error) {
				if strings.HasSuffix(r.URL.Path, "/configmaps/late") {
					close(asked)
					<-answer
				}
				return next.RoundTrip(r)
			})
		})
	})
	alice := w.user("alice")
	w.eventually("alice is known", func() bool { return w.authority.Tree(alice).Allows(access.Named(access.User, alice), access.Read) })
	request := w.request(http.MethodGet, alice, "/api/v1/namespaces/default/configmaps/late", nil)
	code := make(chan int, 1)
	go func() {
		response, err := w.client().Do(request)
		if err != nil {
			t.Error(err)
			code <- 0
			return
		}
		_ = response.Body.Close()
		code <- response.StatusCode
	}()
	<-asked
	w.proxy.recheck(t.Context(), w.proxy.streams.Of(alice))
	close(answer)
	if got := <-code; got != http.StatusForbidden {
		t.Errorf("a request that is refused is answered %d", got)
	}
}
