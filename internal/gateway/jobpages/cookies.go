package jobpages

import (
	"net/http"
	"strings"
	"time"
)

const (
	// ownPrefix is that of all cookies of ours, on whatever host. No job is sent one.
	ownPrefix = "__host-soma"
	// pageCookie is that of who is signed in on the host of a page, bindCookie that of a browser that is about to sign in.
	pageCookie = "__Host-soma-page"
	bindCookie = "__Host-soma-page-sign-in"

	// pageLifetime is how long the cookie of a page counts; a browser then comes by the gateway again, without being seen.
	pageLifetime = time.Hour
	// signInTime is how long signing in may take.
	signInTime = 15 * time.Minute
	// codeLifetime is how long a code counts: a browser uses it at once.
	codeLifetime = time.Minute
)

func cookie(name, value string, lifetime time.Duration) *http.Cookie {
	age := int(lifetime / time.Second)
	if value == "" {
		age = -1
	}
	return &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: age, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// foreign are the cookies of a request that are not ours, to be sent to the job: what a job's own page has set. What names one
// of ours anywhere is left out: where a name begins and ends, programs do not agree.
func foreign(lines []string) string {
	var kept []string
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ";") {
			part = strings.TrimSpace(part)
			if part != "" && !strings.Contains(strings.ToLower(part), ownPrefix) {
				kept = append(kept, part)
			}
		}
	}
	return strings.Join(kept, "; ")
}

// single is the value of the one cookie of a name; of several, none counts.
func single(header http.Header, name string) string {
	values := (&http.Request{Header: header}).CookiesNamed(name)
	if len(values) != 1 {
		return ""
	}
	return values[0].Value
}
