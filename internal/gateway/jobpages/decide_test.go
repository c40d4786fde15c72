package jobpages

import (
	"net/http"
	"testing"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
)

// page is the page of job train of project vision, that runs unless it is changed.
func page(change func(*Page)) *Page {
	job := &v1alpha1.Job{}
	job.Name, job.Namespace, job.UID = "train", "vision", "uid-1"
	job.Spec.HTTP = &v1alpha1.HTTPPort{Port: 8080}
	job.Status.Phase = v1alpha1.JobRunning
	p := &Page{Job: job, Target: access.In(access.Job, access.Home, "acme", "vision", "train")}
	if change != nil {
		change(p)
	}
	return p
}

func may(level access.Level) *access.Tree {
	return access.NewTree([]access.Right{{Target: access.In(access.Job, access.Home, "acme", "vision", "train"), Level: level}})
}

func TestDecide(t *testing.T) {
	public := page(func(p *Page) { p.AllowsPublic, p.Job.Spec.HTTP.Public = true, new(true) })
	notAllowed := page(func(p *Page) { p.Job.Spec.HTTP.Public = new(true) })
	queued := page(func(p *Page) { p.Job.Status.Phase = v1alpha1.JobPending })
	tests := map[string]struct {
		question question
		want     answer
	}{
		"nothing is known":              {question{}, unauthorized},
		"a reader":                      {question{Page: page(nil), Known: true, Tree: may(access.Read), Safe: true}, allow},
		"who may only list":             {question{Page: page(nil), Known: true, Tree: may(access.List), Safe: true}, absent},
		"who may nothing":               {question{Page: page(nil), Known: true, Tree: &access.Tree{}, Safe: true}, absent},
		"known, and no rights are":      {question{Page: page(nil), Known: true, Safe: true}, absent},
		"no such page":                  {question{Known: true, Tree: may(access.Read), Safe: true}, absent},
		"a browser, not signed in":      {question{Page: page(nil), Navigation: true, Safe: true}, signIn},
		"a browser, no such page":       {question{Navigation: true, Safe: true}, signIn},
		"a program, not signed in":      {question{Page: page(nil), Safe: true}, unauthorized},
		"a program, no such page":       {question{Safe: true}, unauthorized},
		"queued, a reader":              {question{Page: queued, Known: true, Tree: may(access.Read), Safe: true}, waiting},
		"queued, who may nothing":       {question{Page: queued, Known: true, Tree: &access.Tree{}, Safe: true}, absent},
		"public":                        {question{Page: public, Safe: true}, allow},
		"public, a browser":             {question{Page: public, Navigation: true, Safe: true}, allow},
		"public, who may nothing":       {question{Page: public, Known: true, Tree: &access.Tree{}, Safe: true}, allow},
		"public, not in such a project": {question{Page: notAllowed, Safe: true}, unauthorized},
		"a form of another site":        {question{Page: page(nil), Known: true, ByCookie: true, Tree: may(access.Write)}, crossSite},
		"a form of the page":            {question{Page: page(nil), Known: true, ByCookie: true, SameOrigin: true, Tree: may(access.Write)}, allow},
		"a program's post":              {question{Page: page(nil), Known: true, Tree: may(access.Read)}, allow},
		"another site and no right":     {question{Page: page(nil), Known: true, ByCookie: true, Tree: &access.Tree{}}, absent},
		"looked at from another site":   {question{Page: page(nil), Known: true, ByCookie: true, Safe: true, Tree: may(access.Read)}, allow},
	}
	for name, tc := range tests {
		if got := decide(tc.question); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
}

func TestLabel(t *testing.T) {
	tests := map[string]string{
		"train--vision.jobs.example.org":          "train--vision",
		"0a1b.jobs.example.org":                   "0a1b",
		"jobs.example.org":                        "",
		".jobs.example.org":                       "",
		"a.b.jobs.example.org":                    "",
		"train--vision.jobs.example.org:8443":     "",
		"train--vision.jobs.example.org.":         "",
		"train--vision.jobs.example.org.evil.com": "",
		"train--visionjobs.example.org":           "",
		"TRAIN--vision.jobs.example.org":          "",
		"train--vision.Jobs.example.org":          "",
		"-a.jobs.example.org":                     "",
		"a-.jobs.example.org":                     "",
		"a_b.jobs.example.org":                    "",
		"a%2eb.jobs.example.org":                  "",
		"a/.jobs.example.org":                     "",
		"a@.jobs.example.org":                     "",
		"evil.com/.jobs.example.org":              "",
		"evil.com#.jobs.example.org":              "",
		"a\x00.jobs.example.org":                  "",
		"а.jobs.example.org":                      "", // Cyrillic
		"":                                        "",
	}
	for host, want := range tests {
		if got, ok := label(host, "jobs.example.org"); got != want || ok != (want != "") {
			t.Errorf("%q: %q, %t; want %q", host, got, ok, want)
		}
	}
	if got, _ := label("a--b.jobs.localhost:8443", "jobs.localhost:8443"); got != "a--b" {
		t.Errorf("with a port: %q", got)
	}
}

func TestForeign(t *testing.T) {
	tests := map[string][]string{
		"":         {"__Host-soma-page=x"},
		"a=1":      {"a=1"},
		"a=1; b=2": {"a=1; __Host-soma-page=x; b=2"},
		"a=1; c=y": {"a=1", "__host-SOMA=x;  c=y ;__Host-soma-page-sign-in=z"},
		"b=2":      {"=__Host-soma=x; a=1, __Host-soma-page=y; b=2; c=\"__host-soma=z\""},
		"flag":     {"flag; ; __Host-soma"},
	}
	for want, lines := range tests {
		if got := foreign(lines); got != want {
			t.Errorf("%q: %q, want %q", lines, got, want)
		}
	}
}

func TestBack(t *testing.T) {
	good := []string{"/", "/a/b?c=d&e=%2F", "/a%20b", "/%E2%82%AC", "/a//b"}
	bad := []string{
		"", "a", "//evil.com", "///evil.com", "/\\evil.com", "\\\\evil.com", "https://evil.com", "/a\nb", "/\t/evil.com", "/a b", "/é",
		"/.soma/enter?code=x", "javascript:alert(1)", "/%zz", "/\x00",
	}
	for _, uri := range good {
		if got := back(uri); got != uri {
			t.Errorf("%q: %q", uri, got)
		}
	}
	for _, uri := range bad {
		if got := back(uri); got != "/" {
			t.Errorf("%q: %q, want /", uri, got)
		}
	}
}

func TestNavigationAndOrigin(t *testing.T) {
	tests := map[string]struct {
		method                 string
		header                 map[string]string
		navigation, sameOrigin bool
	}{
		"a browser goes there":     {http.MethodGet, map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}, true, true},
		"from another site":        {http.MethodGet, map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "cross-site"}, true, false},
		"an older browser":         {http.MethodGet, map[string]string{"Accept": "text/html,*/*"}, true, false},
		"a script of the page":     {http.MethodGet, map[string]string{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin", "Accept": "text/html"}, false, true},
		"curl":                     {http.MethodGet, map[string]string{"Accept": "*/*"}, false, false},
		"a program with a token":   {http.MethodGet, map[string]string{"Authorization": "Bearer x", "Accept": "text/html"}, false, false},
		"a form":                   {http.MethodPost, map[string]string{"Sec-Fetch-Mode": "navigate", "Origin": "https://page"}, false, true},
		"a form of another site":   {http.MethodPost, map[string]string{"Origin": "https://evil"}, false, false},
		"a form of a sandbox":      {http.MethodPost, map[string]string{"Origin": "null"}, false, false},
		"a form without TLS":       {http.MethodPost, map[string]string{"Origin": "http://page"}, false, false},
		"a WebSocket":              {http.MethodGet, map[string]string{"Upgrade": "websocket", "Accept": "text/html", "Origin": "https://page"}, false, true},
		"a WebSocket of a page":    {http.MethodGet, map[string]string{"Sec-Fetch-Mode": "websocket", "Origin": "https://evil"}, false, false},
		"a sibling page's request": {http.MethodPost, map[string]string{"Sec-Fetch-Site": "same-site"}, false, false},
	}
	for name, tc := range tests {
		header := http.Header{}
		for key, value := range tc.header {
			header.Set(key, value)
		}
		a := asked{host: "page", method: tc.method, header: header}
		if a.navigation() != tc.navigation || a.sameOrigin() != tc.sameOrigin {
			t.Errorf("%s: navigation %t, same origin %t", name, a.navigation(), a.sameOrigin())
		}
	}
}

// FuzzForeign looks for a Cookie header from which one of ours reaches a job.
func FuzzForeign(f *testing.F) {
	for _, seed := range []string{"a=1; __Host-soma=x", "__Host-soma-page=x", ";;__host-soma = x", "a=\"__Host-soma=x\""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		request := &http.Request{Header: http.Header{"Cookie": {foreign([]string{line})}}}
		for _, name := range []string{pageCookie, bindCookie, "__Host-soma"} {
			if len(request.CookiesNamed(name)) > 0 {
				t.Fatalf("%q leaves %s", line, name)
			}
		}
	})
}
