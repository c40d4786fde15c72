package jobpages

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"

	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/gateway/caller"
	"github.com/soma-platform/soma/internal/gateway/session"
)

// maxTo bounds where a browser goes back to after it signed in: it comes along in an address, which signing in bounds.
const maxTo = 512

// sendToSignIn sends a browser to the gateway. What it keeps on the page's host binds to it what it will come back with.
func (s *Service) sendToSignIn(w http.ResponseWriter, request asked) {
	bind := rand.Text()
	to := back(request.uri)
	if len(to) > maxTo {
		to = "/"
	}
	http.SetCookie(w, cookie(bindCookie, bind, signInTime))
	query := url.Values{"host": {request.host}, "bind": {hashed(bind)}, "to": {to}}
	quiet(w)
	http.Redirect(w, &http.Request{Method: http.MethodGet}, s.Gateway+enterPath+"?"+query.Encode(), http.StatusFound)
}

func hashed(bind string) string {
	sum := sha256.Sum256([]byte(bind))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// quiet keeps an answer from being kept, and its address from being told to others.
func quiet(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
}

// enter is asked by a browser at the gateway: who is signed in there, and may see the page, is sent to its host with a code.
// The page's host is one of ours that has a job now, and is made anew from what was understood.
func (s *Service) enter(w http.ResponseWriter, r *http.Request) {
	quiet(w)
	query := r.URL.Query()
	host, bind := query.Get("host"), query.Get("bind")
	name, ours := label(host, s.Domain)
	if !ours || len(bind) != base64.RawURLEncoding.EncodedLen(sha256.Size) {
		s.say(w, http.StatusNotFound, true, absentMessage)
		return
	}
	who, err := s.Authenticator.Authenticate(r)
	if err != nil || who.Via != caller.ViaCookie {
		next := url.URL{Path: enterPath, RawQuery: url.Values{"host": {host}, "bind": {bind}, "to": {back(query.Get("to"))}}.Encode()}
		http.Redirect(w, r, s.SignInPath+"?"+url.Values{"next": {next.String()}}.Encode(), http.StatusFound)
		return
	}
	page, there := s.Pages.ByLabel(name)
	if !there || !page.public() && !s.Rights.Tree(who.User).Allows(page.Target, access.Read) {
		s.recordVisit(who, host, page, http.StatusNotFound, r.RemoteAddr)
		s.say(w, http.StatusNotFound, true, absentMessage)
		return
	}
	s.recordVisit(who, host, page, http.StatusOK, r.RemoteAddr)
	v := visitOf(who)
	v.Host, v.JobUID, v.Bind, v.Until = host, string(page.Job.UID), bind, s.Clock.Now().Add(codeLifetime)
	code, err := v.seal(s.Keys, session.ForCode)
	if err != nil {
		s.Log.Error(err, "no code was made for a job's page", "host", host)
		s.say(w, http.StatusInternalServerError, true, "The page cannot be shown now.")
		return
	}
	back := url.URL{Scheme: "https", Host: host, Path: ownPath + "enter", RawQuery: url.Values{"code": {code}, "to": {back(query.Get("to"))}}.Encode()}
	http.Redirect(w, r, back.String(), http.StatusFound)
}

// comeBack is asked by a browser at the page's host: with a code that was made for it and this host it is given the cookie.
func (s *Service) comeBack(w http.ResponseWriter, r *http.Request) {
	quiet(w)
	now := s.Clock.Now()
	if _, ours := label(r.Host, s.Domain); !ours {
		s.say(w, http.StatusNotFound, true, absentMessage)
		return
	}
	v, err := open(s.Keys, session.ForCode, r.URL.Query().Get("code"), r.Host, now)
	bind := single(r.Header, bindCookie)
	// With the cookie goes the code: nobody comes back with it a second time.
	http.SetCookie(w, cookie(bindCookie, "", 0))
	if err != nil || bind == "" || subtle.ConstantTimeCompare([]byte(hashed(bind)), []byte(v.Bind)) != 1 || !s.Authenticator.StillValid(v.caller()) {
		s.say(w, http.StatusForbidden, true, "This sign-in is not yours, or is over. Go to the page again.")
		return
	}
	v.Bind, v.Until = "", now.Add(pageLifetime)
	sealed, err := v.seal(s.Keys, session.ForPage)
	if err != nil {
		s.Log.Error(err, "no cookie was made for a job's page", "host", r.Host)
		s.say(w, http.StatusInternalServerError, true, "The page cannot be shown now.")
		return
	}
	http.SetCookie(w, cookie(pageCookie, sealed, pageLifetime))
	http.Redirect(w, r, back(r.URL.Query().Get("to")), http.StatusSeeOther) //nolint:gosec // back leaves paths of this host alone
}
