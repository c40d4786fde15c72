package kubeproxy

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/gateway/caller"
	"github.com/soma-platform/soma/internal/signin"
)

// Who is barred is told so, in words and in a cause for programs; whatever else is wrong with credentials nobody is told.
func TestBarredAreTold(t *testing.T) {
	service := &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: "ci"}, Spec: v1alpha1.UserSpec{Owner: "alice"}}
	barred := unauthenticated(fmt.Errorf("in the log: %w", caller.Inactive(service))).status
	if barred.Message != "the User ci is a service account, and alice, who answers for it, is disabled or gone: ask an administrator" ||
		barred.Details == nil || len(barred.Details.Causes) != 1 || barred.Details.Causes[0].Type != signin.CauseBarred {
		t.Errorf("%+v", barred)
	}
	other := unauthenticated(errors.New("what nobody is told")).status
	if other.Message != caller.ErrRefused.Error() || other.Details != nil {
		t.Errorf("%+v", other)
	}
}

// Whom to tell to sign in again, and whom to come again.
func TestUnauthenticated(t *testing.T) {
	tests := map[error]struct {
		code  int
		after string
	}{
		caller.ErrNone:                      {http.StatusUnauthorized, ""},
		caller.ErrRefused:                   {http.StatusUnauthorized, ""},
		errors.New("what nobody is told"):   {http.StatusUnauthorized, ""},
		caller.Unknown(v1alpha1.Identity{}): {http.StatusUnauthorized, ""},
		caller.ErrTooMany:                   {http.StatusTooManyRequests, "60"},
		caller.ErrUnavailable:               {http.StatusServiceUnavailable, "5"},
		caller.ErrUnreachable:               {http.StatusServiceUnavailable, "5"},
	}
	for err, want := range tests {
		answer := httptest.NewRecorder()
		unauthenticated(err).write(answer)
		if answer.Code != want.code || answer.Header().Get("Retry-After") != want.after {
			t.Errorf("%v: %d and to come again after %q s, want %+v", err, answer.Code, answer.Header().Get("Retry-After"), want)
		}
	}
}
