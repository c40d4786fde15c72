package signin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"golang.org/x/sync/singleflight"
	"k8s.io/utils/lru"

	"github.com/soma-platform/soma/internal/gateway/provider"
	"github.com/soma-platform/soma/internal/gateway/session"
)

// Renew makes the session of a browser last while it is used: its cookie is sealed anew, by the newest key. Now and then the
// identity provider is asked whether the person is still one of its own; one that does not answer changes nothing.
func (s *Service) Renew(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.Header["Authorization"]) == 0 {
			s.renew(w, r)
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Service) renew(w http.ResponseWriter, r *http.Request) {
	kept, found, err := s.session(r)
	now := s.clock.Now()
	if err != nil || !found || now.Sub(kept.Sealed) < resealAfter || s.refusal(s.ofSession(kept)) != nil {
		return
	}
	if kept.Refresh != "" && now.Sub(kept.Asked) >= askAfter {
		if kept, err = s.ask(r.Context(), kept); err != nil {
			s.log.Info("session ended by the identity provider", "user", kept.User, "session", kept.ID, "why", err.Error())
			c := s.ofSession(kept)
			s.recordCaller(r, verbAuthenticate, &c, false, http.StatusUnauthorized, reasonProvider, err.Error())
			session.Remove(w)
			// This request is the last.
			r.Header.Del("Cookie")
			return
		}
	}
	kept.Sealed = now
	if err := s.keys.Put(w, kept); err != nil {
		s.log.Error(err, "a session was not renewed", "user", kept.User)
	}
}

// asked keeps, for a moment, what identity providers answered: a browser sends several requests at once, and most providers
// take a refresh token once.
type asked struct {
	flight singleflight.Group
	recent *lru.Cache
}

type verdict struct {
	at      time.Time
	session session.Session
	err     error
}

const (
	// recentFor is how long a verdict is taken for the requests that come with the cookie of before.
	recentFor = 2 * time.Minute
	maxRecent = 4096
	// retryAfter is how long a provider that did not answer is not asked again for a session.
	retryAfter = time.Minute
)

func newAsked() *asked { return &asked{recent: lru.New(maxRecent)} }

// ask asks the identity provider of a session, once for all requests that come with it.
func (s *Service) ask(ctx context.Context, kept session.Session) (session.Session, error) {
	key := hashOf(kept.ID + " " + kept.Refresh)
	if found, ok := s.asked.recent.Get(key); ok {
		if v := found.(verdict); s.clock.Since(v.at) < recentFor {
			return v.session, v.err
		}
	}
	// Who asked first may go away: the others still want to know.
	ctx = context.WithoutCancel(ctx)
	found, _, _ := s.asked.flight.Do(key, func() (any, error) {
		v := verdict{at: s.clock.Now(), session: kept}
		v.session, v.err = s.askNow(ctx, kept)
		s.asked.recent.Add(key, v)
		return v, nil
	})
	v, ok := found.(verdict)
	if !ok {
		return kept, nil
	}
	return v.session, v.err
}

func (s *Service) askNow(ctx context.Context, kept session.Session) (session.Session, error) {
	now := s.clock.Now()
	issuer := s.providers.ByURL(kept.Issuer)
	if issuer == nil {
		return kept, errors.New("its identity provider is not configured any more")
	}
	tokens, err := issuer.Refresh(ctx, kept.Refresh)
	if errors.Is(err, provider.ErrUnreachable) {
		s.log.Info("identity provider does not answer; sessions go on", "issuer", kept.Issuer, "why", err.Error())
		kept.Asked = now.Add(retryAfter - askAfter)
		return kept, nil
	}
	if err != nil {
		return kept, err
	}
	if tokens.Claims.Identity.Issuer != kept.Issuer || tokens.Claims.Identity.Subject != kept.Subject {
		return kept, errors.New("it answered for somebody else")
	}
	kept.Refresh, kept.Asked = tokens.Refresh, now
	if user := s.byIdentity(tokens.Claims.Identity); user != nil {
		if err := s.note(ctx, user, &tokens.Claims); err != nil {
			s.log.Error(err, "groups were not noted", "user", kept.User)
			kept.Asked = now.Add(retryAfter - askAfter)
		}
	}
	return kept, nil
}
