package jobpages

import "strings"

// maxHost is the longest name of a host, with a port.
const maxHost = 253 + len(":65535")

// label is the first label of a host below a domain, and false for every other host: of another domain or port, deeper below,
// or written in a way that is not the one.
func label(host, domain string) (string, bool) {
	if len(host) > maxHost {
		return "", false
	}
	label, below := strings.CutSuffix(host, "."+domain)
	if !below || label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return "", false
	}
	for i := range len(label) {
		c := label[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return "", false
		}
	}
	return label, true
}
