package kubeproxy

import (
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/sets"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"

	accessv1 "github.com/soma-platform/soma/api/access/v1alpha1"
	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
)

// attributes are what a request is about, as the API server will find it.
type attributes struct {
	access.Request
	// resource is false for what is no object, such as the list of APIs: then path says all.
	resource bool
	path     string
	version  string
	// long requests may last as long as the caller may: watches, logs and connections.
	long bool
	// upgrade is the protocol that is asked for; connection tells that the request is one by which it can be.
	upgrade    string
	connection bool
}

var (
	resolver = &apirequest.RequestInfoFactory{
		APIPrefixes: sets.NewString("api", "apis"), GrouplessAPIPrefixes: sets.NewString("api"),
	}
	longSubresources = []string{"attach", "exec", "log", "portforward"}
	connections      = []string{"attach", "exec", "portforward"}
	// protocols to which a connection may be upgraded.
	protocols = []string{"websocket", "SPDY/3.1"}
	// looking are the verbs that change nothing.
	looking = []string{"get", "list", "watch"}
	// selves are what everybody may ask the API server about themselves: that makes no object.
	selves = []string{"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"}
)

// attributesOf finds what a request is about from its path at the API server.
func attributesOf(r *http.Request, path string) (attributes, error) {
	info, err := resolver.NewRequestInfo(&http.Request{Method: r.Method, URL: &url.URL{Path: path, RawQuery: r.URL.RawQuery}})
	if err != nil {
		return attributes{}, err
	}
	a := attributes{
		Request: access.Request{
			Verb: info.Verb, Group: info.APIGroup, Resource: info.Resource, Subresource: info.Subresource,
			Namespace: info.Namespace, Name: info.Name,
		},
		resource: info.IsResourceRequest, path: path, version: info.APIVersion, upgrade: upgradeOf(r.Header),
	}
	pod := info.APIGroup == "" && info.Resource == "pods"
	a.connection = pod && slices.Contains(connections, info.Subresource)
	a.long = info.Verb == "watch" || pod && slices.Contains(longSubresources, info.Subresource)
	return a, nil
}

// upgradeOf is the protocol that a client asks to go on with, empty where it does not. Whoever asks for one that is not
// spoken here is answered without it.
func upgradeOf(header http.Header) string {
	for _, value := range header["Connection"] {
		for token := range strings.SplitSeq(value, ",") {
			if !strings.EqualFold(textproto.TrimString(token), "upgrade") {
				continue
			}
			for _, protocol := range protocols {
				if strings.EqualFold(header.Get("Upgrade"), protocol) {
					return protocol
				}
			}
		}
	}
	return ""
}

// namesPod reports whether the request is about one pod.
func (a *attributes) namesPod() bool {
	return a.Group == "" && a.Resource == "pods" && a.Name != "" && a.Namespace != ""
}

// changes reports whether the request is to change something.
func (a *attributes) changes() bool {
	if a.self() {
		return false
	}
	return a.resource && !slices.Contains(looking, a.Verb) || !a.resource && a.Verb != "get" && a.Verb != "head"
}

// secret reports whether the request is about secrets: who has read one can use it from then on.
func (a *attributes) secret() bool { return a.resource && a.Group == "" && a.Resource == "secrets" }

// self reports whether the request is a question that everybody may ask: of the API server about themselves, or of Soma about
// rights, which tells them what they may know with the token that they came with.
func (a *attributes) self() bool {
	if a.Verb != "create" || a.Namespace != "" || a.Subresource != "" {
		return false
	}
	switch a.Group {
	case "authorization.k8s.io", "authentication.k8s.io":
		return slices.Contains(selves, a.Resource)
	case accessv1.GroupName:
		return slices.Contains(accessv1.Resources(), a.Resource)
	}
	return false
}

// shares reports whether the request makes or removes a grant. Whether a token is for that depends on what the grant gives:
// admission sees it, and is told of the token.
func (a *attributes) shares() bool {
	return a.Group == v1alpha1.GroupName && a.Resource == "grants" && a.Subresource == "" && (a.Verb == "create" || a.Verb == "delete")
}

// told is what is said of the query in records: nothing that a client may write at will.
var told = []string{"container", "dryRun", "follow", "propagationPolicy", "watch"}

// query is what records say of a query.
func query(r *http.Request) string {
	all, kept := r.URL.Query(), url.Values{}
	for _, name := range told {
		if value := all.Get(name); value != "" {
			kept.Set(name, value[:min(len(value), 63)])
		}
	}
	return kept.Encode()
}

// key is the same for requests that are allowed or refused alike.
func (a *attributes) key() string {
	return strings.Join([]string{a.Verb, a.Group, a.Resource, a.Subresource, a.Namespace, a.Name, a.path}, " ")
}
