package signin

import (
	"net/url"
	"path"
	"strings"
)

// maxNext bounds where somebody goes after signing in; it has to fit into a cookie.
const maxNext = 1024

// home is where somebody goes who wanted nothing else.
const home = "/"

// safeNext is where to go after signing in: a path of this gateway, or home for whatever else is asked for. It is made anew
// from what was understood, so that a browser does not understand something else.
func safeNext(wanted string) string {
	if wanted == "" || len(wanted) > maxNext || wanted[0] != '/' {
		return home
	}
	for i := range len(wanted) {
		// What browsers leave out or read as a slash, and what is no ASCII.
		if c := wanted[i]; c <= ' ' || c >= 0x7f || c == '\\' {
			return home
		}
	}
	u, err := url.Parse(wanted)
	if err != nil || u.Scheme != "" || u.Opaque != "" || u.Host != "" || u.User != nil || u.RawPath != "" {
		return home
	}
	// Written in full and decoded alike: no empty segment, no dots, and nothing that hides behind an encoding.
	if strings.ContainsAny(u.Path, "\\%") || strings.Contains(u.Path, "//") || path.Clean(u.Path) != strings.TrimSuffix(u.Path, "/") && u.Path != "/" {
		return home
	}
	for _, r := range u.Path {
		if r <= ' ' || r == 0x7f || r > 0xffff || r == 0xfeff || r >= 0x80 && r < 0xa1 {
			return home
		}
	}
	// Signing in leads nowhere but out of signing in.
	for _, own := range []string{pathSignIn, pathSignOut, pathSignedOut, pathFirst} {
		if u.Path == own || strings.HasPrefix(u.Path, own+"/") {
			return home
		}
	}
	return (&url.URL{Path: u.Path, RawQuery: u.RawQuery}).String()
}
