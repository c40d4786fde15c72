package kubeproxy

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/soma-platform/soma/internal/gateway/caller"
)

// Whom to tell to sign in again, and whom to come again.
func TestUnauthenticated(t *testing.T) {
	tests := map[error]struct {
		code  int
		after string
	}{
		caller.ErrNone:                    {http.StatusUnauthorized, ""},
		caller.ErrRefused:                 {http.StatusUnauthorized, ""},
		errors.New("what nobody is told"): {http.StatusUnauthorized, ""},
		caller.ErrTooMany:                 {http.StatusTooManyRequests, "60"},
		caller.ErrUnavailable:             {http.StatusServiceUnavailable, "5"},
		caller.ErrUnreachable:             {http.StatusServiceUnavailable, "5"},
	}
	for err, want := range tests {
		answer := httptest.NewRecorder()
		unauthenticated(err).write(answer)
		if answer.Code != want.code || answer.Header().Get("Retry-After") != want.after {
			t.Errorf("%v: %d and to come again after %q s, want %+v", err, answer.Code, answer.Header().Get("Retry-After"), want)
		}
	}
}
