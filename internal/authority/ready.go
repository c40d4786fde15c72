package authority

import (
	"errors"
	"net/http"
)

// Ready is a check of readiness: who decides serves once everything is known.
func (a *Authority) Ready(*http.Request) error {
	if !a.Synced() {
		return errors.New("it is not known yet who may do what")
	}
	return nil
}
