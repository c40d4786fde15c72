package matrix

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// cell is a request that everybody makes.
type cell struct {
	kind
	rule *rule
	verb string
	target
	// body of a request that has one.
	body []byte
}

func (c *cell) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s/%s", c.verb, c.kind, c.namespace, c.name))
}

// at is where the cell lies for somebody.
func (c *cell) at(who person) place {
	if c.resource == "users" && c.name == string(who) {
		return self
	}
	return c.where
}

// onlyLooks reports whether a verb changes nothing.
func onlyLooks(verb string) bool { return slices.Contains(strings.Fields(look), verb) }

// onlyOne reports whether a verb is about one thing, where a name is given.
func onlyOne(verb string) bool { return verb != "list" && verb != "watch" }

// cellsOf are all requests for a kind: each verb, for all and for each of the targets.
func cellsOf(k kind, s samples) []*cell {
	rule, _ := ruleOf(k)
	sample := s.objects[k.parent()]
	made := s.requests[k.parent()]
	if made == nil {
		made = madeOf(k, sample)
	}
	var cells []*cell
	add := func(verb string, t target) {
		c := &cell{kind: k, rule: rule, verb: verb, target: t}
		switch {
		case verb == "patch":
			c.body = []byte(`{"metadata":{"labels":{"touched":"yes"}}}`)
		case verb == "create" && k.sub == "":
			made := made.DeepCopy()
			made.SetNamespace(t.namespace)
			c.body = jsonOf(made)
		case verb == "create" || verb == "update":
			c.body = jsonOf(bare(k, t))
		}
		cells = append(cells, c)
	}
	targets := targetsOf(k, sample)
	for _, t := range targets {
		switch {
		case k.sub != "":
			for _, verb := range strings.Fields(k.verbs) {
				add(verb, t)
			}
			continue
		case places[k.String()] != nil:
			add("list", t)
			add("watch", t)
		}
		for _, verb := range []string{"get", "update", "patch", "delete"} {
			if verb == "get" || t.name != missing || len(targets) == 1 || places[k.String()] != nil {
				add(verb, t)
			}
		}
	}
	if k.sub != "" {
		return cells
	}
	wholes := []target{{where: all}}
	for _, t := range targets {
		whole := target{namespace: t.namespace, where: t.where}
		if t.where == one {
			whole.where = own
		}
		if t.namespace != "" && !slices.Contains(wholes, whole) {
			wholes = append(wholes, whole)
		}
	}
	for _, whole := range wholes {
		for _, verb := range []string{"list", "watch", "create", "deletecollection"} {
			// What is in a namespace is neither made nor removed in all of them.
			if onlyLooks(verb) || whole.namespace != "" || !k.namespaced {
				add(verb, whole)
			}
		}
	}
	return cells
}

// madeOf is what is sent to make another object of a kind.
func madeOf(k kind, sample *unstructured.Unstructured) *unstructured.Unstructured {
	if sample == nil {
		return bare(k, target{name: "made"})
	}
	made := sample.DeepCopy()
	made.SetName("made")
	return made
}

// bare is an object of which only the name is given.
func bare(k kind, t target) *unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: map[string]any{"apiVersion": k.apiVersion(), "kind": k.kind}}
	object.SetName(t.name)
	object.SetNamespace(t.namespace)
	object.SetLabels(map[string]string{"touched": "yes"})
	return object
}

func jsonOf(object *unstructured.Unstructured) []byte {
	text, err := json.Marshal(object.Object)
	if err != nil {
		panic(err) // it was read from JSON
	}
	return text
}

// methods are those of the verbs.
var methods = map[string]string{
	"get": http.MethodGet, "list": http.MethodGet, "watch": http.MethodGet, "create": http.MethodPost, "update": http.MethodPut,
	"patch": http.MethodPatch, "delete": http.MethodDelete, "deletecollection": http.MethodDelete,
}

// address is the path of the request with its query.
func (c *cell) address() string {
	query := url.Values{}
	path := c.path(c.namespace, c.name)
	if c.sub == "" && (c.verb == "list" || c.verb == "watch") {
		path = c.path(c.namespace, "")
		if c.name != "" {
			query.Set("fieldSelector", "metadata.name="+c.name)
		}
	}
	if c.verb == "watch" {
		for key, value := range map[string]string{
			"watch": "1", "sendInitialEvents": "true", "allowWatchBookmarks": "true", "resourceVersionMatch": "NotOlderThan", "timeoutSeconds": "20",
		} {
			query.Set(key, value)
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path
}

// patience is how long one request may take on a busy machine.
const patience = 30 * time.Second

const tableForm = "application/json;as=Table;v=v1;g=meta.k8s.io"

// reply is what came back.
type reply struct {
	code int
	body string
	err  error
}

// ask makes a request for somebody. A watch is read until it has told all that is there.
func ask(ctx context.Context, way route, who person, method, address, accept string, body []byte) reply {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	door := ways[way][who]
	request, err := http.NewRequestWithContext(ctx, method, door.base+address, strings.NewReader(string(body)))
	if err != nil {
		return reply{err: err}
	}
	for name, values := range door.header {
		request.Header[name] = values
	}
	request.Header.Set("Accept", accept)
	if method == http.MethodPatch {
		request.Header.Set("Content-Type", "application/merge-patch+json")
	} else if len(body) > 0 {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := door.client.Do(request)
	if err != nil {
		return reply{err: err}
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusOK && strings.Contains(address, "watch=1") {
		text, err := initial(response.Body)
		return reply{response.StatusCode, text, err}
	}
	text, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, string(text), err}
}

// initial reads a watch up to the end of what was there when it began.
func initial(body io.Reader) (string, error) {
	var text strings.Builder
	for lines := bufio.NewReader(body); ; {
		line, err := lines.ReadString('\n')
		text.WriteString(line)
		if err != nil || strings.Contains(line, "k8s.io/initial-events-end") || strings.HasPrefix(line, `{"type":"ERROR"`) {
			return text.String(), err
		}
	}
}

// outcome is what became of the request, and what is wrong with how it was said.
func (c *cell) outcome(want outcome, r reply) (outcome, string) {
	var status metav1.Status
	if r.code >= http.StatusBadRequest {
		_ = json.Unmarshal([]byte(r.body), &status) // what is no status is seen below
	}
	switch {
	case r.err != nil:
		return "", r.err.Error()
	case r.code == http.StatusUnauthorized:
		return unknown, ""
	case r.code == http.StatusForbidden && status.Reason == metav1.StatusReasonForbidden:
		if !slices.ContainsFunc(c.refusals(), func(why string) bool { return strings.Contains(status.Message, why) }) {
			return forbidden, fmt.Sprintf("for another reason than one of %q", c.refusals())
		}
		return forbidden, ""
	case r.code == http.StatusNotFound && strings.Contains(status.Message, "are not served here"):
		return unserved, ""
	case r.code == http.StatusNotFound && want == allowed && c.name == missing:
		// Who may look finds out that it is not there; a part of it says so in its own words.
		if c.sub == "" {
			return allowed, c.unlikeAbsent(&status)
		}
		return allowed, ""
	case r.code == http.StatusNotFound:
		return absent, c.unlikeAbsent(&status)
	case r.code == http.StatusTooManyRequests || r.code == http.StatusServiceUnavailable:
		return "", "it was not decided"
	}
	return allowed, ""
}

// refusals are what a refusal can say: what RBAC does, what the gateway does of a token, and what the kind itself does.
func (c *cell) refusals() []string {
	resource := c.resource
	if c.sub != "" {
		resource += "/" + c.sub
	}
	says := []string{fmt.Sprintf("cannot %s resource %q in API group %q", c.verb, resource, c.group), "the token "}
	if c.rule.says != "" {
		says = append(says, c.rule.says)
	}
	return says
}

// unlikeAbsent says how a status differs from that for what does not exist.
func (c *cell) unlikeAbsent(got *metav1.Status) string {
	want := apierrors.NewNotFound(schema.GroupResource{Group: c.group, Resource: c.resource}, c.name).Status()
	want.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	a, b := jsonText(want), jsonText(*got)
	if a != b {
		return fmt.Sprintf("it is not as for what does not exist: %s", a)
	}
	return ""
}

func jsonText(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// alike is the reply without what the request named, to be compared with that to the same request for something else.
func (c *cell) alike(who person, r reply) string {
	text := strings.ReplaceAll(r.body, `soma:`+string(who)+`\"`, "WHO")
	if c.name != "" {
		text = strings.ReplaceAll(text, `\"`+c.name+`\"`, "NAME")
		text = strings.ReplaceAll(text, `"name":"`+c.name+`"`, "NAME")
	}
	if c.namespace != "" {
		text = strings.ReplaceAll(text, `\"`+c.namespace+`\"`, "NAMESPACE")
	}
	return fmt.Sprint(r.code, " ", text)
}

// namesIn are the namespaces and names of what a list, a table or a watch shows, in order.
func namesIn(body string) ([]string, error) {
	type named struct {
		Metadata metav1.ObjectMeta `json:"metadata"`
	}
	var names []string
	add := func(n named) { names = append(names, n.Metadata.Namespace+"/"+n.Metadata.Name) }
	for decoder := json.NewDecoder(strings.NewReader(body)); ; {
		var one struct {
			Type   string  `json:"type"`
			Object named   `json:"object"`
			Items  []named `json:"items"`
			Rows   []struct {
				Object named `json:"object"`
			} `json:"rows"`
		}
		if err := decoder.Decode(&one); err == io.EOF { //nolint:errorlint // the decoder returns it as it is
			slices.Sort(names)
			return names, nil
		} else if err != nil {
			return nil, err
		}
		if one.Type != "" && one.Type != "BOOKMARK" {
			add(one.Object)
		}
		for _, item := range one.Items {
			add(item)
		}
		for _, row := range one.Rows {
			add(row.Object)
		}
	}
}
