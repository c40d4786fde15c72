package jobpages

import (
	"net"
	"net/http"
	"net/url"
	"strings"
)

// What the proxy says of the request for which it asks. It is the only one who reaches the gateway there, and takes out what
// the client says of the same name.
const (
	forwardedHost   = "X-Forwarded-Host"
	forwardedMethod = "X-Forwarded-Method"
	forwardedURI    = "X-Forwarded-Uri"
	forwardedFor    = "X-Forwarded-For"
)

// maxURI bounds where a browser is sent back to; it goes into an address again.
const maxURI = 2048

// asked is the request of the client, as far as the answer depends on it.
type asked struct {
	host, method, uri string
	header            http.Header
	// source is to whom it is reckoned if it comes with a token that nobody can have given.
	source string
}

// readAsked takes from the proxy's question the request that it is about. It reports false where the proxy says it twice or
// not at all.
func readAsked(r *http.Request) (asked, bool) {
	host, method := r.Header[forwardedHost], r.Header[forwardedMethod]
	if len(host) != 1 || len(method) != 1 || host[0] == "" || method[0] == "" {
		return asked{}, false
	}
	a := asked{host: host[0], method: method[0], uri: r.Header.Get(forwardedURI), header: r.Header}
	// The last of them is from the proxy itself, whatever the client said before.
	if clients := r.Header[forwardedFor]; len(clients) > 0 {
		last := clients[len(clients)-1]
		a.source = net.JoinHostPort(strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:]), "0")
	}
	return a, true
}

// askedHere is a request of a client that comes to the gateway itself. Who sends it stands behind the proxy, and has no address here:
// what comes for one page is reckoned together.
func askedHere(r *http.Request) asked {
	source, _, _ := strings.Cut(r.Host, ":")
	return asked{host: r.Host, method: r.Method, uri: r.RequestURI, header: r.Header, source: source}
}

// upgrades reports whether the client wants another protocol on its connection, a WebSocket for instance. The proxy may have
// taken Connection and Upgrade out of its own question; a browser says it in Sec-Fetch-Mode as well.
func (a asked) upgrades() bool {
	return a.header.Get("Upgrade") != "" || strings.EqualFold(a.header.Get("Sec-Fetch-Mode"), "websocket") || a.header.Get("Sec-Websocket-Key") != ""
}

// events reports whether the client asks for a stream of events.
func (a asked) events() bool {
	return strings.Contains(strings.ToLower(strings.Join(a.header["Accept"], ",")), "text/event-stream")
}

// navigation reports whether a browser goes to the page as such: only then does it help to send it elsewhere.
func (a asked) navigation() bool {
	if a.method != http.MethodGet || a.upgrades() || a.header.Get("Authorization") != "" {
		return false
	}
	if mode := a.header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return strings.Contains(a.header.Get("Accept"), "text/html")
}

// sameOrigin reports whether no other site's page began the request. A browser says so in Origin, or in Sec-Fetch-Site.
func (a asked) sameOrigin() bool {
	origins := a.header["Origin"]
	if len(origins) > 1 {
		return false
	}
	if len(origins) == 1 {
		return origins[0] == "https://"+a.host
	}
	site := a.header.Get("Sec-Fetch-Site")
	// Without either it is no browser of today that asks for more than to look.
	return site == "same-origin" || site == "none"
}

// back is where the browser wanted to go on the page's host: a path with what follows it, or the root for what is no such.
func back(uri string) string {
	if uri == "" || len(uri) > maxURI || uri[0] != '/' || strings.HasPrefix(uri, "//") || strings.HasPrefix(uri, ownPath) {
		return "/"
	}
	for i := range len(uri) {
		if c := uri[i]; c <= ' ' || c >= 0x7f || c == '\\' {
			return "/"
		}
	}
	u, err := url.ParseRequestURI(uri)
	if err != nil || u.Host != "" || u.Scheme != "" || u.User != nil {
		return "/"
	}
	return uri
}
