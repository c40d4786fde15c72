package jobpages

import (
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
