package matrix

import (
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"

	"github.com/soma-platform/soma/test/integration/harness"
)

// kind is a kind that the API server serves, or a subresource of one.
type kind struct {
	group, version, resource, sub string
	// kind is the name of the objects' kind.
	kind       string
	namespaced bool
	// verbs that it knows, beside one another.
	verbs string
}

// String names it as in jobs/status.platform.soma.dev; in the core group it has no suffix.
func (k kind) String() string {
	name := k.resource
	if k.sub != "" {
		name += "/" + k.sub
	}
	if k.group != "" {
		name += "." + k.group
	}
	return name
}

func (k kind) apiVersion() string {
	return schema.GroupVersion{Group: k.group, Version: k.version}.String()
}

// path of an object, of all in a namespace, or of all.
func (k kind) path(namespace, name string) string {
	parts := []string{"/apis", k.group, k.version}
	if k.group == "" {
		parts = []string{"/api", k.version}
	}
	if namespace != "" {
		parts = append(parts, "namespaces", namespace)
	}
	for _, part := range []string{k.resource, name, k.sub} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "/")
}

// discover finds all that the API server serves, each in the version that it prefers: rights know no versions.
func discover(g Gomega) []kind {
	GinkgoHelper()
	client, err := discovery.NewDiscoveryClientForConfig(harness.Server.Config)
	g.Expect(err).NotTo(HaveOccurred())
	groups, lists, err := client.ServerGroupsAndResources()
	g.Expect(err).NotTo(HaveOccurred())
	var kinds []kind
	for _, group := range groups {
		seen := map[string]bool{}
		versions := []string{group.PreferredVersion.GroupVersion}
		for _, version := range group.Versions {
			versions = append(versions, version.GroupVersion)
		}
		for _, version := range versions {
			for _, list := range lists {
				if list.GroupVersion != version {
					continue
				}
				for i := range list.APIResources {
					found := &list.APIResources[i]
					if seen[found.Name] {
						continue
					}
					seen[found.Name] = true
					k := kind{group: group.Name, kind: found.Kind, namespaced: found.Namespaced, verbs: strings.Join(found.Verbs, " ")}
					k.version = version[strings.LastIndex(version, "/")+1:]
					k.resource, k.sub, _ = strings.Cut(found.Name, "/")
					kinds = append(kinds, k)
				}
			}
		}
	}
	slices.SortFunc(kinds, func(a, b kind) int { return strings.Compare(a.String(), b.String()) })
	return kinds
}

// unsampled are kinds of which no object can be made here, each with the reason.
var unsampled = map[string]string{
	"componentstatuses":                          "are made up by the API server as it is asked",
	"podcertificaterequests.certificates.k8s.io": "need a proof that the kubelet has the key",
}

// samples are an object of each kind, and requests what is asked of those that are not kept, by the names of the kinds.
type samples struct {
	objects, requests map[string]*unstructured.Unstructured
}

// readSamples finds a sample of each kind, and says what is missing: for who adds a kind.
func readSamples(kinds []kind) samples {
	GinkgoHelper()
	s := samples{map[string]*unstructured.Unstructured{}, map[string]*unstructured.Unstructured{}}
	names := map[string]string{}
	for _, k := range kinds {
		if k.sub == "" {
			names[k.apiVersion()+" "+k.kind] = k.String()
		}
	}
	for file, into := range map[string]map[string]*unstructured.Unstructured{"samples.yaml": s.objects, "requests.yaml": s.requests} {
		for _, object := range read("testdata/" + file) {
			name := names[object.GetAPIVersion()+" "+object.GetKind()]
			Expect(name).NotTo(BeEmpty(), "testdata/%s has a %s of %s, which the API server does not serve: remove it", file, object.GetKind(), object.GetAPIVersion())
			into[name] = object
		}
	}
	var missing []string
	for _, k := range kinds {
		if _, found := ruleOf(k); !found {
			missing = append(missing, fmt.Sprintf("%s: nobody wrote down who may do what with it: add it to a rule in rules_test.go, or, if no right of Soma's is about its group, the group to closed", k))
		}
		if k.sub != "" || ofSoma(k) || unsampled[k.String()] != "" {
			continue
		}
		if s.objects[k.String()] == nil && s.requests[k.String()] == nil {
			missing = append(missing, fmt.Sprintf("%s: there is no sample of it: add a %s of %s to testdata/samples.yaml; if it is asked and not kept, to requests.yaml", k, k.kind, k.apiVersion()))
		}
	}
	Expect(missing).To(BeEmpty(), "the API server serves kinds that the matrix does not know:\n%s", strings.Join(missing, "\n"))
	return s
}

// ofSoma reports whether there are objects of the kind in the world that the people work in.
func ofSoma(k kind) bool { return places[k.parent()] != nil }

// parent is the name of the kind, also for a subresource of it.
func (k kind) parent() string { return kind{group: k.group, resource: k.resource}.String() }
