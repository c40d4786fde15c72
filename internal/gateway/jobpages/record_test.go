package jobpages

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// visits are what was recorded since it was asked before, in short.
func (w *world) visits(t *testing.T) []string {
	t.Helper()
	short := []string{}
	for _, one := range w.audit.Take() {
		if one.Verb != "visit" || one.At.IsZero() || one.Session != "session-of-"+one.User {
			t.Errorf("it is recorded as %+v", one)
		}
		short = append(short, fmt.Sprintf("%s %s/%s %s %t %d%s", one.User, one.Namespace, one.Name, one.Via, one.Allowed, one.Code, one.Reason))
	}
	return short
}

// told holds what was recorded against what is wanted.
func (w *world) told(t *testing.T, what string, want ...string) {
	t.Helper()
	if got := w.visits(t); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s is recorded as %q, not as %q", what, got, want)
	}
}

// A browser's visit is recorded once, and not each request of it.
func TestVisitsOfBrowsersAreRecorded(t *testing.T) {
	w := newWorld(t)
	cookie := w.visit(t, "bob")
	for range 3 {
		w.ask(host, http.MethodGet, "/", with(nil, cookie))
	}
	w.told(t, "a visit", "bob vision/train cookie true 200")
	w.clock.SetTime(noon.Add(pageLifetime))
	w.visit(t, "bob")
	w.told(t, "the next visit", "bob vision/train cookie true 200")

	// Nobody, and who may not.
	w.ask(host, http.MethodGet, "/", browser)
	w.told(t, "nobody known")
	_, enter := w.begin(t)
	for range 3 {
		w.get(enter, &http.Cookie{Name: "gateway", Value: "eve"})
	}
	w.told(t, "who may not", "eve vision/train cookie false 404Hidden")
}

// One who may not any more is refused at the page's host, and that is recorded once.
func TestARightThatEndsIsRecorded(t *testing.T) {
	w := newWorld(t)
	cookie := w.visit(t, "bob")
	w.visits(t)
	delete(w.rights, "bob")
	for range 3 {
		w.ask(host, http.MethodGet, "/", with(nil, cookie))
	}
	w.told(t, "the end", "bob vision/train cookie false 404Hidden")
}

// A program has no session of a page: what it does within some minutes is one visit.
func TestVisitsOfTokensAreRecorded(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.ask(host, http.MethodGet, "/", http.Header{"Authorization": {"Bearer bob"}})
		w.ask(host, http.MethodGet, "/", http.Header{"Authorization": {"Bearer eve"}})
	}
	w.told(t, "programs", "bob vision/train token true 200", "eve vision/train token false 404Hidden")
	w.clock.SetTime(noon.Add(visitInterval - time.Second))
	w.ask(host, http.MethodGet, "/", http.Header{"Authorization": {"Bearer bob"}})
	w.told(t, "the same visit")
	w.clock.SetTime(noon.Add(visitInterval))
	w.ask("none--vision."+domain, http.MethodGet, "/", http.Header{"Authorization": {"Bearer bob"}})
	w.ask(host, http.MethodGet, "/", http.Header{"Authorization": {"Bearer bob"}, forwardedFor: {"1.2.3.4, 10.0.0.7"}})
	if all := w.audit.All(); len(all) != 2 || all[0].Path != "//none--vision."+domain || all[1].Source != "10.0.0.7" {
		t.Errorf("it is recorded as %+v", all)
	}
	w.page.Job.Status.Phase = "Pending"
	w.clock.SetTime(noon.Add(2 * visitInterval))
	w.ask(host, http.MethodGet, "/", http.Header{"Authorization": {"Bearer bob"}})
	w.told(t, "other visits", "bob / token false 404Hidden", "bob vision/train token true 200", "bob vision/train token true 503")
}
