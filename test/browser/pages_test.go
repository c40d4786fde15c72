package browser

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	. "github.com/onsi/gomega"
)

// refused is what the gateway says of a page that is not there, and of one that somebody may not see.
const refused = "There is no such page, or you may not see it."

// TestPages is the story of one page: whose it is sees it, somebody else does after it was shared, and until it was taken back.
func TestPages(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.newPerson("alice"), w.newPerson("bob")
	alice.logIn()
	bob.logIn()
	alice.serve("train")
	alice.soma("wait", "--for", "running", "train")

	uid := strings.TrimSpace(alice.soma("status", "train", "-o", "jsonpath={.metadata.uid}"))

	g := NewWithT(t)
	// What follows builds on what went before: the first that fails is the last.
	step := func(what string, do func()) { t.Log(what); do() }
	step("whose it is comes to it by signing in", func() {
		alice.visit(w.page("train", "/a?b=c"))
		alice.signIn("alice")
		g.Eventually(alice.text).WithTimeout(patience).Should(HavePrefix("GET /a?b=c\n"))
		g.Expect(alice.address()).To(Equal(w.page("train", "/a?b=c")))
		alice.shot("page")
	})
	step("the job learns who looks, and nothing by which it could be them", func() {
		status, text := alice.visit(w.page("train", "/again"))
		g.Expect(status).To(BeEquivalentTo(http.StatusOK))
		sees(g, text)
		g.Expect(text).To(ContainSubstring("own=1"), "the job's own cookie")
		asserts(t, w, text, uid, "alice")
	})
	step("a program with a token gets in, and without one is told so", func() {
		got := w.get(w.page("train", "/api"), alice.token())
		g.Expect(got.status).To(Equal(http.StatusOK), got.text)
		sees(g, got.text)
		asserts(t, w, got.text, uid, "alice")
		for name, token := range map[string]string{"no token": "", "a wrong one": "x.y.z"} {
			got := w.get(w.page("train", "/api"), token)
			g.Expect(got.status).To(Equal(http.StatusUnauthorized), name)
			g.Expect(got.location).To(BeEmpty(), name)
		}
		g.Expect(w.get(w.page("train", "/api"), bob.token()).status).To(Equal(http.StatusNotFound), "somebody else's")
	})
	step("somebody else is told what there is not", func() {
		bob.visit(w.page("train", "/"))
		bob.signIn("bob")
		status, text := bob.visit(w.page("train", "/"))
		otherStatus, other := bob.visit(w.page("no-such-job", "/"))
		g.Expect(text).To(ContainSubstring(refused))
		g.Expect([]any{status, text}).To(Equal([]any{otherStatus, other}))
		g.Expect(status).To(BeEquivalentTo(http.StatusNotFound))
	})
	step("until it is shared with them", func() {
		alice.soma("share", "job/train", "bob", "--read")
		g.Eventually(func() string { _, text := bob.visit(w.page("train", "/")); return text }).WithTimeout(patience).Should(HavePrefix("GET /\n"))
		asserts(t, w, bob.text(), uid, "bob")
	})
	step("and is taken back: what they have open ends, too", func() {
		listen(bob)
		g.Eventually(func() string { return bob.eval(`state()`) }).WithTimeout(patience).Should(Equal("ticks, ticks, ticks"))
		bob.shot("shared")
		token := bob.token()
		alice.soma("acl", "revoke", "job/train", "bob")
		began := time.Now()
		g.Eventually(func() int { return w.get(w.page("train", "/"), token).status }).WithTimeout(revoked).Should(Equal(http.StatusNotFound))
		t.Logf("the next request was refused after %v", time.Since(began).Round(time.Millisecond))
		g.Eventually(func() string { return bob.eval(`state()`) }).WithTimeout(revoked).Should(Equal("ended, ended, ended"))
		t.Logf("the event stream, the WebSocket and a plain answer ended after %v", time.Since(began).Round(time.Millisecond))
		_, text := bob.visit(w.page("train", "/"))
		g.Expect(text).To(ContainSubstring(refused))
		bob.shot("refused")
	})
	step("who waits for a job sees why, and then its page", func() {
		alice.serve("next")
		status, text := alice.visit(w.page("next", "/"))
		g.Expect(status).To(BeEquivalentTo(http.StatusServiceUnavailable), text)
		g.Expect(text).To(And(ContainSubstring("Job next does not run"), ContainSubstring("It is Pending"), ContainSubstring("looks again")))
		alice.shot("waiting")
		alice.soma("kill", "train")
		g.Eventually(alice.text).WithTimeout(patience).Should(HavePrefix("GET /\n"))
		_, text = alice.visit(w.page("train", "/"))
		g.Expect(text).To(And(ContainSubstring("Job train does not run"), Not(ContainSubstring("looks again"))))
		alice.soma("kill", "next")
	})
	step("everybody sees a public page, where the project allows it", func() {
		alice.serve("open", "--public")
		alice.soma("wait", "--for", "running", "open")
		g.Expect(w.get(w.page("open", "/"), "").status).To(Equal(http.StatusUnauthorized))
		run(t, nil, "", "kubectl", "patch", "project.platform.soma.dev", w.project, "--type=merge", "-p", `{"spec": {"publicPages": true}}`)
		var got answer
		g.Eventually(func() int { got = w.get(w.page("open", "/"), ""); return got.status }).WithTimeout(patience).Should(Equal(http.StatusOK))
		g.Expect(got.text).To(And(HavePrefix("GET /\n"), Not(ContainSubstring("X-Soma-Assertion"))))
	})
	step("who forgets the s is sent to it", func() {
		host, _, _ := strings.Cut(strings.TrimPrefix(w.page("train", ""), "https://"), ":")
		got := w.get("http://"+host+":"+os.Getenv("SOMA_PAGES_HTTP_PORT")+"/a", "")
		g.Expect(got.location).To(Equal(w.page("train", "/a")))
	})
}

// sees checks that what a job received has nothing of ours but who asks.
func sees(g Gomega, request string) {
	lower := strings.ToLower(request)
	g.Expect(lower).NotTo(Or(ContainSubstring("__host-soma"), ContainSubstring("authorization:"), ContainSubstring("bearer")), request)
}

// asserts checks the assertion in what a job received, as a job would: by the keys that the gateway publishes.
func asserts(t *testing.T, w *world, request, jobUID, user string) {
	t.Helper()
	g := NewWithT(t)
	var assertion string
	for line := range strings.Lines(request) {
		if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "X-Soma-Assertion") {
			assertion = strings.TrimSpace(value)
		}
	}
	token, err := jwt.ParseSigned(assertion, []jose.SignatureAlgorithm{jose.EdDSA})
	g.Expect(err).NotTo(HaveOccurred(), request)
	published := w.get(w.gateway+"/.well-known/soma/assertion-keys", "")
	g.Expect(published.status).To(Equal(http.StatusOK))
	var keys jose.JSONWebKeySet
	g.Expect(json.Unmarshal([]byte(published.text), &keys)).To(Succeed())
	var claims jwt.Claims
	g.Expect(token.Claims(keys, &claims)).To(Succeed())
	g.Expect(claims.ValidateWithLeeway(jwt.Expected{Issuer: w.gateway, Subject: user, AnyAudience: jwt.Audience{jobUID}, Time: time.Now()}, 5*time.Second)).To(Succeed())
	g.Expect(claims.Expiry.Time()).To(BeTemporally("<=", time.Now().Add(time.Minute+5*time.Second)))
}

// listen opens an event stream, a WebSocket and a plain answer that does not end on the page that a person looks at. There, state()
// says how they are.
func listen(p *person) {
	p.eval(`
		var states = ["opens", "opens", "opens"];
		var state = () => states.join(", ");
		var events = new EventSource("/events"), socket = new WebSocket("wss://" + location.host + "/socket");
		events.onmessage = () => states[0] = "ticks";
		events.onerror = () => { states[0] = "ended"; events.close(); };
		socket.onmessage = () => states[1] = "ticks";
		socket.onclose = () => states[1] = "ended";
		fetch("/endless").then(async (answer) => {
			for (const reader = answer.body.getReader(); !(await reader.read()).done;) states[2] = "ticks";
		}).catch(() => {}).then(() => states[2] = "ended");
		state()`)
}
