package jobpages

import (
	"net/http"
	"strings"
	"testing"
)

// A host is of pages or of the gateway, never of both.
func TestHas(t *testing.T) {
	w := newWorld(t)
	for host, want := range map[string]bool{
		host: true, domain: true, "TRAIN--vision.Jobs.example.org": true, host + ":443": true, host + ".": true, host + ".:1": true, "a.b." + domain: true,
		"." + domain: true, domain + ".": true, "x@y." + domain: true, "[" + host + "]:443": true, host + "/": true, host + ".evil.com": true, "soma.example.com": false, "": false, "not" + domain: false,
		"127.0.0.1:8443": false, "[::1]:8443": false, "soma-gateway.soma-system.svc": false,
	} {
		if got := w.Has(host); got != want {
			t.Errorf("%q: %t", host, got)
		}
	}
	for _, gateway := range []string{"https://" + domain, "https://soma." + domain, "https://soma." + domain + ":8443"} {
		o := w.Options
		o.Gateway = gateway
		if _, err := New(o); err == nil {
			t.Errorf("the gateway is at %s", gateway)
		}
	}
}

// Whatever somebody tries with tokens, it is reckoned to where they are, as the proxy says.
func TestSources(t *testing.T) {
	for lines, want := range map[string]string{"192.0.2.1": "192.0.2.1:0", "10.0.0.1, 192.0.2.1": "192.0.2.1:0", "10.0.0.1|2001:db8::1": "[2001:db8::1]:0", "": ""} {
		r := &http.Request{Header: http.Header{forwardedHost: {host}, forwardedMethod: {http.MethodGet}}}
		if lines != "" {
			r.Header[forwardedFor] = strings.Split(lines, "|")
		}
		if a, ok := readAsked(r); !ok || a.source != want {
			t.Errorf("%q: %q", lines, a.source)
		}
	}
	// What comes to the gateway itself has the address of the proxy, which is nobody's.
	if a := askedHere(&http.Request{Host: host + ":8443", RemoteAddr: "10.0.0.1:5", Header: http.Header{forwardedFor: {"192.0.2.1"}}}); a.source != host {
		t.Errorf("%q", a.source)
	}
}
