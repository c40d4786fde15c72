package kubeproxy

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// identities are the headers by which somebody could be taken for somebody else, here or at an API server.
var identities = []string{
	"Impersonate-User", "Impersonate-Group", "Impersonate-Uid", "Impersonate-Extra-Scopes", "Impersonate-Extra-authentication.kubernetes.io%2fnode-name",
	"Impersonate-Extra-platform.soma.dev%2Ftoken", "Impersonate-Extra-Platform.soma.dev%2ftoken", "X-Remote-Extra-platform.soma.dev%2Ftoken",
	"X-Remote-User", "X-Remote-Group", "X-Remote-Uid", "X-Remote-Extra-Scopes", "X-Forwarded-User", "X-Forwarded-Groups", "X-Forwarded-Email",
	"X-Forwarded-Access-Token", "X-Auth-Request-User", "X-Auth-Request-Groups", "Remote-User", "Kubeflow-Userid", "X-Goog-Authenticated-User-Email",
	"Proxy-Authorization", "X-Forwarded-Client-Cert", "Ssl-Client-Cert",
}

// spellings are ways to write a header, each as the lines of a request.
func spellings(name string) [][]string {
	value := "system:masters"
	mixed := []byte(strings.ToLower(name))
	for i := range mixed {
		if i%2 == 0 && mixed[i] >= 'a' && mixed[i] <= 'z' {
			mixed[i] -= 'a' - 'A'
		}
	}
	half := strings.Replace(name, "-", "_", 1)
	return [][]string{
		{name + ": " + value}, {strings.ToLower(name) + ": " + value}, {strings.ToUpper(name) + ": " + value}, {string(mixed) + ": " + value},
		{strings.ReplaceAll(name, "-", "_") + ": " + value}, {half + ": " + value}, {strings.ToLower(half) + ": " + value},
		{name + ": " + value, name + ": system:admin"}, {name + ": nobody", strings.ToLower(name) + ": " + value},
		{"Connection: " + name, name + ": " + value}, {"Connection: close, " + strings.ToLower(name), name + ": " + value},
		{"Connection: keep-alive, Impersonate-User, Impersonate-Group, Audit-Id", name + ": " + value},
		{name + ":" + value}, {name + ": \t" + value + "\t"}, {name + ": " + value + ", system:admin"}, {name + ":"},
		{name + " : " + value}, {name + "\t: " + value}, {" " + name + ": " + value}, {"X: y", "\t" + name + ": " + value}, {name + "\x00: " + value},
		{name + "\u00ad: " + value}, {name + ": " + value + "\x00"}, {"Trailer: " + name, name + ": " + value}, {"Te: trailers", name + ": " + value},
	}
}

// impersonation reports whether one of the lines is a header by which a client asks to be somebody else.
func impersonation(lines []string) bool {
	return slices.ContainsFunc(lines, func(line string) bool {
		name, _, _ := strings.Cut(line, ":")
		return strings.HasPrefix(strings.ReplaceAll(strings.ToLower(name), "_", "-"), "impersonate-")
	})
}

// tricks are whole sets of lines that are not a spelling of one header.
var tricks = [][]string{
	{"Authorization: Bearer of-the-administrator"}, {"authorization: Basic YWRtaW46YWRtaW4="}, {"AUTHORIZATION: Bearer x", "Authorization: Bearer y"},
	{"Connection: Authorization"}, {"Connection: Impersonate-User"}, {"Connection: Impersonate-User, Impersonate-Group", "Connection: Authorization"},
	{"Sec-WebSocket-Protocol: base64url.bearer.authorization.k8s.io.c3lzdGVtOm1hc3RlcnM"}, {"Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"},
	{"Forwarded: for=127.0.0.1;host=kubernetes"}, {"X-Forwarded-For: 127.0.0.1"}, {"X-Real-Ip: 127.0.0.1"}, {"X-Original-Url: /api"}, {"X-Rewrite-Url: /api"},
	{"X-Forwarded-Host: kubernetes", "X-Forwarded-Proto: https", "X-Forwarded-Uri: /api"}, {"X-Http-Method-Override: DELETE"}, {"Cookie: session=admin"},
	{"Audit-Id: system:masters"}, {"Origin: https://evil.example"}, {"X-Original-Forwarded-For: 127.0.0.1"}, {"Client-Cert: :MIIB:"},
}

// raw sends the lines as they are, after those that the request needs, and tells what is answered.
func (w *world) raw(line string, lines []string, body string) (code int, answer string) {
	w.t.Helper()
	host := w.front.Listener.Addr().String()
	config := w.front.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	config.NextProtos, config.ServerName = []string{"http/1.1"}, "example.com"
	conn, err := (&tls.Dialer{Config: config}).DialContext(w.t.Context(), "tcp", host)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	all := append([]string{line, "Host: " + host}, lines...)
	if body != "" {
		all = append(all, "Content-Type: application/json", fmt.Sprintf("Content-Length: %d", len(body)))
	}
	if _, err := io.WriteString(conn, strings.Join(all, "\r\n")+"\r\n\r\n"+body); err != nil {
		w.t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	all2, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return response.StatusCode, string(all2)
}

func TestNoForgedIdentityReachesTheAPIServer(t *testing.T) {
	w := newWorld(t, "forged")
	alice := w.user("alice")
	const post = "POST /kube/apis/authentication.k8s.io/v1/selfsubjectreviews HTTP/1.1"
	corpus := slices.Clone(tricks)
	for _, name := range identities {
		corpus = append(corpus, spellings(name)...)
	}
	if len(corpus) < 200 {
		t.Fatalf("the corpus has %d", len(corpus))
	}
	passed, refused, told := 0, 0, 0
	for _, lines := range corpus {
		// Before the caller's own token and after it: the first of two counts in some programs, the last in others.
		for _, whole := range [][]string{append([]string{"Authorization: Bearer " + alice}, lines...), append(slices.Clone(lines), "Authorization: Bearer "+alice)} {
			switch code, body := w.raw(post, whole, review); {
			case impersonation(lines) && code == http.StatusBadRequest:
				told++
			case impersonation(lines):
				t.Errorf("%q is not refused: %d %s", whole, code, body)
			case code == http.StatusCreated && strings.Contains(body, `"username":"soma:`+alice+`","groups":["soma:users","system:authenticated"]}`):
				passed++
			case code == http.StatusBadRequest, code == http.StatusUnauthorized, code == http.StatusTooManyRequests:
				refused++
			case code == http.StatusCreated && strings.Contains(strings.Join(whole, "\n"), "Bearer of-the-administrator"):
				// Another token is another caller of ours, and of ours alone.
				if !strings.Contains(body, `"username":"soma:`) {
					t.Errorf("%q: the API server sees %s", whole, body)
				}
			case code == http.StatusCreated && strings.Contains(body, `"username":"soma:`) && strings.Contains(strings.ToLower(strings.Join(lines, "\n")), "authorization:"):
				passed++
			default:
				t.Errorf("%q: %d %s", whole, code, body)
			}
		}
	}
	t.Logf("%d requests: %d were taken for the caller's own, %d refused, %d because they impersonate", 2*len(corpus), passed, refused, told)
	code, body := w.raw(post, []string{"Authorization: Bearer " + alice, "Impersonate-User: " + alice}, review)
	if code != http.StatusBadRequest || !strings.Contains(body, "takes nobody for somebody else") {
		t.Errorf("who asks to be another is told %d %s", code, body)
	}
}

func TestOddPathsAreRefused(t *testing.T) {
	w := newWorld(t, "paths")
	alice := w.user("alice")
	for _, path := range []string{
		"/kube//api/v1", "/kube/api//v1", "/kube/api/v1//namespaces", "/kube/./api/v1", "/kube/api/../api/v1", "/kube/api/v1/..", "/kube/api/v1/.",
		"/kube/api/%2e%2e/api", "/kube/api/%2E%2e/api", "/kube/api/.%2e/api", "/kube/api%2fv1", "/kube/api%2Fv1", "/kube/api/v1%2fnamespaces/x",
		"/kube/api/v1/namespaces/a%2fb/pods", "/kube/api%5cv1", "/kube/api\\v1", "/kube/api/v1/namespaces\\..\\x", "/kube/api/v1/%00", "/kube/api/v1/a%00b",
		"/kube/api/v1/namespaces/%252e%252e", "/kube/api/v1/a%25b", "/kube/api/v1/a%3fb", "/kube/api/v1/a%23b", "/kube/api/v1/a;b", "/kube/api/v1/a%3bb",
		"/kube/api/v1/a%20b", "/kube/api/v1/%0d%0aX:y", "/kube/api/v1/%c0%af", "/kube/api/v1/%e2%80%ae", "/kube/api/v1/%zz", "/kube/api/v1/#x",
		"/kube/api/v1/\xc3\xa9", "//kube/api/v1", "/KUBE/api/v1", "/kube%2fapi/v1", "/kubeapi", "/kube/", "/kube", "/kube/metrics", "/kube/debug/pprof/heap",
		"/kube/logs/", "/kube/API/v1", "http://kubernetes/kube/api/v1", "https://127.0.0.1/api/v1", "//kubernetes/api", "*", "kube/api/v1",
		"/kube/api/v1/nodes/n/proxy/metrics", "/kube/api/v1/namespaces/x/services/y/proxy/", "/kube/api/v1/namespaces/x/pods/y/proxy",
		"/kube/api/v1/proxy/namespaces/x/services/y", "/x/../kube/api/v1", "/kube/../kube/api/v1",
	} {
		code, body := w.raw("GET "+path+" HTTP/1.1", []string{"Authorization: Bearer " + alice}, "")
		if code != http.StatusBadRequest && code != http.StatusNotFound {
			t.Errorf("%q: %d %s", path, code, body)
		}
	}
	for _, path := range []string{"/kube/api/v1", "/kube/api/v1/", "/kube/version", "/kube/apis", "/kube/openapi/v3", "/kube/api/v1?a=%2f..%2f", "/kube/%61pi/v1"} {
		if code, body := w.raw("GET "+path+" HTTP/1.1", []string{"Authorization: Bearer " + alice, "Connection: close"}, ""); code != http.StatusOK {
			t.Errorf("%q: %d %s", path, code, body)
		}
	}
}

func FuzzPath(f *testing.F) {
	for _, seed := range []string{"/kube/api/v1", "/kube/api/%2e%2e/x", "/kube/apis/a/b/c?x=/../", "/kube//api", "/kube/api%2fv1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n")))
		if err != nil {
			return
		}
		path, err := pathOf(r, "/kube")
		if err != nil {
			return
		}
		segments := strings.Split(strings.TrimSuffix(path[1:], "/"), "/")
		if !slices.Contains(roots, segments[0]) || !slices.ContainsFunc(segments, func(string) bool { return true }) {
			t.Errorf("%q leads to %q", target, path)
		}
		for _, segment := range segments {
			if !isPlain(segment) {
				t.Errorf("%q leads to %q", target, path)
			}
		}
	})
}
