package kubeproxy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/soma-platform/soma/internal/access"
)

const (
	// copyBytes is how much of an answer is on its way at once: an open watch has no more.
	copyBytes = 8 << 10
	// maxStatusBytes bounds what is read of an answer that is a Status.
	maxStatusBytes = 64 << 10
)

type exchangeKey struct{}

func exchangeOf(r *http.Request) *exchange {
	x, _ := r.Context().Value(exchangeKey{}).(*exchange)
	return x
}

// connect prepares the ways to the API server.
func (p *Proxy) connect(config *rest.Config) error {
	var err error
	if p.server, _, err = rest.DefaultServerUrlFor(config); err != nil {
		return fmt.Errorf("find the API server's address: %w", err)
	}
	// What the client takes compressed passes as it is.
	own := rest.CopyConfig(config)
	own.DisableCompression = true
	if p.transport, err = rest.TransportFor(own); err != nil {
		return fmt.Errorf("prepare the connections to the API server: %w", err)
	}
	// Other protocols begin from HTTP/1.1 alone.
	upgrading := rest.CopyConfig(own)
	upgrading.NextProtos = []string{"http/1.1"}
	upgrades, err := rest.TransportFor(upgrading)
	if err != nil {
		return fmt.Errorf("prepare the connections to the API server: %w", err)
	}
	if p.pods, err = metadata.NewForConfig(config); err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	if p.reviews, err = authorizationclient.NewForConfig(config); err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	p.reverse = &httputil.ReverseProxy{
		Rewrite: p.rewrite,
		Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			if x := exchangeOf(r); x != nil && x.attributes.upgrade != "" {
				return upgrades.RoundTrip(r)
			}
			return p.transport.RoundTrip(r)
		}),
		FlushInterval:  -1,
		BufferPool:     &buffers{},
		ModifyResponse: p.modify,
		ErrorHandler:   p.failed,
		// What it would say is in the records and metrics.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	return nil
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip does one request.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// buffers lends what answers are copied with.
type buffers struct{ pool sync.Pool }

// Get lends a buffer.
func (b *buffers) Get() []byte {
	if buffer, ok := b.pool.Get().(*[copyBytes]byte); ok {
		return buffer[:]
	}
	return new([copyBytes]byte)[:]
}

// Put takes a buffer back.
func (b *buffers) Put(buffer []byte) { b.pool.Put((*[copyBytes]byte)(buffer)) }

// forward has the API server answer on behalf of a user, or of the gateway itself.
func (p *Proxy) forward(x *exchange, as onBehalf) {
	x.as = as
	request := x.request.WithContext(context.WithValue(x.context, exchangeKey{}, x))
	if !x.attributes.connection && request.Body != nil {
		request.Body = http.MaxBytesReader(x.tap, request.Body, p.limits.BodyBytes)
	}
	p.reverse.ServeHTTP(x.tap, request)
}

// address is that of a path at the API server.
func (p *Proxy) address(path, query string) *url.URL {
	address := *p.server
	address.Path, address.RawPath, address.RawQuery = strings.TrimSuffix(address.Path, "/")+path, "", query
	return &address
}

// rewrite makes the request at the API server anew, from what was understood of the client's.
func (p *Proxy) rewrite(r *httputil.ProxyRequest) {
	x := exchangeOf(r.In)
	r.Out.URL = p.address(x.attributes.path, r.Out.URL.RawQuery)
	r.Out.Host = ""
	r.Out.Header = outgoing(r.Out.Header, x.as, x.id.String(), x.attributes.upgrade != "")
}

// modify looks at an answer before it goes to the client.
func (p *Proxy) modify(response *http.Response) error {
	x := exchangeOf(response.Request)
	drop(response.Header)
	harden(response.Header)
	x.learnName(response)
	switch {
	case response.StatusCode == http.StatusUnauthorized:
		// It is the gateway whom the API server does not know.
		return errors.New("the API server does not know the gateway: look at its service account")
	case response.StatusCode == http.StatusForbidden && x.as.user != "":
		return p.modifyRefusal(x, response)
	}
	response.Body = x.partedOf(response)
	return nil
}

// modifyRefusal makes a refusal of what the user may not know of into the answer for what does not exist, and tells of others
// what right is missing.
func (p *Proxy) modifyRefusal(x *exchange, response *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(response.Body, maxStatusBytes))
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(body))
	x.reason = ReasonForbidden
	// In whatever form the client wanted it.
	decoded, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
	status, ok := decoded.(*metav1.Status)
	if err != nil || !ok || response.Header.Get("Content-Encoding") != "" {
		response.ContentLength = int64(len(body))
		return nil
	}
	// Admission refuses as well, and is to be heard: it has seen the object.
	byRights := strings.Contains(status.Message, `User "`+access.UserPrefix+x.caller.User+`" cannot `)
	if byRights {
		if refused := p.findJob(x); refused != nil {
			return refused
		}
	}
	tree := p.tree(&x.caller)
	switch a := &x.attributes; {
	case !byRights:
	case p.hidden(tree, a):
		hidden := absent(a)
		x.reason, status = hidden.reason, &hidden.status
	default:
		// Whoever sees nothing there is not told that there is a place.
		if target, level, known := p.requirement(a.Request); known && p.sees(tree, a) && !tree.Allows(target, level) {
			status.Message += fmt.Sprintf(": that needs %s on %s", level.Action(), target)
		}
	}
	status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	if body, err = json.Marshal(status); err != nil {
		return err
	}
	body = append(body, '\n')
	response.StatusCode, response.Status = int(status.Code), ""
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	response.Header.Set("Content-Type", "application/json")
	response.Header.Set("Content-Length", fmt.Sprint(len(body)))
	return nil
}

// failed answers where the API server did not.
func (p *Proxy) failed(w http.ResponseWriter, r *http.Request, err error) {
	x := exchangeOf(r)
	refused := p.failure(x, err)
	x.reason = refused.reason
	refused.write(w)
}

// failure is what a client is told of an error on the way to the API server or back.
func (p *Proxy) failure(x *exchange, err error) *refusal {
	var large *http.MaxBytesError
	switch cause := context.Cause(x.context); {
	case errors.As(err, &large):
		return refuse(ReasonSize, http.StatusRequestEntityTooLarge, metav1.StatusReasonRequestEntityTooLarge,
			"the body has more than %d bytes", large.Limit)
	case errors.Is(cause, errRevoked), errors.Is(cause, errExpired):
		return refuse(ReasonRevoked, http.StatusUnauthorized, metav1.StatusReasonUnauthorized, "%v", cause)
	case errors.Is(cause, context.DeadlineExceeded):
		return refuse(ReasonUpstream, http.StatusGatewayTimeout, metav1.StatusReasonTimeout,
			"the API server did not answer within %s", p.limits.Request)
	case x.request.Context().Err() == nil:
		p.log.Error(err, "The API server does not answer", "request", x.id)
	}
	return unavailable()
}
