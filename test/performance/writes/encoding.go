package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	"k8s.io/client-go/features"
)

// encoding is how custom resources go over the wire, and into etcd.
type encoding struct {
	name, title string
	cbor        bool
	// flags of the API server.
	flags map[string]string
}

// CBOR is behind feature gates of the API server and of clients, which are closed by default (KEP-4222, alpha in 1.37). A merge
// patch is JSON in any case, its answer and what is stored are not.
var encodings = []encoding{
	{name: "json", title: "JSON"},
	{name: "cbor", title: "CBOR", cbor: true, flags: map[string]string{"feature-gates": "CBORServingAndStorage=true"}},
}

// gates are those of clients, by which one process has both kinds, one after the other.
var gates = newGates()

type clientGates struct {
	features.Gates
	cbor atomic.Bool
}

func newGates() *clientGates {
	g := &clientGates{Gates: features.FeatureGates()}
	features.ReplaceFeatureGates(g)
	return g
}

// Enabled reports whether a feature is on.
func (g *clientGates) Enabled(of features.Feature) bool {
	if of == features.ClientsAllowCBOR || of == features.ClientsPreferCBOR {
		return g.cbor.Load()
	}
	return g.Gates.Enabled(of)
}

// answers counts what the API server answers with.
type answers struct {
	http.RoundTripper
	all, cbor atomic.Int64
}

// RoundTrip passes a request on.
func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := a.RoundTripper.RoundTrip(r)
	if err == nil {
		a.all.Add(1)
		if strings.HasPrefix(answer.Header.Get("Content-Type"), "application/cbor") {
			a.cbor.Add(1)
		}
	}
	return answer, err
}

// check fails where clients and the API server have agreed on another encoding than the one that is measured.
func (a *answers) check(e encoding) error {
	all, cbor := a.all.Load(), a.cbor.Load()
	if e.cbor && cbor < all || !e.cbor && cbor > 0 {
		return fmt.Errorf("%d of %d answers were in CBOR", cbor, all)
	}
	return nil
}
