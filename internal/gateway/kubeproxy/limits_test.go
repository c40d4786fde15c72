package kubeproxy

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/gateway/audit"
)

func TestLimits(t *testing.T) {
	w := newWorld(t, "limits", func(o *Options) { o.Limits.Streams, o.Limits.BodyBytes = 3, 1<<20 })
	project, alice, bob := w.project("vision"), w.user("alice"), w.user("bob")
	w.writer(project, alice)
	w.writer(project, bob)
	w.job(project, "train")
	w.compile(writes(project, alice, bob))

	path := jobsPath + project + "/jobs?watch=true"
	for range 3 {
		w.stream(w.request(http.MethodGet, alice, path, nil))
	}
	response, err := w.client().Do(w.request(http.MethodGet, alice, path, nil))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusTooManyRequests || response.Header.Get("Retry-After") == "" {
		t.Errorf("one stream too many is answered %d, come again after %q", response.StatusCode, response.Header.Get("Retry-After"))
	}
	w.stream(w.request(http.MethodGet, bob, path, nil))
	if code, _ := w.get(alice, jobsPath+project+"/jobs"); code != http.StatusOK {
		t.Errorf("a short request beside many streams is answered %d", code)
	}

	// One that says how large it is, and one that does not.
	large := bytes.Repeat([]byte(" "), 1<<20+1)
	for name, body := range map[string]io.Reader{"said": bytes.NewReader(large), "not said": io.MultiReader(bytes.NewReader(large))} {
		r := w.request(http.MethodPost, alice, jobsPath+project+"/jobs", body)
		r.Header.Set("Content-Type", "application/json")
		if code, answer := w.do(r); code != http.StatusRequestEntityTooLarge {
			t.Errorf("a large body, its size %s, is answered %d %s", name, code, answer)
		}
	}
	r := w.request(http.MethodGet, alice, "/version", nil)
	for i := range 70 {
		r.Header.Set(fmt.Sprintf("X-%d", i), strings.Repeat("x", 1000))
	}
	if code, _ := w.do(r); code != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("large headers are answered %d", code)
	}
}

func TestRates(t *testing.T) {
	w := newWorld(t, "rates", func(o *Options) { o.Limits.PerSecond, o.Limits.Burst = 0.01, 5 })
	alice, bob := w.user("alice"), w.user("bob")
	for i := range 7 {
		code, body := w.get(alice, "/version")
		if want := i < 5; (code == http.StatusOK) != want || !want && code != http.StatusTooManyRequests {
			t.Errorf("request %d is answered %d %s", i, code, body)
		}
	}
	if code, _ := w.get(bob, "/version"); code != http.StatusOK {
		t.Errorf("somebody else is answered %d", code)
	}
}

func TestTokensAreForTheirScope(t *testing.T) {
	w, project, alice, _ := work(t, "scopes")
	w.job(project, "train")
	w.job(project, "eval")
	w.signIn.scopes[alice+":one"] = []v1alpha1.Permission{{URI: v1alpha1.Address("job://local/default/" + project + "/train"), Action: v1alpha1.ActionRead}}
	w.signIn.scopes[alice+":none"] = []v1alpha1.Permission{}
	check := func(session, method, path string, want int) {
		t.Helper()
		var body io.Reader
		if method == http.MethodPost {
			body = strings.NewReader(`{"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectAccessReview","spec":{"nonResourceAttributes":{"path":"/","verb":"get"}}}`)
		}
		r := w.request(method, alice+":"+session, path, body)
		r.Header.Set("Content-Type", "application/json")
		if code, answer := w.do(r); code != want {
			t.Errorf("%s %s with a token for %s is answered %d, not %d: %s", method, path, session, code, want, answer)
		}
	}
	jobs := jobsPath + project + "/jobs"
	for _, session := range []string{"one", "none"} {
		check(session, http.MethodGet, "/version", http.StatusOK)
		check(session, http.MethodGet, "/apis", http.StatusOK)
		check(session, http.MethodPost, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", http.StatusCreated)
		check(session, http.MethodGet, "/api/v1/namespaces/default/configmaps", http.StatusForbidden)
		check(session, http.MethodGet, jobs+"/eval", http.StatusNotFound)
		check(session, http.MethodPost, jobs, http.StatusForbidden)
	}
	check("one", http.MethodGet, jobs+"/train", http.StatusOK)
	check("one", http.MethodDelete, jobs+"/train", http.StatusForbidden)
	check("none", http.MethodGet, jobs+"/train", http.StatusNotFound)
	check("none", http.MethodGet, jobs, http.StatusForbidden)
	if _, body := w.get(alice+":one", jobs); len(names(t, body)) != 1 {
		t.Errorf("the list shows %s", body)
	}
	// That the project is there in which it lies is told.
	if _, body := w.get(alice+":one", kindsPath+"projects"); !slices.Equal(names(t, body), []string{project}) {
		t.Errorf("the list of projects shows %s", body)
	}
	check("none", http.MethodGet, kindsPath+"projects", http.StatusForbidden)
	refused := w.audit.Find(func(r audit.Record) bool { return r.Reason == string(ReasonScope) && !r.Allowed })
	if len(refused) == 0 || refused[0].Session == "" || refused[0].Source == "" || refused[0].Verb == "" {
		t.Errorf("records of what was refused: %+v", refused)
	}
}
