package kubeproxy

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// maxItemBytes bounds one object of a list or watch. An API server's own bound is about a tenth of it.
const maxItemBytes = 16 << 20

// serveFiltered reads a list or watch with the gateway's own right, and answers with what the caller may see of it.
func (p *Proxy) serveFiltered(x *exchange) *refusal {
	if x.request.Method != http.MethodGet {
		return refuse(ReasonPath, http.StatusMethodNotAllowed, metav1.StatusReasonMethodNotAllowed, "ask for a list by GET")
	}
	accept := acceptedJSON(x.request.Header["Accept"])
	if accept == "" {
		return refuse(ReasonPath, http.StatusNotAcceptable, metav1.StatusReasonNotAcceptable,
			"of this list you may see some, and it is shown as application/json alone")
	}
	if !p.rates.AllowN(x.caller.User, x.began, filteredCost) {
		return tooOften(p.limits, filteredCost)
	}
	values := x.request.URL.Query()
	if values.Get("continue") != "" {
		// None was given: where a page ends would tell of what may not be seen.
		status := apierrors.NewResourceExpired("this list comes in one piece: ask for it without continue").Status()
		return &refusal{status: status}
	}
	values.Del("limit")
	bare := values.Get("includeObject") == string(metav1.IncludeNone)
	if bare {
		values.Set("includeObject", string(metav1.IncludeMetadata))
	}
	response, err := p.read(x, values, accept)
	if err != nil {
		return p.failure(x, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return p.passFailure(x, response)
	}
	header := x.tap.Header()
	for _, name := range []string{"Cache-Control", "Content-Type", "Warning"} {
		if values := response.Header[name]; len(values) > 0 {
			header[name] = values
		}
	}
	harden(header)
	x.tap.WriteHeader(http.StatusOK)
	s := sieve{bare: bare, shows: func(item *itemMeta) bool { return p.shows(x.stream.filter, p.tree(&x.caller), item) }}
	if x.attributes.Verb == "watch" {
		p.filterWatch(x, &s, response.Body)
		return nil
	}
	out := bufio.NewWriterSize(x.tap, copyBytes)
	if err := errors.Join(s.list(response.Body, out), out.Flush()); err != nil {
		// It has begun: what is missing must not look as if it were not there.
		panic(http.ErrAbortHandler)
	}
	return nil
}

// read asks the API server as the gateway.
func (p *Proxy) read(x *exchange, values url.Values, accept string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(x.context, http.MethodGet, p.address(x.attributes.path, values.Encode()).String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header = outgoing(http.Header{"Accept": {accept}, "User-Agent": x.request.Header["User-Agent"]}, onBehalf{}, x.id.String(), false)
	return p.transport.RoundTrip(request)
}

// passFailure answers as the API server did, unless it is the gateway that it refuses.
func (p *Proxy) passFailure(x *exchange, response *http.Response) *refusal {
	body, err := io.ReadAll(io.LimitReader(response.Body, maxStatusBytes))
	var status metav1.Status
	if err == nil {
		err = json.Unmarshal(body, &status)
	}
	switch {
	case err != nil, response.StatusCode == http.StatusUnauthorized, response.StatusCode == http.StatusForbidden:
		p.log.Error(err, "The API server does not let the gateway read a list", "request", x.id.String(), "code", response.StatusCode,
			"group", x.attributes.Group, "resource", x.attributes.Resource, "message", status.Message)
		return unavailable()
	}
	return &refusal{status: status}
}

// filterWatch passes on the events of a watch that the caller may see.
func (p *Proxy) filterWatch(x *exchange, s *sieve, body io.Reader) {
	control := http.NewResponseController(x.tap)
	// The answer begins before there is an event.
	if control.Flush() != nil {
		return
	}
	limit := &bounded{reader: body}
	decoder := json.NewDecoder(limit)
	for {
		limit.left = maxItemBytes
		line, err := s.event(decoder)
		if err != nil {
			break
		}
		if line == nil {
			continue
		}
		if _, err := x.tap.Write(append(line, '\n')); err != nil || control.Flush() != nil {
			break
		}
	}
	_, _ = x.tap.Write(parting(context.Cause(x.context))) // who has gone needs not be told
}

// itemMeta is what of an object decides whether it is shown.
type itemMeta struct {
	Name      string            `json:"name"`
	Namespace string            `json:"namespace"`
	Labels    map[string]string `json:"labels"`
}

// sieve lets pass of lists and events what may be seen.
type sieve struct {
	shows func(item *itemMeta) bool
	// bare takes the objects out of the rows of a table, that were needed only to decide.
	bare bool
}

type object struct {
	Kind     string            `json:"kind"`
	Metadata *itemMeta         `json:"metadata"`
	Rows     []json.RawMessage `json:"rows"`
}

// row is one of a table.
type row struct {
	Cells      json.RawMessage `json:"cells"`
	Conditions json.RawMessage `json:"conditions,omitempty"`
	Object     json.RawMessage `json:"object,omitempty"`
}

// passes returns an item of a list, or a row of a table, as it is to be shown; nil if it is not.
func (s *sieve) passes(raw json.RawMessage, isRow bool) (json.RawMessage, error) {
	var one row
	holder := raw
	if isRow {
		if err := json.Unmarshal(raw, &one); err != nil {
			return nil, err
		}
		holder = one.Object
	}
	var found object
	if err := json.Unmarshal(holder, &found); err != nil {
		return nil, err
	}
	if found.Metadata == nil || found.Metadata.Name == "" || !s.shows(found.Metadata) {
		return nil, nil
	}
	if isRow && s.bare {
		one.Object = nil
		return json.Marshal(&one)
	}
	return raw, nil
}

// list copies a list or a table, one item at a time.
func (s *sieve) list(in io.Reader, out *bufio.Writer) error {
	limit := &bounded{reader: in, left: maxItemBytes}
	decoder := json.NewDecoder(limit)
	if err := expect(decoder, json.Delim('{')); err != nil {
		return err
	}
	w := &joiner{out: out}
	w.text("{")
	for first := true; decoder.More(); first = false {
		key, err := decoder.Token()
		if err != nil {
			return err
		}
		name, ok := key.(string)
		if !ok {
			return fmt.Errorf("a list has %v where a name was expected", key)
		}
		w.key(name, first)
		limit.left = maxItemBytes
		switch name {
		case "items", "rows":
			err = s.items(decoder, limit, w, name == "rows")
		case "metadata":
			err = listMeta(decoder, w)
		default:
			var raw json.RawMessage
			if err = decoder.Decode(&raw); err == nil {
				w.raw(raw)
			}
		}
		if err != nil {
			return err
		}
	}
	if err := expect(decoder, json.Delim('}')); err != nil {
		return err
	}
	w.text("}\n")
	return w.err
}

func (s *sieve) items(decoder *json.Decoder, limit *bounded, w *joiner, rows bool) error {
	opening, err := decoder.Token()
	if err != nil {
		return err
	}
	if opening == nil {
		w.text("null")
		return nil
	}
	if opening != json.Delim('[') {
		return errors.New("a list whose items are none")
	}
	w.text("[")
	for first := true; decoder.More(); {
		limit.left = maxItemBytes
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			return err
		}
		shown, err := s.passes(raw, rows)
		if err != nil {
			return err
		}
		if shown == nil {
			continue
		}
		if !first {
			w.text(",")
		}
		first = false
		w.raw(shown)
	}
	w.text("]")
	return expect(decoder, json.Delim(']'))
}

// listMeta copies the metadata of a list without what tells how much there is.
func listMeta(decoder *json.Decoder, w *joiner) error {
	var fields map[string]json.RawMessage
	if err := decoder.Decode(&fields); err != nil {
		return err
	}
	delete(fields, "continue")
	delete(fields, "remainingItemCount")
	raw, err := json.Marshal(fields)
	if err == nil {
		w.raw(raw)
	}
	return err
}

// event reads the next event of a watch and returns it as it is to be shown, nil if it is not.
func (s *sieve) event(decoder *json.Decoder) ([]byte, error) {
	var one struct {
		Type   string          `json:"type"`
		Object json.RawMessage `json:"object"`
	}
	if err := decoder.Decode(&one); err != nil {
		return nil, err
	}
	if one.Type == "BOOKMARK" || one.Type == "ERROR" {
		return json.Marshal(&one)
	}
	var found object
	if err := json.Unmarshal(one.Object, &found); err != nil {
		return nil, err
	}
	if found.Kind != "Table" {
		shown, err := s.passes(one.Object, false)
		if err != nil || shown == nil {
			return nil, err
		}
		return json.Marshal(&one)
	}
	kept := found.Rows[:0]
	for _, raw := range found.Rows {
		shown, err := s.passes(raw, true)
		if err != nil {
			return nil, err
		}
		if shown != nil {
			kept = append(kept, shown)
		}
	}
	if len(kept) == 0 {
		return nil, nil
	}
	var table map[string]json.RawMessage
	if err := json.Unmarshal(one.Object, &table); err != nil {
		return nil, err
	}
	rows, err := json.Marshal(kept)
	if err != nil {
		return nil, err
	}
	table["rows"] = rows
	if one.Object, err = json.Marshal(table); err != nil {
		return nil, err
	}
	return json.Marshal(&one)
}

// acceptedJSON are those of the forms that a client takes that are JSON: a table, metadata alone, or the objects.
func acceptedJSON(values []string) string {
	var kept []string
	for _, value := range values {
		for form := range strings.SplitSeq(value, ",") {
			switch media, _, err := mime.ParseMediaType(form); {
			case err != nil:
			case media == "application/json":
				kept = append(kept, strings.TrimSpace(form))
			case media == "*/*" || media == "application/*":
				kept = append(kept, "application/json")
			}
		}
	}
	if len(values) == 0 {
		return "application/json"
	}
	return strings.Join(slices.Compact(kept), ",")
}
