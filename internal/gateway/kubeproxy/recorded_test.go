package kubeproxy

import (
	"net/http"
	"strings"
	"testing"
)

// TestWhatIsRecorded holds the records against all that was asked: each change, each refusal, each stream, each look at secrets,
// and nothing else.
func TestWhatIsRecorded(t *testing.T) {
	w, project, alice, bob := work(t, "recorded")
	jobs := jobsPath + project + "/jobs"
	const manifest = `{"apiVersion":"platform.soma.dev/v1alpha1","kind":"Job","metadata":{"name":"train"},"spec":{"image":"soma.dev/busybox:1","env":[{"name":"TOKEN","value":"in-a-body"}]}}`
	secrets := "/api/v1/namespaces/" + project + "/secrets"
	const secret = `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"key","labels":{"platform.soma.dev/secret":"true"}}}`
	type want struct {
		user, verb, name, reason string
		code                     int
		allowed                  bool
	}
	for _, step := range []struct {
		user, method, path, body string
		records                  []want
	}{
		{alice, http.MethodPost, jobs + "?fieldManager=of-the-client", manifest, []want{{alice, "create", "train", "", 201, true}}},
		{alice, http.MethodPost, jobs, manifest, []want{{alice, "create", "train", "", 409, true}}},
		{alice, http.MethodGet, jobs + "/train", "", nil},
		{alice, http.MethodGet, jobs, "", nil},
		{alice, http.MethodGet, "/version", "", nil},
		{alice, http.MethodPatch, jobs + "/train", `{"metadata":{"labels":{"a":"b"}}}`, []want{{alice, "patch", "train", "", 200, true}}},
		{bob, http.MethodGet, jobs + "/train", "", []want{{bob, "get", "train", "Hidden", 404, false}}},
		{bob, http.MethodDelete, jobs + "/train", "", []want{{bob, "delete", "train", "Hidden", 404, false}}},
		{bob, http.MethodGet, jobs, "", []want{{bob, "list", "", "Forbidden", 403, false}}},
		{bob, http.MethodGet, "/api/v1/secrets", "", []want{{bob, "list", "", "Forbidden", 403, false}}},
		{alice, http.MethodPost, secrets, secret, []want{{alice, "create", "key", "", 201, true}}},
		{alice, http.MethodGet, secrets + "/key", "", []want{{alice, "get", "key", "", 200, true}}},
		{alice, http.MethodHead, secrets + "/key", "", []want{{alice, "get", "key", "", 405, true}}},
		{alice, http.MethodGet, secrets + "/nothing", "", []want{{alice, "get", "nothing", "", 404, true}}},
		{alice, http.MethodGet, secrets, "", []want{{alice, "list", "", "", 200, true}}},
		{alice, http.MethodGet, secrets + "?watch=true&timeoutSeconds=1", "", []want{{alice, "watch", "", "", 200, true}}},
		{"", http.MethodGet, jobs, "", []want{{"", "list", "", "Unauthenticated", 401, false}}},
		{alice, http.MethodGet, "/api//v1", "", []want{{"", "", "", "Path", 400, false}}},
		{alice, http.MethodDelete, jobs + "/train", "", []want{{alice, "delete", "train", "", 200, true}}},
		{alice, http.MethodDelete, jobs + "/nothing", "", []want{{alice, "delete", "nothing", "", 404, true}}},
	} {
		before := len(w.audit.All())
		r := w.request(step.method, step.user, step.path, strings.NewReader(step.body))
		if r.Header.Set("Content-Type", "application/json"); step.method == http.MethodPatch {
			r.Header.Set("Content-Type", "application/merge-patch+json")
		}
		w.do(r)
		got := w.audit.All()[before:]
		if len(got) != len(step.records) {
			t.Errorf("%s %s by %q: records %+v", step.method, step.path, step.user, got)
			continue
		}
		for i, want := range step.records {
			one := got[i]
			if one.User != want.user || one.Verb != want.verb || one.Name != want.name || one.Reason != want.reason || one.Code != want.code || one.Allowed != want.allowed {
				t.Errorf("%s %s: %+v, not %+v", step.method, step.path, one, want)
			}
			if one.Source != "127.0.0.1" || one.At.IsZero() || want.user != "" && (one.Session == "" || one.Via != "token") {
				t.Errorf("%s %s: %+v", step.method, step.path, one)
			}
			if strings.Contains(one.Query+one.Path+one.Name, "client") {
				t.Errorf("a record tells of what the client wrote: %+v", one)
			}
		}
	}
}
