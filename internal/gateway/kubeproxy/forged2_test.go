package kubeproxy

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// field is a field of a request over HTTP/2, whose name may begin with a colon.
type field = hpack.HeaderField

// asFields are the lines of a request over HTTP/1.1 as the fields of one over HTTP/2, as they are written.
func asFields(lines []string) []field {
	var fields []field
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		fields = append(fields, field{Name: name, Value: strings.TrimPrefix(value, " ")})
	}
	return fields
}

// lowered are the fields with names as HTTP/2 wants them: such a request is read further than to its first name.
func lowered(fields []field) []field {
	fields = slices.Clone(fields)
	for i := range fields {
		fields[i].Name = strings.ToLower(fields[i].Name)
	}
	return fields
}

// raw2 sends the fields as they are over HTTP/2, a body, and fields behind it; it tells what is answered. An end without an
// answer is the code 0.
func (w *world) raw2(fields []field, body string, behind []field) (code int, answer string) {
	w.t.Helper()
	config := w.front.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	config.NextProtos, config.ServerName = []string{"h2"}, "example.com"
	conn, err := (&tls.Dialer{Config: config}).DialContext(w.t.Context(), "tcp", w.front.Listener.Addr().String())
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	var sent bytes.Buffer
	sent.WriteString(http2.ClientPreface)
	framer := http2.NewFramer(&sent, conn)
	framer.AllowIllegalWrites = true
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	encode := func(fields []field) []byte {
		block.Reset()
		for _, one := range fields {
			if err := encoder.WriteField(one); err != nil {
				w.t.Fatal(err)
			}
		}
		return block.Bytes()
	}
	for _, err := range []error{
		framer.WriteSettings(),
		framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: encode(fields), EndHeaders: true}),
		framer.WriteData(1, len(behind) == 0, []byte(body)),
	} {
		if err != nil {
			w.t.Fatal(err)
		}
	}
	if len(behind) > 0 {
		if err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: encode(behind), EndHeaders: true, EndStream: true}); err != nil {
			w.t.Fatal(err)
		}
	}
	if _, err := io.Copy(conn, &sent); err != nil {
		return 0, err.Error()
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return code, answer + err.Error()
		}
		ended := false
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			code, _ = strconv.Atoi(frame.PseudoValue("status"))
			ended = frame.StreamEnded()
		case *http2.DataFrame:
			answer += string(frame.Data())
			ended = frame.StreamEnded()
		case *http2.RSTStreamFrame:
			return code, frame.ErrCode.String()
		case *http2.GoAwayFrame:
			return code, frame.ErrCode.String()
		}
		if ended {
			return code, answer
		}
	}
}

// pseudo begins a request over HTTP/2 that asks who one is.
func (w *world) pseudo(authority string) []field {
	return []field{
		{Name: ":method", Value: http.MethodPost}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: authority},
		{Name: ":path", Value: "/kube/apis/authentication.k8s.io/v1/selfsubjectreviews"},
	}
}

// tricks2 are fields that HTTP/1.1 does not have, behind those that begin a request.
var tricks2 = [][]field{
	{{Name: ":authority", Value: "kubernetes"}}, {{Name: ":path", Value: "/api"}}, {{Name: ":impersonate-user", Value: "system:admin"}},
	{{Name: ":protocol", Value: "websocket"}}, {{Name: "host", Value: "kubernetes"}}, {{Name: "host", Value: "a"}, {Name: "host", Value: "kubernetes"}},
	{{Name: "x", Value: "y\r\nimpersonate-user: system:admin"}}, {{Name: "x\r\nimpersonate-user", Value: "system:admin"}},
	{{Name: "impersonate-user: system:admin\r\nx", Value: "y"}}, {{Name: "x", Value: "y\x00"}}, {{Name: "", Value: "system:admin"}},
	{{Name: "connection", Value: "impersonate-user"}, {Name: "impersonate-user", Value: "system:admin"}},
	{{Name: "transfer-encoding", Value: "chunked"}}, {{Name: "content-length", Value: "1"}}, {{Name: "te", Value: "trailers"}},
	{{Name: "cookie", Value: "session=admin"}, {Name: "cookie", Value: "session=system:masters"}},
	{{Name: "impersonate-user", Value: "system:admin", Sensitive: true}}, {{Name: "x", Value: "y"}, {Name: ":authority", Value: "kubernetes"}},
}

// TestNoForgedIdentityReachesTheAPIServerOverHTTP2 is the same as over HTTP/1.1, with what HTTP/2 has besides.
func TestNoForgedIdentityReachesTheAPIServerOverHTTP2(t *testing.T) {
	w := newWorld(t, "forged2")
	alice := w.user("alice")
	host := w.front.Listener.Addr().String()
	own := field{Name: "authorization", Value: "Bearer " + alice}
	kind := field{Name: "content-type", Value: "application/json"}
	passed, refused := 0, 0
	try := func(what string, fields, behind []field) {
		t.Helper()
		tokens := strings.Count(strings.ToLower(fmt.Sprint(fields)), `"authorization"`)
		switch code, body := w.raw2(fields, review, behind); {
		case code == http.StatusCreated && slices.ContainsFunc(fields, func(f field) bool { return impersonation([]string{f.Name}) }):
			t.Errorf("%s: %q is not refused: %s", what, fields, body)
		case code == http.StatusCreated && strings.Contains(body, `"username":"soma:`+alice+`","groups":["soma:users","system:authenticated"]}`):
			passed++
		case code == 0, code == http.StatusBadRequest, code == http.StatusUnauthorized, code == http.StatusTooManyRequests:
			refused++
		case code == http.StatusCreated && tokens > 1 && strings.Contains(body, `"username":"soma:`):
			// Another token is another caller of ours, and of ours alone.
			passed++
		default:
			t.Errorf("%s: %q, behind it %q: %d %s", what, fields, behind, code, body)
		}
	}
	if code, body := w.raw2(append(w.pseudo(host), own, kind), review, nil); code != http.StatusCreated {
		t.Fatalf("an honest request is answered %d %s", code, body)
	}
	corpus := slices.Clone(tricks)
	for _, name := range identities {
		corpus = append(corpus, spellings(name)...)
	}
	all := slices.Clone(tricks2)
	for _, lines := range corpus {
		all = append(all, asFields(lines), lowered(asFields(lines)))
	}
	for _, forged := range all {
		try("after the token", slices.Concat(w.pseudo(host), []field{own, kind}, forged), nil)
		try("before the token", slices.Concat(w.pseudo(host), forged, []field{own, kind}), nil)
	}
	for _, name := range identities {
		try("behind the body", append(w.pseudo(host), own, kind), []field{{Name: strings.ToLower(name), Value: "system:masters"}})
		try("behind the body, announced", append(w.pseudo(host), own, kind, field{Name: "trailer", Value: name}), []field{{Name: strings.ToLower(name), Value: "system:masters"}})
	}
	try("the token behind the body", append(w.pseudo(host), kind), []field{own})
	for _, authority := range []string{"kubernetes", "127.0.0.1", "kubernetes.default.svc:443", "user@" + host, ""} {
		try("of another authority", append(w.pseudo(authority), own, kind), nil)
	}
	t.Logf("%d requests were taken for the caller's own, %d refused", passed, refused)
	if passed < len(identities) || refused < len(identities) {
		t.Errorf("only %d passed and %d were refused: the corpus does not try what it is to try", passed, refused)
	}
}
