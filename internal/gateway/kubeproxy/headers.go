package kubeproxy

import (
	"net/http"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
)

// passed are the headers of a client that reach the API server. All others end here: a list of what is harmful would have to
// know every spelling of it.
var passed = []string{
	"Accept", "Accept-Encoding", "Content-Type", "If-Match", "If-None-Match", "Kubectl-Command", "Kubectl-Session", "User-Agent",
}

// passedUpgrading are those that open a connection of another protocol.
var passedUpgrading = []string{
	"Connection", "Upgrade", "Sec-Websocket-Key", "Sec-Websocket-Version", "Sec-Websocket-Extensions", "X-Stream-Protocol-Version",
}

const (
	// protocolHeader names the protocols that a client speaks over a WebSocket; tokenProtocol before one of them is how a
	// browser would show a token to an API server.
	protocolHeader = "Sec-Websocket-Protocol"
	tokenProtocol  = "base64url.bearer.authorization.k8s.io."

	// requestHeader is how an API server is told by what name to call a request in its own audit log.
	requestHeader = "Audit-Id"

	// tokenHeader tells an API server, and whoever it asks, by which token a user came: the key of access.TokenExtra.
	tokenHeader = authenticationv1.ImpersonateUserExtraHeaderPrefix + v1alpha1.GroupName + "%2Ftoken"

	// maxHeaderBytes bounds what is read of names and values.
	maxHeaderBytes = 64 << 10
)

// onBehalf is who a request at the API server is for: the gateway itself where there is no user. A token is named where it is for
// less than all that the user may.
type onBehalf struct {
	user, token string
	// self: they change their own User.
	self bool
}

// outgoing are the headers of a request at the API server: what passes of those of the client, and who it is for.
func outgoing(in http.Header, as onBehalf, id string, upgrading bool) http.Header {
	out := http.Header{}
	pass := func(names []string) {
		for _, name := range names {
			if values := in[name]; len(values) > 0 {
				out[name] = values
			}
		}
	}
	pass(passed)
	if upgrading {
		pass(passedUpgrading)
		if protocols := withoutTokens(in[protocolHeader]); protocols != "" {
			out[protocolHeader] = []string{protocols}
		}
	}
	if as.user != "" {
		out[authenticationv1.ImpersonateUserHeader] = []string{access.UserPrefix + as.user}
		out[authenticationv1.ImpersonateGroupHeader] = []string{access.UsersGroup}
		if as.self {
			out[authenticationv1.ImpersonateGroupHeader] = []string{access.UsersGroup, access.SelfGroup}
		}
		if as.token != "" {
			out[tokenHeader] = []string{as.token}
		}
	}
	out[requestHeader] = []string{id}
	return out
}

// impersonates reports whether a client asks to be taken for somebody else, in any spelling that somebody could read so. What it
// asks for would end here, and the answer be about another than the client means.
func impersonates(header http.Header) bool {
	for name := range header {
		if strings.HasPrefix(strings.ReplaceAll(strings.ToLower(name), "_", "-"), "impersonate-") {
			return true
		}
	}
	return false
}

// isSecret reports whether what is named as a protocol is no protocol, but shows who asks.
func isSecret(protocol string) bool {
	return strings.HasPrefix(protocol, tokenProtocol) || strings.HasPrefix(protocol, ticketProtocol)
}

// withoutTokens are the protocols but those that are tokens or tickets.
func withoutTokens(values []string) string {
	var protocols []string
	for _, value := range values {
		for protocol := range strings.SplitSeq(value, ",") {
			protocol = strings.TrimSpace(protocol)
			if protocol != "" && !isSecret(strings.ToLower(protocol)) {
				protocols = append(protocols, protocol)
			}
		}
	}
	return strings.Join(protocols, ", ")
}

// headerBytes is how much there is of names and values.
func headerBytes(header http.Header) int {
	size := 0
	for name, values := range header {
		for _, value := range values {
			size += len(name) + len(value)
		}
	}
	return size
}

// dropped are the headers of an API server that end here: the gateway's origin is the gateway's to speak for, and what a
// request is called it has said already.
var dropped = []string{
	requestHeader, "Alt-Svc", "Clear-Site-Data", "Server", "Set-Cookie", "Set-Cookie2", "Strict-Transport-Security", "Www-Authenticate",
}

// drop takes out of the API server's headers those that end here.
func drop(header http.Header) {
	for _, name := range dropped {
		delete(header, name)
	}
	for name := range header {
		if strings.HasPrefix(name, "Access-Control-") {
			delete(header, name)
		}
	}
}

// harden makes an answer one that a browser neither runs nor shows as a page.
func harden(header http.Header) {
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
}
