package session

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func keysOf(t testing.TB, lines ...string) *Keys {
	t.Helper()
	keys := &Keys{}
	if err := keys.Set([]byte(strings.Join(lines, "\n"))); err != nil {
		t.Fatal(err)
	}
	return keys
}

func example() Session {
	now := time.Unix(1_800_000_000, 0).UTC()
	return Session{
		ID: NewID(now.Add(time.Hour)), User: "alice", UID: "1", Issuer: "https://id.example", Subject: "s",
		SignedIn: now, Ends: now.Add(time.Hour), Sealed: now, Asked: now, Refresh: "refresh",
	}
}

// put is a request with the cookies that are set.
func put(t testing.TB, set func(http.ResponseWriter) error) *http.Request {
	t.Helper()
	w := httptest.NewRecorder()
	if err := set(w); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, cookie := range w.Result().Cookies() {
		r.AddCookie(cookie)
	}
	return r
}

func TestSealAndOpen(t *testing.T) {
	one, two := NewKey(), NewKey()
	s := example()
	r := put(t, func(w http.ResponseWriter) error { return keysOf(t, one).Put(w, s) })
	for name, keys := range map[string]*Keys{"the key": keysOf(t, one), "before another": keysOf(t, one, two), "after another": keysOf(t, "# new", two, "", one+" # old")} {
		if got, found, err := keys.Get(r); err != nil || !found || got != s {
			t.Errorf("%s: %+v, %t, %v", name, got, found, err)
		}
	}
	if got, _, err := keysOf(t, two).Get(r); err == nil {
		t.Errorf("another key opens %+v", got)
	}
	if _, found, err := keysOf(t, one).Get(httptest.NewRequest(http.MethodGet, "/", nil)); found || err != nil {
		t.Errorf("without a cookie: %t, %v", found, err)
	}
	if strings.Contains(r.Header.Get("Cookie"), "alice") {
		t.Error("the cookie can be read")
	}
}

func TestOpenRefuses(t *testing.T) {
	keys := keysOf(t, NewKey())
	r := put(t, func(w http.ResponseWriter) error { return keys.Put(w, example()) })
	value := r.CookiesNamed(cookieName)[0].Value
	tests := map[string]string{
		"empty": "", "cut": value[:len(value)-4], "longer": value + "AAAA", "padded": value + "=", "no base64": "!" + value[1:], "too long": strings.Repeat("A", maxSealed+1),
		"another version": "Ag" + value[2:],
	}
	for i := 0; i < len(value); i += 7 {
		other := byte('A')
		if value[i] == other {
			other = 'B'
		}
		tests[fmt.Sprintf("another character at %d", i)] = value[:i] + string(other) + value[i+1:]
	}
	for name, value := range tests {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(&http.Cookie{Name: cookieName, Value: value})
		if got, found, err := keys.Get(r); err == nil {
			t.Errorf("%s: %+v, %t", name, got, found)
		}
	}
	t.Run("two cookies", func(t *testing.T) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(&http.Cookie{Name: cookieName, Value: value})
		r.AddCookie(&http.Cookie{Name: cookieName, Value: value})
		if _, _, err := keys.Get(r); err == nil {
			t.Error("it opens")
		}
	})
	t.Run("another purpose", func(t *testing.T) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(&http.Cookie{Name: signInCookieName, Value: value})
		if _, _, err := keys.TakeSignIn(httptest.NewRecorder(), r); err == nil {
			t.Error("a session is taken for a sign-in")
		}
	})
}

func TestLongRefreshIsLeftOut(t *testing.T) {
	keys := keysOf(t, NewKey())
	s := example()
	s.Refresh = strings.Repeat("r", 4000)
	got, found, err := keys.Get(put(t, func(w http.ResponseWriter) error { return keys.Put(w, s) }))
	if err != nil || !found || got.Refresh != "" || got.ID != s.ID {
		t.Errorf("%+v, %t, %v", got, found, err)
	}
	s.Subject = strings.Repeat("s", 4000)
	if err := keys.Put(httptest.NewRecorder(), s); !errors.Is(err, ErrTooLong) {
		t.Errorf("what does not fit: %v", err)
	}
}

func TestKeysRefuse(t *testing.T) {
	key := NewKey()
	tests := map[string]string{
		"none": "# nothing\n\n", "short": "AAAA", "no base64": "?" + key[1:], "too many": strings.Repeat(NewKey()+"\n", 9),
	}
	for name, text := range tests {
		keys := keysOf(t, key)
		if err := keys.Set([]byte(text)); err == nil || strings.Contains(err.Error(), key[1:]) {
			t.Errorf("%s: %v", name, err)
		}
		r := put(t, func(w http.ResponseWriter) error { return keys.Put(w, example()) })
		if _, _, err := keysOf(t, key).Get(r); err != nil {
			t.Errorf("%s: the keys are not as they were: %v", name, err)
		}
	}
}

func TestEnded(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	if got, known := Ended(NewID(at)); !known || !got.Equal(at) {
		t.Errorf("%v, %t", got, known)
	}
	for _, id := range []string{"", "x", "-1", "12", "x-y", "before:12"} {
		if got, known := Ended(id); known {
			t.Errorf("Ended(%q) = %v", id, got)
		}
	}
}

func FuzzOpen(f *testing.F) {
	keys := keysOf(f, NewKey())
	good := put(f, func(w http.ResponseWriter) error { return keys.Put(w, example()) }).CookiesNamed(cookieName)[0].Value
	f.Add(good)
	f.Add("")
	f.Add("AQ")
	f.Add(good[:len(good)/2])
	f.Fuzz(func(t *testing.T, value string) {
		if text, err := keys.Open(ForSession, value); err == nil && value != good {
			t.Errorf("%q opens as %q", value, text)
		}
		if text, err := keys.Open(ForSignIn, value); err == nil {
			t.Errorf("%q opens as a sign-in, %q", value, text)
		}
	})
}
