package gateway

import (
	"net/http"
	"slices"
	"strings"
)

// sameOrigin refuses what a page of another site begins that is more than a question: a connection that is upgraded is no safe
// request, though it is a GET, and browsers ask nobody before they open one. Programs send no Origin; they come with tokens.
func sameOrigin(origin string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !upgrades(r) {
			next.ServeHTTP(w, r)
			return
		}
		origins := r.Header["Origin"]
		own := len(origins) == 1 && origins[0] == origin
		if !own && (len(origins) > 0 || len(r.Header["Authorization"]) == 0) {
			http.Error(w, "a connection that is begun by another site's page is refused", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// upgrades reports whether a request asks for another protocol on its connection.
func upgrades(r *http.Request) bool {
	if len(r.Header["Upgrade"]) > 0 || r.Method == http.MethodConnect {
		return true
	}
	return slices.ContainsFunc(r.Header["Connection"], func(line string) bool { return strings.Contains(strings.ToLower(line), "upgrade") })
}
