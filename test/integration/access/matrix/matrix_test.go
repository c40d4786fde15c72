package matrix

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/soma-platform/soma/test/integration/harness"
)

// workers are how many kinds are gone through at the same time.
const workers = 6

// root is an administrator of the cluster, who looks what came of requests.
const root person = "root"

// matrix gathers what was found.
type matrix struct {
	samples samples

	mu       sync.Mutex
	asked    map[route]int
	failures []string
	// alike are replies that have to be the same, with whoever's was the first.
	alike map[string]first
	// writes are what is to have an effect, and is done by itself.
	writes []write
}

type first struct{ text, cell string }

// write is a change that somebody may make.
type write struct {
	way  route
	who  person
	cell *cell
}

var _ = Describe("The tenant matrix", Ordered, func() {
	var m *matrix
	var kinds []kind

	BeforeAll(func() {
		client, err := rest.HTTPClientFor(harness.Server.Config)
		Expect(err).NotTo(HaveOccurred())
		ways[direct][root] = doors{base: address(), client: client}
		Eventually(func(g Gomega) {
			kinds = discover(g)
			g.Expect(slices.ContainsFunc(kinds, func(k kind) bool { return k.resource == "jobrecords" })).To(BeTrue())
			g.Expect(slices.ContainsFunc(kinds, func(k kind) bool { return k.resource == "selfreviews" })).To(BeTrue())
		}).Should(Succeed())
		m = &matrix{samples: readSamples(kinds), asked: map[route]int{}, alike: map[string]first{}}
		makeWorld(kinds, m.samples)
		settled()
	})

	It("is as the rules say, for everybody, by both ways, and what is refused changes nothing", func() {
		began := time.Now()
		var group errgroup.Group
		group.SetLimit(workers)
		for _, k := range kinds {
			group.Go(func() error {
				m.lookAt(k)
				return nil
			})
		}
		Expect(group.Wait()).To(Succeed())
		AddReportEntry("cells", fmt.Sprintf("%d kinds and subresources, %d cells directly and %d through the gateway, in %s",
			len(kinds), m.asked[direct], m.asked[gateway], time.Since(began).Round(time.Second)))
		m.report()
	})

	It("gives nobody what no request is for", gaveNothingSpecial)

	Context("of one's own User", ownUser)

	It("lets kubectl make reviews as their pages say", makesReviews)

	It("lets everybody change what the rules say, and the change is there", func() {
		Expect(m.writes).NotTo(BeEmpty())
		for _, w := range m.writes {
			m.change(w)
		}
		m.report()
		AddReportEntry("changes", fmt.Sprintf("%d changes had their effect", len(m.writes)))
	})
})

// report fails with what was found.
func (m *matrix) report() {
	GinkgoHelper()
	const shown = 40
	text := strings.Join(m.failures[:min(len(m.failures), shown)], "\n")
	if len(m.failures) > 0 {
		Fail(fmt.Sprintf("%d cells are not as rules_test.go says:\n%s", len(m.failures), text))
	}
}

func (m *matrix) fail(way route, who person, c *cell, format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failures = append(m.failures, fmt.Sprintf("%s %s: %s: ", way, who, c)+fmt.Sprintf(format, args...))
}

// lookAt makes all requests for a kind but those that are to change something.
func (m *matrix) lookAt(k kind) {
	before := contentOf(k)
	for _, c := range cellsOf(k, m.samples) {
		for _, way := range []route{direct, gateway} {
			for _, who := range everybody {
				want := expected(way, who, c, before)
				if want == unknown && c.verb != "get" && c.verb != "create" {
					continue // whoever is not known there is refused before it is looked what is asked
				}
				if way == gateway && has(c.rule.apart, who, c.at(who), c.verb) {
					continue
				}
				m.mu.Lock()
				m.asked[way]++
				effects := want == allowed && k.sub == "" && !onlyLooks(c.verb) && c.name != missing && m.samples.requests[k.String()] == nil
				if effects {
					m.writes = append(m.writes, write{way, who, c})
				}
				m.mu.Unlock()
				if !effects {
					m.check(way, who, c, want, before)
				}
			}
		}
	}
	after := contentOf(k)
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if before[name] != after[name] {
			m.fail("", "", &cell{kind: k}, "%s is not as it was before everybody was refused to change it", name)
		}
	}
	for name := range after {
		if strings.HasSuffix(name, "/made") {
			m.fail("", "", &cell{kind: k}, "%s was made by somebody who was refused", name)
		}
	}
}

// check makes one request.
func (m *matrix) check(way route, who person, c *cell, want outcome, there map[string]string) {
	r := ask(harness.Ctx, way, who, methods[c.verb], c.address(), "application/json", c.body)
	got, wrong := c.outcome(want, r)
	switch {
	case wrong != "" || got != want:
		m.fail(way, who, c, "want it %s, but it was %s %s: %d %.400s", want, got, wrong, r.code, r.body)
		return
	case got == allowed:
		m.checkShown(way, who, c, r, there)
	case c.blind(way, who):
		m.checkAlike(way, who, c, got, r)
	}
	for _, word := range secretFrom(who) {
		if strings.Contains(r.body, word) && !strings.Contains(c.address(), word) && !strings.Contains(string(c.body), word) {
			m.fail(way, who, c, "the reply tells of %q: %d %.400s", word, r.code, r.body)
		}
	}
}

// blind reports whether who is refused must not find out by the answer what there is: directly all is refused alike.
func (c *cell) blind(way route, who person) bool {
	where := c.at(who)
	switch {
	case way == direct:
		return c.rule.says == ""
	case c.name == "" || !onlyOne(c.verb):
		return !knows(who, where) && !has(c.rule.sees, who, where, "")
	}
	return !has(c.rule.sees, who, where, "")
}

// checkShown sees to it that what is shown is all that is to be shown, and nothing else.
func (m *matrix) checkShown(way route, who person, c *cell, r reply, there map[string]string) {
	switch {
	case c.sub != "" || c.name == missing && !onlyLooks(c.verb):
		return
	case c.verb == "get" && c.name != missing:
		if !strings.Contains(r.body, `"name":"`+c.name+`"`) || r.code != http.StatusOK {
			m.fail(way, who, c, "it is not shown: %d %.400s", r.code, r.body)
		}
		return
	case c.verb == "create" && r.code != http.StatusCreated:
		m.fail(way, who, c, "it is not answered: %d %.400s", r.code, r.body)
		return
	case c.verb != "list" && c.verb != "watch":
		return
	}
	want := c.shown(way, who, there)
	compare := func(form string, r reply) {
		got, err := namesIn(r.body)
		if err != nil || r.code != http.StatusOK || !slices.Equal(got, want) {
			m.fail(way, who, c, "as %s want %v, got %v, %v: %d %.200s", form, want, got, err, r.code, r.body)
		}
	}
	compare("JSON", r)
	if c.verb == "list" {
		compare("table", ask(harness.Ctx, way, who, http.MethodGet, c.address(), tableForm, nil))
	}
}

// checkAlike sees to it that the reply does not depend on whether there is what was asked for.
func (m *matrix) checkAlike(way route, who person, c *cell, got outcome, r reply) {
	key := fmt.Sprint(way, who, c.kind, c.verb, got, c.name != "", c.namespace != "")
	text := c.alike(who, r)
	m.mu.Lock()
	known, found := m.alike[key]
	if !found {
		m.alike[key] = first{text, c.String()}
	}
	m.mu.Unlock()
	if found && known.text != text {
		m.fail(way, who, c, "the answer is not as that to %s:\n  %s\n  %s", known.cell, text, known.text)
	}
}

// secretFrom are words of what somebody must not know of.
func secretFrom(who person) []string {
	ofVision, ofRobots := []string{mark(vision), sharedJob, otherJob}, []string{mark(robots), robotsJob}
	switch who {
	case admin:
		return nil
	case stranger:
		return ofVision
	case grantee:
		return append(ofRobots, otherJob)
	case disabled, anonymous:
		return append(ofVision, ofRobots...)
	}
	return ofRobots
}

// listsSome reports whether, through the gateway, somebody is shown of a list what they may see: nothing, perhaps, of all there is,
// but something of a place that they name, or by a token that is for less.
func (c *cell) listsSome(who person, there map[string]string) bool {
	if !c.rule.some || c.verb != "list" && c.verb != "watch" || c.resource == "pods" && c.namespace == "" {
		return false
	}
	whole := *c
	whole.name = ""
	return c.namespace == "" && who != program || len(whole.shown(gateway, who, there)) > 0
}

// shown are the namespaces and names of what somebody is to see in a list, of what is there.
func (c *cell) shown(way route, who person, there map[string]string) []string {
	everything := has(c.rule.may, who, c.at(who), c.verb)
	var names []string
	for _, found := range slices.Sorted(maps.Keys(there)) {
		namespace, name, _ := strings.Cut(found, "/")
		if c.namespace != "" && namespace != c.namespace || c.name != "" && name != c.name {
			continue
		}
		one := cell{kind: c.kind, rule: c.rule, target: target{namespace, name, placeOf(c.kind, namespace, name)}}
		where := one.at(who)
		if everything || way == gateway && (has(c.rule.may, who, where, "get") || has(c.rule.more, who, where, "get")) {
			names = append(names, found)
		}
	}
	return names
}

// contentOf are the objects of a kind by namespaces and names, each with what is in it but for what nobody writes by hand. It
// is none of a kind that cannot be listed.
func contentOf(k kind) map[string]string {
	k.sub = ""
	r := ask(harness.Ctx, direct, root, http.MethodGet, k.path("", ""), "application/json", nil)
	list := &unstructured.UnstructuredList{}
	if r.code != http.StatusOK || json.Unmarshal([]byte(r.body), list) != nil {
		return nil
	}
	found := map[string]string{}
	for _, item := range list.Items {
		if k.resource == "leases" && item.GetNamespace() != vision {
			continue // they are renewed
		}
		for _, field := range []string{"resourceVersion", "managedFields", "generation"} {
			unstructured.RemoveNestedField(item.Object, "metadata", field)
		}
		delete(item.Object, "status")
		found[item.GetNamespace()+"/"+item.GetName()] = jsonText(item.Object)
	}
	return found
}
