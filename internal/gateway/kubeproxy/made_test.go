package kubeproxy

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/soma-platform/soma/internal/access"
)

// TestLearnName: what is made is known by what the API server answers, and the answer comes as it was.
func TestLearnName(t *testing.T) {
	const created, refused = http.StatusCreated, http.StatusConflict
	long := strings.Repeat("x", maxNameBytes)
	for what, c := range map[string]struct {
		request    access.Request
		code       int
		kind, body string
		want       string
	}{
		"made":                   {code: created, body: `{"kind":"Job","metadata":{"labels":{"name":"other"},"managedFields":[{"a":{}}],"name":"train-x7k2p"},"spec":{"name":"z"}}`, want: "train-x7k2p"},
		"followed by much":       {code: created, body: `{"metadata":{"name":"train"},"spec":"` + long + `"}`, want: "train"},
		"preceded by much":       {code: created, body: `{"metadata":{"annotations":{"a":"` + long + `"},"name":"train"}}`},
		"there already":          {code: refused, body: `{"kind":"Status","metadata":{},"details":{"name":"train","kind":"jobs"}}`, want: "train"},
		"refused without a name": {code: http.StatusForbidden, body: `{"kind":"Status","metadata":{},"details":{"kind":"jobs"}}`},
		"a table":                {code: created, body: `{"kind":"Table","metadata":{},"rows":[{"object":{"metadata":{"name":"a"}}}]}`},
		"no text":                {code: created, body: `{"metadata":{"name":["a"]}}`},
		"no object":              {code: created, body: `[{"metadata":{"name":"a"}}]`},
		"cut off":                {code: created, body: `{"metadata":{"na`},
		"nothing":                {code: created},
		"another form":           {code: created, kind: "application/vnd.kubernetes.protobuf", body: `{"metadata":{"name":"a"}}`},
		"not made":               {request: access.Request{Verb: "list", Resource: "jobs"}, code: http.StatusOK, body: `{"metadata":{"name":"a"}}`},
		"named":                  {request: access.Request{Verb: "create", Resource: "pods", Name: "b"}, code: created, body: `{"metadata":{"name":"a"}}`},
	} {
		if c.request.Verb == "" {
			c.request = access.Request{Verb: "create", Resource: "jobs"}
		}
		if c.kind == "" {
			c.kind = "application/json; charset=utf-8"
		}
		x := &exchange{attributes: attributes{Request: c.request, resource: true}}
		body := &counted{Reader: strings.NewReader(c.body)}
		response := &http.Response{StatusCode: c.code, Header: http.Header{"Content-Type": {c.kind}}, Body: body}
		x.learnName(response)
		if x.made != c.want {
			t.Errorf("%s: the name is %q, not %q", what, x.made, c.want)
		}
		if body.read > maxNameBytes {
			t.Errorf("%s: %d bytes are read for it", what, body.read)
		}
		if got, err := io.ReadAll(response.Body); err != nil || !bytes.Equal(got, []byte(c.body)) {
			t.Errorf("%s: the answer is another one: %.99s, %v", what, got, err)
		}
		if err := response.Body.Close(); err != nil || !body.closed {
			t.Errorf("%s: the answer is not closed: %v", what, err)
		}
	}
}

// counted is a body that tells how much of it was read.
type counted struct {
	io.Reader
	read   int
	closed bool
}

func (c *counted) Read(into []byte) (int, error) {
	n, err := c.Reader.Read(into)
	c.read += n
	return n, err
}

func (c *counted) Close() error {
	c.closed = true
	return nil
}
