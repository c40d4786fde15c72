package matrix

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/soma-platform/soma/test/integration/harness"
)

// depended are kinds of which much else depends on each object: they are removed in a trial run alone.
var depended = []string{
	"clusters.platform.soma.dev", "projects.platform.soma.dev", "quotas.platform.soma.dev", "roles.platform.soma.dev", "users.platform.soma.dev",
}

// change makes a change that is allowed, and looks whether it came to be. Afterwards all is as it was.
func (m *matrix) change(w write) {
	switch w.cell.verb {
	case "create":
		// A project has a namespace, which takes its time to go.
		m.create(w, w.cell.resource == "projects")
	case "update", "patch":
		m.label(w)
	case "delete":
		m.remove(w, slices.Contains(depended, w.cell.kind.String()))
	case "deletecollection":
		m.removeSome(w)
	}
}

// trying is the query of a trial run.
func trying(trial bool) url.Values {
	if trial {
		return url.Values{"dryRun": {"All"}}
	}
	return nil
}

// do makes the request of a write.
func (m *matrix) do(w write, query url.Values, body []byte) bool {
	address := w.cell.address()
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	r := ask(harness.Ctx, w.way, w.who, methods[w.cell.verb], address, "application/json", body)
	if r.err != nil || r.code >= http.StatusBadRequest {
		m.fail(w.way, w.who, w.cell, "want it allowed, but it was refused: %d %.400s %v", r.code, r.body, r.err)
		return false
	}
	return true
}

// see is an object as it is now, or nil.
func see(c *cell, name string) *unstructured.Unstructured {
	r := ask(harness.Ctx, direct, root, http.MethodGet, c.path(c.namespace, name), "application/json", nil)
	object := &unstructured.Unstructured{}
	if r.code != http.StatusOK || json.Unmarshal([]byte(r.body), &object.Object) != nil {
		return nil
	}
	return object
}

// gone reports whether an object is not there any more, or about not to be.
func gone(object *unstructured.Unstructured) bool {
	return object == nil || object.GetDeletionTimestamp() != nil
}

// spareOf is an object to be made of the kind, by the person.
func spareOf(w write) *unstructured.Unstructured {
	object := bare(w.cell.kind, target{w.cell.namespace, "made", own})
	spec := map[string]map[string]any{
		"jobs.platform.soma.dev":   {"image": "busybox"},
		"quotas.platform.soma.dev": {"nominal": map[string]any{"runningJobs": int64(1)}},
		"grants.platform.soma.dev": {"to": map[string]any{"user": bot}, "role": "project-reader"},
		"users.platform.soma.dev":  {"type": "ServiceAccount", "owner": string(w.who)},
	}[w.cell.kind.String()]
	if spec != nil {
		object.Object["spec"] = spec
	}
	return object
}

func (m *matrix) create(w write, trial bool) {
	if !m.do(w, trying(trial), jsonOf(spareOf(w))) {
		return
	}
	made := see(w.cell, "made")
	if (made == nil) != trial {
		m.fail(w.way, w.who, w.cell, "it was answered that it was made; a trial run: %t; it is there: %t", trial, made != nil)
	}
	if made != nil {
		harness.Remove(made)
	}
}

func (m *matrix) label(w write) {
	c := w.cell
	value := fmt.Sprint(w.way, "-", w.who, "-", c.verb)
	body := fmt.Appendf(nil, `{"metadata":{"labels":{"touched":%q}}}`, value)
	if c.verb == "update" {
		object := see(c, c.name)
		labels := object.GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		labels["touched"] = value
		object.SetLabels(labels)
		body = jsonOf(object)
	}
	if !m.do(w, nil, body) {
		return
	}
	if now := see(c, c.name); now == nil || now.GetLabels()["touched"] != value {
		m.fail(w.way, w.who, c, "it was answered that it was changed, and it was not")
	}
}

func (m *matrix) remove(w write, trial bool) {
	c := w.cell
	before := see(c, c.name)
	if !m.do(w, trying(trial), nil) {
		return
	}
	now := see(c, c.name)
	if gone(now) == trial {
		m.fail(w.way, w.who, c, "it was answered that it was removed; a trial run: %t; it is gone: %t", trial, gone(now))
	}
	if trial {
		return
	}
	if now != nil {
		harness.Remove(now)
	}
	again := before.DeepCopy()
	for _, field := range []string{"uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "finalizers"} {
		unstructured.RemoveNestedField(again.Object, "metadata", field)
	}
	delete(again.Object, "status")
	Expect(harness.K8s.Create(harness.Ctx, again)).To(Succeed(), c.String())
}

func (m *matrix) removeSome(w write) {
	object := spareOf(w)
	object.SetLabels(map[string]string{"some": "of-them"})
	Expect(harness.K8s.Create(harness.Ctx, object)).To(Succeed(), w.cell.String())
	defer harness.Remove(object)
	before := len(contentOf(w.cell.kind))
	if !m.do(w, url.Values{"labelSelector": {"some=of-them"}}, nil) {
		return
	}
	if !gone(see(w.cell, "made")) {
		m.fail(w.way, w.who, w.cell, "it was answered that it was removed, and it is there")
	}
	if after := len(contentOf(w.cell.kind)); after < before-1 {
		m.fail(w.way, w.who, w.cell, "others are gone with it: there were %d, and are %d", before, after)
	}
}
