package gateway

import (
	"net/http"
	"strconv"

	"github.com/soma-platform/soma/internal/signin"
)

// retrySeconds is after how long to come again to a gateway that has just started.
const retrySeconds = 2

// always are what is answered without knowing anybody.
var always = map[string]bool{"/livez": true, "/readyz": true, signin.WellKnownPath: true}

// WhenReady keeps requests from a handler until it is known who there is. Before, everybody would be taken for somebody who is not
// known, and told to sign in again.
func (g *Gateway) WhenReady(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !g.options.Authority.Synced() && !always[r.URL.Path] {
			w.Header().Set("Retry-After", strconv.Itoa(retrySeconds))
			w.Header().Set("Cache-Control", "no-store")
			http.Error(w, "this gateway has just started and is reading users, roles and grants: try again in a moment", http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
}
