package pages_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	// answerTime is how long a proxy may take to answer what it understands, and quietTime what may be the half of a request.
	answerTime = 4 * time.Second
	quietTime  = 200 * time.Millisecond
	// maxAnswers is how many are read on one connection.
	maxAnswers = 4
)

// reply is what a proxy answers, as far as it is one.
type reply struct {
	status int
	header http.Header
	body   string
}

// same reports whether two replies cannot be told apart.
func (r reply) same(other reply) bool {
	return r.status == other.status && r.body == other.body && written(r.header) == written(other.header)
}

func written(header http.Header) string {
	header = header.Clone()
	header.Del("Date")
	var out bytes.Buffer
	_ = header.Write(&out) // a buffer takes everything
	return out.String()
}

// raw sends bytes by TLS as a request of a method, and is the first answer to them. What else is answered is read as well.
func (w *world) raw(address, text, method string) (first reply) {
	w.t.Helper()
	config := w.tls()
	config.NextProtos = []string{"http/1.1"}
	conn, err := tls.Dial("tcp", address, config)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(answerTime)); err != nil {
		w.t.Fatal(err)
	}
	_, _ = io.WriteString(conn, text) // who does not want to hear it to the end says so
	reader := bufio.NewReader(conn)
	for count := range maxAnswers {
		answer, err := http.ReadResponse(reader, &http.Request{Method: method})
		if err != nil {
			return first
		}
		body, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<20)) // what was read of it counts
		_ = answer.Body.Close()
		if count == 0 {
			first = reply{answer.StatusCode, answer.Header, string(body)}
		}
		if answer.Close || answer.StatusCode == http.StatusSwitchingProtocols || conn.SetDeadline(time.Now().Add(quietTime)) != nil {
			return first
		}
	}
	return first
}

// field is a field of a header of HTTP/2, as it is on the wire.
type field struct{ name, value string }

// two sends fields as one request of HTTP/2.
func (w *world) two(address string, fields []field) reply {
	w.t.Helper()
	config := w.tls()
	config.NextProtos = []string{"h2"}
	conn, err := tls.Dial("tcp", address, config)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(answerTime)); err != nil {
		w.t.Fatal(err)
	}
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		w.t.Fatal(err)
	}
	framer := http2.NewFramer(conn, conn)
	framer.AllowIllegalWrites = true
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range fields {
		if err := encoder.WriteField(hpack.HeaderField{Name: f.name, Value: f.value}); err != nil {
			w.t.Fatal(err)
		}
	}
	_ = framer.WriteSettings()
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true})
	answer := reply{header: http.Header{}}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return answer
		}
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			for _, f := range frame.Fields {
				if f.Name == ":status" {
					_, _ = fmt.Sscan(f.Value, &answer.status)
				} else {
					answer.header.Add(f.Name, f.Value)
				}
			}
			if frame.StreamEnded() {
				return answer
			}
		case *http2.DataFrame:
			answer.body += string(frame.Data())
			if frame.StreamEnded() {
				return answer
			}
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return answer
		}
	}
}

// request is one of HTTP/1.1 as it is on the wire: what it asks for, lines of its header, and what follows.
type request struct {
	line  string
	hosts []string
	lines []string
	body  string
}

// text is the request for a host, with what shows who sends it.
func (r request) text(host, credentials string) string {
	if r.line == "" {
		r.line = "GET / HTTP/1.1"
	}
	if r.hosts == nil {
		r.hosts = []string{"Host: {host}"}
	}
	lines := append([]string{r.line}, r.hosts...)
	lines = append(lines, r.lines...)
	if credentials != "" {
		lines = append(lines, credentials)
	}
	return strings.ReplaceAll(strings.Join(lines, "\r\n")+"\r\n\r\n"+r.body, "{host}", host)
}
