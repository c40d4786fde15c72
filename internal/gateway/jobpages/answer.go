package jobpages

import (
	"net/http"
	"strings"
)

// beyond are headers by which the answer of a job would reach further than its own page: it would sign people out of other
// pages, lead browsers to another address, ask people for a password that the gateway then takes for one of its own, or tell some
// proxies to answer with files of theirs.
var beyond = []string{"Clear-Site-Data", "Alt-Svc", "Www-Authenticate", "X-Accel-Redirect", "X-Sendfile"}

// clean takes out of the header of a job's answer what no job may say, and leaves all else as it is.
func clean(header http.Header) {
	for _, name := range beyond {
		header.Del(name)
	}
	lines := header["Set-Cookie"]
	if len(lines) == 0 {
		return
	}
	header.Del("Set-Cookie")
	for _, line := range lines {
		if theirs(line) {
			header.Add("Set-Cookie", line)
		}
	}
}

// theirs reports whether a line of Set-Cookie is about a cookie of the page's host alone that is none of ours. It is read as browsers
// do (RFC 6265bis), who take lines for cookies that net/http does not.
func theirs(line string) bool {
	pair, attributes, _ := strings.Cut(line, ";")
	// A cookie without a name is sent as its value, which could be one of ours with its name.
	if strings.Contains(strings.ToLower(pair), ownPrefix) {
		return false
	}
	for attribute := range strings.SplitSeq(attributes, ";") {
		if name, _, _ := strings.Cut(attribute, "="); strings.EqualFold(strings.TrimSpace(name), "domain") {
			return false
		}
	}
	return true
}

// answered is the writer of a job's answer, also of what comes before it (1xx).
type answered struct{ http.ResponseWriter }

// Unwrap lets http.ResponseController find what the writer can do.
func (a answered) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// WriteHeader begins the answer.
func (a answered) WriteHeader(code int) {
	if code == http.StatusContinue {
		return // the server says it itself, once the body is read
	}
	header := a.Header()
	clean(header)
	if _, told := header["Content-Type"]; !told {
		header["Content-Type"] = nil // or net/http guesses one
	}
	a.ResponseWriter.WriteHeader(code)
}
