package pages_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// fill puts what is meant into a text with places for it.
func fill(s sender) *strings.Replacer {
	h := host(s.job)
	return strings.NewReplacer("{host}", h, "{HOST}", strings.ToUpper(h), "{own}", host(s.own), "{cookie}", s.cookie, "{token}", "x",
		"{escaped}", strings.ReplaceAll(h, "-", "%2d"), "{underscored}", strings.ReplaceAll(h, "-", "_"), "{wide}", strings.ReplaceAll(h, "n", "ｎ"),
		"{dotted}", strings.Replace(h, ".", "..", 1), "{service}", s.job+".vision.svc")
}

// mutant is a request that is to get past the proxy or the gateway, or to bring a job what it is not to see. {host} stands for
// the host of the page, {cookie} for the caller's cookie of it.
type mutant struct {
	class, name string
	request
	// fields are those of a request of HTTP/2; without them it is one of HTTP/1.1.
	fields []field
	// keeps leaves the connection open: something comes after the request.
	keeps bool
}

const forged = "forged-assertion"

// The classes, each with what it is made after.
var classes = []func() []mutant{
	identities, hopByHop, hosts, paths, methods, smuggling, upgrades, cookies, credentials, skips, redirects, framed,
}

func mutants() []mutant {
	var all []mutant
	for _, class := range classes {
		all = append(all, class()...)
	}
	return all
}

// one is a mutant of HTTP/1.1 with lines in its header.
func one(class, name string, lines ...string) mutant {
	return mutant{class: class, name: name, request: request{lines: lines}}
}

// spellings are ways to write the name of a header that some program takes for the same.
func spellings(name string) []string {
	underscored := strings.ReplaceAll(name, "-", "_")
	return []string{name, strings.ToLower(name), strings.ToUpper(underscored), strings.Replace(name, "-", "_", 1), strings.ReplaceAll(name, "-", "."), name + "\u00a0"}
}

// identities: what a client says of itself or its request. Traefik CVE-2026-29054, 33433, 35051, 39858, 54763, 54764;
// oauth2-proxy CVE-2025-64484, 2026-40575; Coder CVE-2026-55430.
func identities() []mutant {
	values := map[string]string{
		"X-Soma-Assertion": forged, "X-Soma-User": forged, "X-Forwarded-Host": "{own}", "X-Forwarded-Method": "OPTIONS", "X-Forwarded-Uri": "/.soma/enter",
		"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Port": "8444", "X-Forwarded-Prefix": "/.soma",
		"X-Forwarded-User": "alice", "X-Forwarded-Email": "alice@example.org", "X-Forwarded-Access-Token": "{token}",
		"X-Forwarded-Tls-Client-Cert": "x", "X-Real-Ip": "127.0.0.1", "Forwarded": "host={own};for=127.0.0.1", "X-Original-Url": "/.soma/enter",
		"X-Rewrite-Url": "/.soma/enter", "X-Original-Host": "{own}", "X-Auth-Request-User": "alice", "Remote-User": "alice",
	}
	var all []mutant
	for name, value := range values {
		for i, spelled := range spellings(name) {
			all = append(all, one("identity", fmt.Sprintf("%s in spelling %d", name, i), spelled+": "+value))
		}
		all = append(all,
			one("identity", name+" twice", name+": "+value, name+": other"),
			one("identity", name+" with a space before the colon", name+" : "+value),
			one("identity", name+" with a folded value", name+":\r\n "+value),
			one("identity", name+" after a bare line feed", "X-Other: a\n"+name+": "+value),
		)
	}
	return all
}

// hopByHop: headers that a proxy is told to take out. Traefik CVE-2024-45410.
func hopByHop() []mutant {
	var all []mutant
	for _, name := range []string{
		"X-Forwarded-Host", "X-Forwarded-Method", "X-Forwarded-Uri", "X-Forwarded-For", "X-Forwarded-Proto", "X-Real-Ip", "X-Soma-Assertion", "Cookie",
		"Authorization", "Host", "Content-Length", "Transfer-Encoding", "Origin",
	} {
		all = append(all,
			one("hop by hop", name, "Connection: close, "+name, "X-Soma-Assertion: "+forged),
			one("hop by hop", name+" in lower case", "Connection: "+strings.ToLower(name)+", close"),
			one("hop by hop", name+" on a line of its own", "Connection: close", "Connection: "+name),
			one("hop by hop", name+" of a proxy's", "Proxy-Connection: "+name, "Connection: close"),
		)
	}
	all = append(all,
		one("hop by hop", "trailers", "TE: trailers", "Connection: close, TE"),
		mutant{class: "hop by hop", name: "an assertion after the body", request: request{
			line:  "POST / HTTP/1.1",
			lines: []string{"Transfer-Encoding: chunked", "Trailer: X-Soma-Assertion, Cookie, Authorization"},
			body:  "1\r\nx\r\n0\r\nX-Soma-Assertion: " + forged + "\r\nCookie: __Host-soma-page=" + forged + "\r\nAuthorization: " + forged + "\r\n\r\n",
		}},
	)
	return all
}

// hosts: a host of which proxy and gateway do not think the same. {own} is a page that the caller may see, or everybody.
func hosts() []mutant {
	var all []mutant
	add := func(name, line string, lines ...string) {
		all = append(all, mutant{class: "host", name: name, request: request{line: line, hosts: lines}})
	}
	for name, form := range map[string]string{
		"in upper case": "{HOST}", "with a dot": "{host}.", "with a port": "{host}:443", "with another port": "{host}:8444", "with an empty port": "{host}:",
		"with a dot and a port": "{host}.:443", "with a user": "a@{host}", "with somebody else's name": "{own}@{host}", "with a path": "{host}/", "with a fragment": "{host}#",
		"with a query": "{host}?", "with a space": "{host} ", "with a tab": "\t{host}", "with a comma": "{host}, {own}", "after a comma": "{own}, {host}",
		"escaped": "{escaped}", "with a zero": "{host}\x00", "with a backslash": "{host}\\", "deeper": "a.{host}", "with an underscore": "{underscored}",
		"of full width": "{wide}", "with brackets": "[{host}]", "with two dots": "{dotted}", "with a semicolon": "{host};",
		"of a pod": "{service}", "with a scheme": "https://{host}", "with quotes": "\"{host}\"", "the domain": "jobs.example.org", "the gateway's": "soma.example.com", "nothing": "",
	} {
		add(name, "", "Host: "+form)
		add(name+", and the other in the line", "GET https://{own}/ HTTP/1.1", "Host: "+form)
	}
	add("twice", "", "Host: {host}", "Host: {own}")
	add("twice, the other way", "", "Host: {own}", "Host: {host}")
	add("folded", "", "Host: {own}\r\n {host}")
	add("missing", "", []string{}...)
	add("of HTTP/1.0", "GET / HTTP/1.0", "Host: {host}")
	add("missing of HTTP/1.0", "GET https://{host}/ HTTP/1.0")
	add("with a space before", "", " Host: {host}", "Host: {own}")
	for name, target := range map[string]string{
		"absolute": "https://{host}/", "absolute without TLS": "http://{host}/", "absolute of another scheme": "ftp://{host}/", "absolute with a user": "https://{own}@{host}/",
		"absolute with a backslash": "https://{own}\\@{host}/", "absolute with a port": "https://{host}:443/", "of an authority": "{host}:443", "without a scheme": "//{host}/",
		"absolute with a fragment": "https://{own}#@{host}/", "opaque": "https:{host}/", "of three slashes": "https:///{host}/", "absolute in upper case": "HTTPS://{HOST}/",
	} {
		add("in the line "+name, "GET "+target+" HTTP/1.1", "Host: {own}")
		add("in the line "+name+", and in the header", "GET "+target+" HTTP/1.1", "Host: {host}")
	}
	return all
}

// paths: ways around what is of the gateway itself, and to it. Traefik CVE-2025-32431, 47952, 66490, 2026-40912, 48020, 65600,
// 67309; oauth2-proxy CVE-2025-54576, 2026-41059.
func paths() []mutant {
	var all []mutant
	for _, open := range []string{"/.soma", "/.soma/enter", "/oauth2", "/job-pages/enter"} {
		for _, out := range []string{
			"/..;/", "/../", "/..", "/%2e%2e/", "/%2e%2e%2f", "/..%2f", "/%252e%252e/", "/.%2e/", "//../", "/..//", "/..\\", "\\..\\", "%5c..%5c", "/;a=b/../", ";/../", "/.;/../",
			"/%00/../", "/#/../", "?/../", "/%23/../", "/\t/../", "/%0d%0a/../",
		} {
			path := open + out + "a"
			all = append(all, mutant{class: "path", name: strings.ToValidUTF8(path, "?"), request: request{line: "GET " + path + " HTTP/1.1"}})
		}
	}
	for _, path := range []string{
		"//", "///", "/%2f", "/\\", "\\", "*", "a", "", "/.", "/..", "/%", "/%zz", "/%2", "/?", "/??", "/#", "/;", "/.soma", "/.SOMA/", "/%2esoma/", "/.som%61/", "//.soma/", "/.soma//", "/.soma/%2e",
		"/./.soma/", "/a/../.soma/", "/\x00", "/\xff", "/ /", "//soma.example.com/", "/@evil.example/", "/:80/", "/.soma/enter?code=x", "/.soma/enter;code=x",
	} {
		all = append(all, mutant{class: "path", name: fmt.Sprintf("%q", path), request: request{line: "GET " + path + " HTTP/1.1"}})
	}
	return all
}

// methods: methods that are taken for harmless, and headers that say another.
func methods() []mutant {
	var all []mutant
	for _, method := range []string{
		"HEAD", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "PURGE", "DEBUG", "get", "Get", "GET\t", "FOO", "PRI", "POST", "PUT", "DELETE", "PATCH", "QUERY",
	} {
		all = append(all, mutant{class: "method", name: method, request: request{line: method + " / HTTP/1.1"}})
	}
	for _, name := range []string{"X-Http-Method-Override", "X-Method-Override", "X-Http-Method", "X-Original-Method", "_method"} {
		for _, method := range []string{"OPTIONS", "HEAD", "GET"} {
			all = append(all, mutant{class: "method", name: name + " " + method, request: request{line: "POST / HTTP/1.1", lines: []string{name + ": " + method, "Content-Length: 0"}}})
		}
	}
	all = append(all,
		one("method", "what a browser asks before", "Access-Control-Request-Method: GET", "Origin: https://evil.example"),
		mutant{class: "method", name: "what a browser asks before, as it does", request: request{line: "OPTIONS / HTTP/1.1", lines: []string{"Access-Control-Request-Method: GET", "Origin: https://evil.example"}}},
		mutant{class: "method", name: "of HTTP/0.9", request: request{line: "GET /"}},
		mutant{class: "method", name: "of HTTP/2.0", request: request{line: "GET / HTTP/2.0"}},
		mutant{class: "method", name: "of HTTP/9.9", request: request{line: "GET / HTTP/9.9"}},
	)
	return all
}

// smuggling: a second request in the body of the first, for whom the two do not agree where it ends.
func smuggling() []mutant {
	const second = "GET /smuggled HTTP/1.1\r\nHost: {host}\r\nX-Soma-Assertion: " + forged + "\r\n\r\n"
	length := len(strings.ReplaceAll(second, "{host}", host(train)))
	var all []mutant
	add := func(name, body string, lines ...string) {
		all = append(all, mutant{class: "smuggling", name: name, keeps: true, request: request{line: "POST / HTTP/1.1", lines: lines, body: body}})
	}
	add("one after the other", second, "Content-Length: 0")
	add("no length", second)
	for i, encoding := range []string{
		"Transfer-Encoding: chunked", "Transfer-Encoding : chunked", "Transfer-Encoding: xchunked", "Transfer-Encoding: chunked, identity", "Transfer-Encoding:\tchunked",
		"Transfer-Encoding: \x0bchunked", "Transfer-Encoding: Chunked", "transfer_encoding: chunked", "X: x\nTransfer-Encoding: chunked", "Transfer-Encoding\r\n : chunked",
	} {
		add(fmt.Sprintf("length and encoding %d", i), "0\r\n\r\n"+second, encoding, fmt.Sprintf("Content-Length: %d", length+5))
		add(fmt.Sprintf("a length of none and encoding %d", i), "0\r\n\r\n"+second, "Content-Length: 0", encoding)
	}
	add("two encodings", "0\r\n\r\n"+second, "Transfer-Encoding: chunked", "Transfer-Encoding: identity")
	for _, lengths := range []string{"0, %d", "%d, 0", "+0", "-0", "0x0", "0 0", "00", "\"0\"", "0.0", "0_0"} {
		if strings.Contains(lengths, "%d") {
			lengths = fmt.Sprintf(lengths, length)
		}
		add("length "+lengths, second, "Content-Length: "+lengths)
	}
	add("two lengths", second, "Content-Length: 0", fmt.Sprintf("Content-Length: %d", length))
	for i, chunk := range []string{"0;a=\r\n\r\n", "0 \r\n\r\n", "0x0\r\n\r\n", "0\n\n", "0\r\r\n", "00000000000000000\r\n\r\n", "0;\x00\r\n\r\n", "0\r\nX: y\r\n\r\n"} {
		add(fmt.Sprintf("chunk %d", i), chunk+second, "Transfer-Encoding: chunked")
	}
	return all
}

// upgrades: another protocol, over which nobody looks, and handshakes that another site begins.
func upgrades() []mutant {
	handshake := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}
	var all []mutant
	for _, path := range []string{"/", "/socket"} {
		add := func(name string, lines ...string) {
			all = append(all, mutant{class: "upgrade", name: name + " of " + path, keeps: true, request: request{line: "GET " + path + " HTTP/1.1", lines: lines}})
		}
		for _, protocol := range []string{"h2c", "HTTP/2.0", "TLS/1.2", "SPDY/3.1", "websocket, h2c", "WebSocket2", "h2c, websocket", "\t"} {
			add("to "+protocol, "Connection: Upgrade, HTTP2-Settings", "Upgrade: "+protocol, "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")
		}
		for _, origin := range []string{
			"https://evil.example", "null", "http://{host}", "https://{host}.evil.example", "https://{host}:444", "https://{HOST}", "https://evil.example#{host}", "https://{own}", "https://soma.example.com",
			"https://a@{host}", "https://{host}/", "", "file://", "https://{host} https://evil.example",
		} {
			add("from "+origin, append([]string{"Origin: " + origin}, handshake...)...)
		}
		add("from two", append([]string{"Origin: https://{host}", "Origin: https://evil.example"}, handshake...)...)
		add("from nowhere", handshake...)
		add("of another version", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 7", "Origin: https://evil.example")
		add("that is not in Connection", "Connection: keep-alive", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Origin: https://evil.example")
		add("with a token among protocols", append([]string{"Sec-WebSocket-Protocol: base64url.bearer.authorization.k8s.io.YQ, soma"}, handshake...)...)
		add("with an assertion", append([]string{"X-Soma-Assertion: " + forged, "X_Soma_Assertion: " + forged, "x-soma_assertion: " + forged}, handshake...)...)
		add("of events, with an assertion", "Connection: close", "Accept: text/event-stream", "X-Soma-Assertion: "+forged, "X_SOMA_ASSERTION: "+forged)
		for _, accept := range []string{"Text/Event-Stream", "text/html, text/event-stream;q=0.9", "*/*\r\nAccept: TEXT/EVENT-STREAM"} {
			add("of events as "+accept, "Connection: close", "Accept: "+accept)
		}
	}
	return all
}

// cookies: cookies of ours in names that are not quite theirs.
func cookies() []mutant {
	var all []mutant
	for i, line := range []string{
		"__host-soma-page={cookie}", "__HOST-SOMA-PAGE={cookie}", " __Host-soma-page ={cookie}", "__Host-soma-page=\"{cookie}\"", "$Version=1; __Host-soma-page={cookie}; $Path=/",
		"a=1, __Host-soma-page={cookie}", "a=\"; __Host-soma-page={cookie}; b=\"", "=__Host-soma-page={cookie}", "__Host-soma-page={cookie}, b=2", "a=__Host-soma-page={cookie}",
		"__Host-soma-page={cookie}; __Host-soma-page=x", "__Host-soma-page=x; __Host-soma-page={cookie}", "__Host-soma-page", "__Host-soma-page=", "__Host-soma={cookie}",
		"__Host-soma-sign-in={cookie}", "__Host-soma-page-sign-in={cookie}", "__Secure-soma-page=x", "soma-page=x", "__Host-soma-page\x00={cookie}",
		"__%48ost-soma-page=x", "__Host_soma_page=x", "\u2000__Host-soma-page={cookie}", "a=1;__Host-soma-page={cookie};b=2", "a=1 ;\t__Host-soma-page={cookie}", "__Host-soma-page={cookie}x",
		"_oauth2_proxy=x", "__Host-soma-page=%s", "__Host-soma-page=" + strings.Repeat("A", 4096),
	} {
		all = append(all, one("cookie", fmt.Sprint(i), "Cookie: "+line), one("cookie", fmt.Sprint(i, " beside another line"), "Cookie: theirs=1", "cookie: "+line))
	}
	return append(all,
		one("cookie", "of version 2", "Cookie2: $Version=1", "Cookie: $Version=\"1\"; __Host-soma-page=\"{cookie}\"; $Domain=\"{host}\""),
		one("cookie", "in many lines", slices.Repeat([]string{"Cookie: a=1"}, 50)...),
	)
}

// credentials: tokens where they do not belong.
func credentials() []mutant {
	var all []mutant
	for _, query := range []string{"access_token", "token", "bearer", "authorization", "Authorization", "code", "auth", "id_token", "jwt", "api_key"} {
		all = append(all, mutant{class: "credentials", name: "in the query as " + query, request: request{line: "GET /?" + query + "=soma_nobody HTTP/1.1"}})
	}
	for i, line := range []string{
		"Proxy-Authorization: Bearer soma_nobody", "X-Authorization: Bearer soma_nobody", "Authorization2: Bearer soma_nobody", "X-Api-Key: soma_nobody", "X-Access-Token: soma_nobody",
		"Authorization:", "Authorization: Basic YWxpY2U6YWxpY2U=", "Authorization: Bearer", "Authorization: Negotiate x", "Authorization: Digest username=\"alice\"", "WWW-Authenticate: Bearer",
	} {
		all = append(all, one("credentials", fmt.Sprint("line ", i), line))
	}
	return all
}

// skips: who looks whether something lives, and what is asked by everybody. oauth2-proxy CVE-2026-34457.
func skips() []mutant {
	var all []mutant
	for _, agent := range []string{"kube-probe/1.37", "GoogleHC/1.0", "ELB-HealthChecker/2.0", "Prometheus/3.0", "Traefik"} {
		for _, path := range []string{"/", "/ping", "/healthz", "/oauth2/auth", "/robots.txt", "/.well-known/acme-challenge/x"} {
			all = append(all, mutant{class: "skip", name: agent + " " + path, request: request{line: "GET " + path + " HTTP/1.1", lines: []string{"User-Agent: " + agent}}})
		}
	}
	return all
}

// redirects: where a browser could be sent to. oauth2-proxy CVE-2021-21291; Traefik CVE-2024-52003.
func redirects() []mutant {
	var all []mutant
	browser := []string{"Sec-Fetch-Mode: navigate", "Sec-Fetch-Site: none", "Accept: text/html"}
	for _, to := range []string{
		"//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example", "https:evil.example", "/%09/evil.example", "/%5cevil.example", "/.soma/../%2f/evil.example",
		"javascript:alert(1)", "data:text/html,x", "//evil.example@{host}", "/\t/evil.example", "//{host}.evil.example", "http://{host}", "/.//evil.example", "/..//evil.example", ".evil.example", "@evil.example", ":443@evil.example",
	} {
		all = append(all,
			mutant{class: "redirect", name: "a page " + to, request: request{line: "GET " + to + " HTTP/1.1", lines: browser}},
			mutant{class: "redirect", name: "after signing in to " + to, request: request{line: "GET /.soma/enter?code=x&to=" + to + " HTTP/1.1", lines: browser}},
			mutant{class: "redirect", name: "events of " + to, request: request{line: "GET " + to + " HTTP/1.1", lines: append([]string{"Accept: text/event-stream"}, browser...)}},
		)
	}
	for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Prefix", "X-Forwarded-Uri", "X-Auth-Request-Redirect", "X-Original-Url", "Referer", "Origin"} {
		all = append(all, mutant{class: "redirect", name: "by " + name, request: request{lines: append([]string{name + ": https://evil.example//evil.example"}, browser...)}})
	}
	return all
}

// framed: what only HTTP/2 can say.
func framed() []mutant {
	usual := []field{{":method", "GET"}, {":scheme", "https"}, {":authority", "{host}"}, {":path", "/"}}
	var all []mutant
	add := func(name string, fields ...field) {
		all = append(all, mutant{class: "HTTP/2", name: name, fields: fields})
	}
	with := func(name string, more ...field) { add(name, append(slices.Clone(usual), more...)...) }
	replaced := func(name, which, value string) {
		fields := slices.Clone(usual)
		for i := range fields {
			if fields[i].name == which {
				fields[i].value = value
			}
		}
		add(name, fields...)
	}
	with("as usual")
	with("a host beside", field{"host", "{own}"})
	add("a host alone", field{":method", "GET"}, field{":scheme", "https"}, field{":path", "/"}, field{"host", "{host}"})
	add("an authority that is another", field{":method", "GET"}, field{":scheme", "https"}, field{":authority", "{own}"}, field{":path", "/"}, field{"host", "{host}"})
	add("two authorities", field{":method", "GET"}, field{":scheme", "https"}, field{":authority", "{own}"}, field{":authority", "{host}"}, field{":path", "/"})
	add("two paths", field{":method", "GET"}, field{":scheme", "https"}, field{":authority", "{host}"}, field{":path", "/.soma/"}, field{":path", "/"})
	add("what is first last", field{"x-other", "a"}, field{":method", "GET"}, field{":scheme", "https"}, field{":authority", "{host}"}, field{":path", "/"})
	for _, authority := range []string{"{HOST}", "{host}.", "{host}:443", "a@{host}", "{own}@{host}", "{host}/", "{host}#", "{host}\r\nX-Soma-Assertion: x", "{host} ", "{own}, {host}", ""} {
		replaced("authority "+authority, ":authority", authority)
	}
	for _, path := range []string{"", "*", "a", "//", "https://{own}/", "/ HTTP/1.1\r\nX-Soma-Assertion: " + forged + "\r\n", "/.soma/../", "/.soma/..;/", "/\x00", "/#", "\\", "/.soma/%2e%2e/"} {
		replaced("path "+path, ":path", path)
	}
	for _, method := range []string{"CONNECT", "get", "OPTIONS", "GET /x HTTP/1.1\r\nX: y", "", "PRI", "TRACE"} {
		replaced("method "+method, ":method", method)
	}
	for _, scheme := range []string{"http", "", "https://{own}/?", "ftp"} {
		replaced("scheme "+scheme, ":scheme", scheme)
	}
	with("a protocol", field{":protocol", "websocket"})
	add("a connection to a WebSocket", field{":method", "CONNECT"}, field{":scheme", "https"}, field{":authority", "{host}"}, field{":path", "/socket"}, field{":protocol", "websocket"}, field{"origin", "https://evil.example"})
	with("a status", field{":status", "200"})
	for _, name := range []string{"x-soma-assertion", "X-Soma-Assertion", "x_soma_assertion", "x-soma-assertion ", "x-soma-assertion:", "x-other\r\nX-Soma-Assertion", " x-soma-assertion", "x-soma-assertion\x00", ":x-soma-assertion"} {
		with(name, field{name, forged})
	}
	with("a line in a value", field{"x-other", "a\r\nX-Soma-Assertion: " + forged})
	with("a line feed in a value", field{"x-other", "a\nX-Soma-Assertion: " + forged})
	for _, name := range []string{"connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade", "te"} {
		with(name, field{name, "x-forwarded-host"})
	}
	with("an upgrade", field{"connection", "upgrade"}, field{"upgrade", "websocket"})
	with("a length that is not", field{"content-length", "5"})
	with("chunks", field{"transfer-encoding", "chunked"}, field{"content-length", "0"})
	with("events", field{"accept", "text/event-stream"}, field{"x_soma_assertion", forged})
	with("cookies in pieces", field{"cookie", "__Host-soma-page"}, field{"cookie", "=x"})
	return all
}

func TestThereAreMutants(t *testing.T) {
	known, byClass := map[string]bool{}, map[string]int{}
	for _, m := range mutants() {
		if known[m.class+m.name] {
			t.Errorf("there are two named %s: %s", m.class, m.name)
		}
		known[m.class+m.name] = true
		byClass[m.class]++
	}
	t.Logf("%d mutants: %v", len(known), byClass)
	if len(known) < 500 || len(byClass) != len(classes) {
		t.Error("there are not 500 of all classes")
	}
}
