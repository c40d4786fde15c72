package jobpages

import (
	"net/http"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// maxHost is the longest name of a host, with a port.
const maxHost = 253 + len(":65535")

// label is the first label of a host below a domain, and false for every other host: of another domain or port, deeper below,
// or written in a way that is not the one.
func label(host, domain string) (string, bool) {
	if len(host) > maxHost {
		return "", false
	}
	label, below := strings.CutSuffix(host, "."+domain)
	if !below || len(validation.IsDNS1123Label(label)) > 0 {
		return "", false
	}
	return label, true
}

// Has reports whether a host is that of a page, or could be meant to be one: the domain itself, and whatever is below it in any
// spelling. What comes by such a host reaches pages alone, and they alone are reached by it.
func (s *Service) Has(host string) bool {
	domain, _, _ := strings.Cut(s.Domain, ":")
	return strings.Contains("."+strings.TrimLeft(strings.ToLower(host), "["), "."+domain)
}

// Handler answers what comes to the gateway by a host of pages: where a browser comes back from signing in, and all that goes
// through to jobs.
func (s *Service) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == ownPath+"enter" && r.Method == http.MethodGet {
			s.comeBack(w, r)
			return
		}
		s.through(w, r)
	})
}
