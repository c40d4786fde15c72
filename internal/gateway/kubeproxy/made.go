package kubeproxy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
)

// maxNameBytes bounds how far into an answer the name of what was made is looked for.
const maxNameBytes = 64 << 10

// learnName finds what was made in the answer to a request whose path does not name it: the API server says it, also where it made the
// name up. Where it made nothing it says what of. In other forms than JSON it is not looked for. The answer stays as it is.
func (x *exchange) learnName(response *http.Response) {
	holder := "details"
	switch a := &x.attributes; {
	case a.Verb != "create" || a.Name != "" || !a.changes():
		return
	case response.StatusCode == http.StatusCreated:
		holder = "metadata"
	case response.StatusCode < http.StatusBadRequest:
		return
	}
	if !plainJSON(response) {
		return
	}
	var read bytes.Buffer
	body := response.Body
	x.made = nameIn(io.TeeReader(io.LimitReader(body, maxNameBytes), &read), holder)
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(&read, body), body}
}

// plainJSON reports whether the body of an answer is JSON as it stands there.
func plainJSON(response *http.Response) bool {
	media, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	return err == nil && media == "application/json" && response.Header.Get("Content-Encoding") == ""
}

// nameIn is the name that a field of an object has, empty where none is found.
func nameIn(from io.Reader, holder string) string {
	decoder := json.NewDecoder(from)
	for _, field := range []string{holder, "name"} {
		if goTo(decoder, field) != nil {
			return ""
		}
	}
	token, err := decoder.Token()
	name, ok := token.(string)
	if err != nil || !ok {
		return ""
	}
	return name
}

// goTo reads the object that comes next up to the value of a field.
func goTo(decoder *json.Decoder, field string) error {
	if err := expect(decoder, json.Delim('{')); err != nil {
		return err
	}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil || key == json.Token(field) {
			return err
		}
		var skipped json.RawMessage
		if err := decoder.Decode(&skipped); err != nil {
			return err
		}
	}
	return errors.New("the object has no such field")
}
