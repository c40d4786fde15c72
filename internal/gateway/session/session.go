package session

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The names of the cookies. Browsers send what begins like this by TLS alone, and keep the first two to this very host.
const (
	cookieName       = "__Host-soma"
	signInCookieName = "__Host-soma-sign-in"
	hintCookieName   = "__Secure-soma-sign-out"
)

// Session is who is signed in, as the browser keeps it.
type Session struct {
	// ID names the session. It says when it ends, so that a list of ended ones is not kept longer.
	ID string `json:"id"`
	// User and UID are whose it is.
	User string `json:"user"`
	UID  string `json:"uid"`
	// Issuer and Subject are how they showed who they are.
	Issuer  string `json:"iss"`
	Subject string `json:"sub"`
	// SignedIn is when, and Ends when that is over, whatever happens.
	SignedIn time.Time `json:"at"`
	Ends     time.Time `json:"ends"`
	// Sealed is when the cookie was last made.
	Sealed time.Time `json:"sealed"`
	// Asked is when the identity provider last said that all is as it was.
	Asked time.Time `json:"asked"`
	// Refresh is the token by which the identity provider is asked; empty where it gave none or it is too long.
	Refresh string `json:"refresh,omitempty"`
}

// SignIn is a sign-in that is under way, as the browser keeps it.
type SignIn struct {
	Issuer   string    `json:"iss"`
	State    string    `json:"state"`
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"`
	Next     string    `json:"next"`
	Begun    time.Time `json:"begun"`
	// First is the token of the link for the first administrator, if that is how it began.
	First string `json:"first,omitempty"`
}

// NewID makes the name of a session that ends at a time.
func NewID(ends time.Time) string { return ID(ends, strings.ToLower(rand.Text())) }

// ID is the name of a session that ends at a time and is told from others by a text.
func ID(ends time.Time, text string) string { return strconv.FormatInt(ends.Unix(), 10) + "-" + text }

// Ended is when a session ends, by its name.
func Ended(id string) (time.Time, bool) {
	seconds, _, found := strings.Cut(id, "-")
	unix, err := strconv.ParseInt(seconds, 10, 64)
	return time.Unix(unix, 0), found && err == nil && unix > 0
}

// Same reports whether two names are of one session. When it ends is not asked: gateways of another configuration can have
// named a token with another time.
func Same(a, b string) bool {
	if _, text, found := strings.Cut(a, "-"); found {
		a = text
	}
	if _, text, found := strings.Cut(b, "-"); found {
		b = text
	}
	return a == b
}

// Put gives the browser the session. A token for refreshing it that does not fit is left out.
func (k *Keys) Put(w http.ResponseWriter, s Session) error {
	value, err := marshal(k, ForSession, s)
	if errors.Is(err, ErrTooLong) && s.Refresh != "" {
		s.Refresh = ""
		value, err = marshal(k, ForSession, s)
	}
	if err != nil {
		return fmt.Errorf("seal the session: %w", err)
	}
	set(w, cookieName, value, s.Ends.Sub(s.Sealed))
	return nil
}

// Get is the session that a request comes with: false without one. One that cannot be opened is an error.
func (k *Keys) Get(r *http.Request) (Session, bool, error) {
	var s Session
	found, err := unmarshal(k, ForSession, r, cookieName, &s)
	return s, found, err
}

// Remove takes the session from the browser.
func Remove(w http.ResponseWriter) { set(w, cookieName, "", -1) }

// PutSignIn gives the browser what a sign-in has to remember.
func (k *Keys) PutSignIn(w http.ResponseWriter, s SignIn, lifetime time.Duration) error {
	value, err := marshal(k, ForSignIn, s)
	if err != nil {
		return fmt.Errorf("seal the sign-in: %w", err)
	}
	set(w, signInCookieName, value, lifetime)
	return nil
}

// TakeSignIn is what the sign-in of a request remembers, and takes it from the browser: it counts once.
func (k *Keys) TakeSignIn(w http.ResponseWriter, r *http.Request) (SignIn, bool, error) {
	var s SignIn
	found, err := unmarshal(k, ForSignIn, r, signInCookieName, &s)
	if found || err != nil {
		set(w, signInCookieName, "", -1)
	}
	return s, found, err
}

// PutHint gives the browser what it shows the identity provider when it signs out, which is to know whom. It comes to one path
// alone. One that does not fit is left out: the provider asks the person then.
func (k *Keys) PutHint(w http.ResponseWriter, path, hint string, lifetime time.Duration) error {
	value, err := marshal(k, ForSignOut, hint)
	switch {
	case errors.Is(err, ErrTooLong):
		return nil
	case err != nil:
		return fmt.Errorf("seal what is for signing out: %w", err)
	}
	setAt(w, path, hintCookieName, value, lifetime)
	return nil
}

// TakeHint is what PutHint gave, empty where there is none, and takes it from the browser.
func (k *Keys) TakeHint(w http.ResponseWriter, r *http.Request, path string) (hint string) {
	found, err := unmarshal(k, ForSignOut, r, hintCookieName, &hint)
	if found || err != nil {
		setAt(w, path, hintCookieName, "", -1)
	}
	return hint
}

func marshal(k *Keys, purpose Purpose, value any) (string, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	return k.Seal(purpose, text)
}

// unmarshal opens the cookie of a request. Of two with one name neither counts: one of them is not from here.
func unmarshal(k *Keys, purpose Purpose, r *http.Request, name string, value any) (bool, error) {
	switch cookies := r.CookiesNamed(name); len(cookies) {
	case 0:
		return false, nil
	case 1:
		text, err := k.Open(purpose, cookies[0].Value)
		if err != nil {
			return false, err
		}
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(value); err != nil {
			return false, errOpen
		}
		return true, nil
	default:
		return false, errOpen
	}
}

// set sets a cookie for as long; negative removes it.
func set(w http.ResponseWriter, name, value string, lifetime time.Duration) {
	setAt(w, "/", name, value, lifetime)
}

// setAt sets one that comes to a path alone.
func setAt(w http.ResponseWriter, path, name, value string, lifetime time.Duration) {
	seconds := int(lifetime / time.Second)
	if lifetime < 0 {
		seconds = -1
	}
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: path, MaxAge: seconds,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}
