package signin

import (
	"net/url"
	"strings"
	"testing"
)

const origin = "https://soma.example"

func TestSafeNext(t *testing.T) {
	tests := map[string]string{
		"":                                home,
		"/":                               "/",
		"/jobs":                           "/jobs",
		"/jobs/":                          "/jobs/",
		"/jobs?state=Running&q=a%20b":     "/jobs?state=Running&q=a%20b",
		"/jobs?next=https://evil.example": "/jobs?next=https://evil.example",
		"jobs":                            home,
		"/signout":                        home,
		"/signin/callback":                home,
		"/first-admin":                    home,
		"/signingup":                      "/signingup",
	}
	for wanted, want := range tests {
		if got := safeNext(wanted); got != want {
			t.Errorf("safeNext(%q) = %q, want %q", wanted, got, want)
		}
	}
}

// mutants are ways by which redirects were made to lead elsewhere: what browsers read as a host, or as no path.
func mutants() []string {
	hosts := []string{"evil.example", "evil.example/", "evil.example:443", "user@evil.example", "soma.example@evil.example", "soma.example.evil.example", "[::1]", "0x7f000001", "evil%2eexample", "evil。example"}
	befores := []string{
		"//", "///", "////", `/\`, `\/`, `\\`, `/\/`, `\/\`, "/\t/", "/\n/", "/\r/", "\t//", " //", "/ /", "/%09/", "/%5c", "/%2f", "//%2f", "/%2f%2f", "%2f%2f",
		"https://", "https:/", "https:", "HTTPS://", "http://", "https:///", "https:\\\\", "hTtPs:%2f%2f", "javascript://", "data:text/html,", "//https://", "/.//", "/..//", "/./\\", "/a/..//", "/a//", "/;/", "/%00//", "\x00//", "\u2028//", "/\u2028/", "/\u3000/", "／／", "/／", "@", "/@//", "?//", "#//", "./", "../", ":",
	}
	var all []string
	for _, before := range befores {
		for _, host := range hosts {
			all = append(all, before+host)
		}
	}
	return append(all, "/"+strings.Repeat("a", maxNext), "/%zz", "/%", "/\xff", "/\x7f", "/a%0d%0aSet-Cookie:x=y", "/a\r\nSet-Cookie: x=y", "/..", "/../..", "/a/../../b", "/%2e%2e/b")
}

// check says what is wrong with where somebody is sent, as a browser understands it.
func check(t *testing.T, wanted, got string) {
	t.Helper()
	base, err := url.Parse(origin + "/signin/callback")
	if err != nil {
		t.Fatal(err)
	}
	to, err := base.Parse(got)
	if err != nil || to.Scheme != "https" || to.Host != "soma.example" || to.User != nil {
		t.Errorf("%q leads to %v (%v)", wanted, to, err)
	}
	// Browsers leave out tabs and line breaks, and read backslashes as slashes.
	clean := strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(strings.Trim(got, "\x00 "))
	if clean != got || !strings.HasPrefix(got, "/") || strings.HasPrefix(got, "//") {
		t.Errorf("%q leads to %q", wanted, got)
	}
	path, _, _ := strings.Cut(got, "?")
	if strings.Contains(path, "//") || strings.Contains(path, "/../") || strings.HasSuffix(path, "/..") {
		t.Errorf("%q leads to %q", wanted, got)
	}
}

func TestRedirectMutants(t *testing.T) {
	all := mutants()
	if len(all) < 300 {
		t.Fatalf("there are only %d mutants", len(all))
	}
	stayed := 0
	for _, wanted := range all {
		got := safeNext(wanted)
		check(t, wanted, got)
		if got == home {
			stayed++
		}
	}
	t.Logf("%d mutants, %d of them lead home", len(all), stayed)
}

func FuzzSafeNext(f *testing.F) {
	for _, wanted := range mutants() {
		f.Add(wanted)
	}
	f.Add("/jobs?a=b")
	f.Fuzz(func(t *testing.T, wanted string) {
		got := safeNext(wanted)
		check(t, wanted, got)
		if again := safeNext(got); again != got {
			t.Errorf("%q leads to %q, and that to %q", wanted, got, again)
		}
	})
}
