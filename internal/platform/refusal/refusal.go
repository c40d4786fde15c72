// Package refusal tells writes that the API server will never take from those that are worth another try.
package refusal

import (
	"errors"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Final reports whether the same write would be refused again: the object is not valid, or larger than can be stored.
func Final(err error) bool { return apierrors.IsInvalid(err) || TooLarge(err) }

// TooLarge reports whether an object was refused for its size, by the API server or by its storage, which has no code of
// its own for that.
func TooLarge(err error) bool {
	return err != nil && (apierrors.IsRequestEntityTooLargeError(err) || strings.Contains(err.Error(), "request is too large"))
}

// Certain reports whether a write that failed took no effect and never will, as the API server refused it. After other errors
// it may have taken effect, or still do.
func Certain(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	code := status.Status().Code
	return TooLarge(err) || (code >= http.StatusBadRequest && code < http.StatusInternalServerError && code != http.StatusRequestTimeout)
}
