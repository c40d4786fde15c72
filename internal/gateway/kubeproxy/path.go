package kubeproxy

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
)

var (
	errForm   = errors.New("the target of the request is not a path: begin it with '/'")
	errPrefix = errors.New("there is nothing of this name here")
	errPath   = errors.New("the path has an empty or a dot segment, an encoded '/', or a character that no path of the API has")
)

// roots are what is served of an API server: its APIs, what it tells of them, and how it is. What a cluster's administrator
// looks at beside, such as its profile, is not for here.
var roots = []string{"api", "apis", "openapi", "version", "healthz", "livez", "readyz"}

// pathOf is the path of the request at the API server, without the prefix. A path that could be read in more than one way is
// refused, whatever it leads to: what decides here and what serves it there must see the same.
func pathOf(r *http.Request, prefix string) (string, error) {
	if r.Method == http.MethodConnect || !strings.HasPrefix(r.RequestURI, "/") || r.URL.Host != "" || r.URL.Opaque != "" || r.URL.Fragment != "" {
		return "", errForm
	}
	raw, _, _ := strings.Cut(r.RequestURI, "?")
	rest, found := strings.CutPrefix(raw, prefix)
	if !found || rest == "" || rest[0] != '/' {
		return "", errPrefix
	}
	// An API server takes a path with a '/' at its end for the one without.
	trimmed := strings.TrimSuffix(rest[1:], "/")
	segments := strings.Split(trimmed, "/")
	for i, segment := range segments {
		plain, err := url.PathUnescape(segment)
		if err != nil || !isPlain(plain) {
			return "", errPath
		}
		segments[i] = plain
	}
	for _, root := range roots {
		if segments[0] == root {
			return rest[:1] + strings.Join(segments, "/") + rest[1+len(trimmed):], nil
		}
	}
	return "", errPrefix
}

// isPlain reports whether a segment, decoded once, is one name and nothing else to anybody.
func isPlain(segment string) bool {
	if segment == "" || segment == "." || segment == ".." {
		return false
	}
	for i := range len(segment) {
		if c := segment[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`/\%?#;`, c) >= 0 {
			return false
		}
	}
	return true
}
