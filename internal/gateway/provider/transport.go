package provider

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// askTimeout bounds one request to an identity provider.
	askTimeout = 10 * time.Second
	// maxAnswer bounds what it answers.
	maxAnswer = 1 << 20
	// keysKept is how long an answer with keys is taken for the next question as well: whoever sends tokens that name keys
	// which do not exist does not make the gateway ask for each.
	keysKept = 10 * time.Second
)

// errLarge is for an answer that is not read to its end.
var errLarge = fmt.Errorf("the identity provider answered with more than %d bytes", maxAnswer)

// newClient makes a client for one identity provider, whose certificate is from the authority, or from one that the machine
// knows. It follows no redirects: neither keys nor tokens are anywhere but where the provider says.
func newClient(ca []byte) (*http.Client, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != nil {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(ca) {
			return nil, errors.New("the certificate authority has no certificate in PEM")
		}
	}
	return &http.Client{
		Timeout: askTimeout,
		Transport: &bounded{inner: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: askTimeout}).DialContext,
			TLSClientConfig:       config,
			TLSHandshakeTimeout:   askTimeout,
			ResponseHeaderTimeout: askTimeout,
			MaxIdleConnsPerHost:   8,
			IdleConnTimeout:       time.Minute,
			ForceAttemptHTTP2:     true,
		}, kept: map[string]answer{}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// bounded bounds answers, and keeps those to questions without credentials for a moment.
type bounded struct {
	inner http.RoundTripper

	mu   sync.Mutex
	kept map[string]answer
}

// answer is one that was kept: discovery and keys, two of a provider.
type answer struct {
	at     time.Time
	status string
	code   int
	header http.Header
	body   []byte
}

// RoundTrip asks, unless the answer was just given.
func (b *bounded) RoundTrip(request *http.Request) (*http.Response, error) {
	keep := request.Method == http.MethodGet && request.Header.Get("Authorization") == ""
	key := request.URL.String()
	if keep {
		b.mu.Lock()
		kept, found := b.kept[key]
		b.mu.Unlock()
		if found && time.Since(kept.at) < keysKept {
			return kept.response(request), nil
		}
	}
	response, err := b.inner.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxAnswer {
		return nil, errLarge
	}
	made := answer{at: time.Now(), status: response.Status, code: response.StatusCode, header: response.Header, body: body}
	if keep && made.code == http.StatusOK {
		b.mu.Lock()
		if len(b.kept) > 8 {
			clear(b.kept)
		}
		b.kept[key] = made
		b.mu.Unlock()
	}
	return made.response(request), nil
}

func (a answer) response(request *http.Request) *http.Response {
	return &http.Response{
		Status: a.status, StatusCode: a.code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header.Clone(), Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body)), Request: request,
	}
}
