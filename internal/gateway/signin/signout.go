package signin

import (
	"context"
	"net/http"

	"github.com/soma-platform/soma/internal/gateway/caller"
	"github.com/soma-platform/soma/internal/gateway/session"
)

// signOut ends what the request comes with everywhere: a session, which it takes from the browser as well, or a token.
func (s *Service) signOut(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), finishTimeout)
	defer cancel()
	c, err := s.Authenticate(r)
	if len(r.Header["Authorization"]) > 0 {
		s.signOutToken(ctx, w, r, c, err)
		return
	}
	session.Remove(w)
	hint := s.keys.TakeHint(w, r, pathSignOut)
	to := pathSignedOut
	if err == nil {
		if err := s.end(ctx, r, c); err != nil {
			s.fail(w, http.StatusServiceUnavailable, "You are signed out of this browser alone",
				"The cluster does not answer as it should: a copy of the session would still count. Tell an administrator, or sign in and out again.")
			return
		}
		if issuer := s.providers.ByURL(c.Identity.Issuer); issuer != nil {
			//nolint:contextcheck // what is found out of a provider is for all who ask
			if there := issuer.SignOutURL(hint); there != "" {
				to = there
			}
		}
	}
	http.Redirect(w, r, to, http.StatusSeeOther) //nolint:gosec // the address is the identity provider's own, or a path of ours
}

// signOutToken answers a program, whose token counts no more then.
func (s *Service) signOutToken(ctx context.Context, w http.ResponseWriter, r *http.Request, c caller.Caller, err error) {
	switch {
	case err != nil:
		Refuse(w, err)
	case c.Via == caller.ViaToken:
		http.Error(w, "tokens of service accounts are not signed out: they are revoked", http.StatusForbidden)
	case s.end(ctx, r, c) != nil:
		Refuse(w, caller.ErrUnavailable)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// end notes that what a caller came with does not count any more.
func (s *Service) end(ctx context.Context, r *http.Request, c caller.Caller) error {
	if err := s.people.end(ctx, c.User, c.UID, c.Session); err != nil {
		s.log.Error(err, "a session was not ended", "user", c.User, "session", c.Session)
		s.recordCaller(r, verbSignOut, &c, true, http.StatusServiceUnavailable, reasonUpstream, err.Error())
		return err
	}
	s.log.Info("signed out", "user", c.User, "session", c.Session, "via", c.Via)
	s.recordCaller(r, verbSignOut, &c, true, http.StatusOK, "", "")
	return nil
}
