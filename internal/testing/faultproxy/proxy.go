// Package faultproxy stands, in a test, between one manager and the API server, and does to the manager what crashes, networks
// and API servers do: it ends it at a chosen write, loses answers, holds a write back until others have acted, serves lists
// of the past and cuts watches. It speaks plain HTTP on the loopback, so that a manager within the test's own process and a
// real one come by the same way. Each manager gets a proxy of its own, which therefore knows whose the writes are.
package faultproxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// maxBody bounds a write and its answer; the API server itself takes no more than 3 MiB.
const maxBody = 8 << 20

// Proxy is the way of one manager to the API server.
type Proxy struct {
	target  *url.URL
	through http.RoundTripper
	reads   *httputil.ReverseProxy
	decoder runtime.Decoder
	infos   request.RequestInfoFactory
	server  *http.Server
	address string

	mutex sync.Mutex
	// fault is what is to happen, once, and kill ends the manager's process, where that is part of it.
	fault *Fault
	kill  func()
	flaw  *Flaw
	holds []*Hold
	past  *Past
	cuts  *Cuts
	met   bool
	dead  bool
	open  map[*stream]struct{}
	// writes are all that were tried, in order, applied those of them that took effect.
	writes, applied []Write
	seen            map[string]int
	last            time.Time
}

// stream is a request that is under way.
type stream struct {
	watch bool
	cut   context.CancelFunc
}

// Start starts a proxy before the API server of a configuration. The scheme knows the kinds that are written.
func Start(target *rest.Config, scheme *runtime.Scheme) (*Proxy, error) {
	address, _, err := rest.DefaultServerUrlFor(target)
	if err != nil {
		return nil, fmt.Errorf("read the address of the API server: %w", err)
	}
	through, err := rest.TransportFor(target)
	if err != nil {
		return nil, fmt.Errorf("make a way to the API server: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	p := &Proxy{
		target: address, through: through, address: "http://" + listener.Addr().String(),
		decoder: serializer.NewCodecFactory(scheme).UniversalDeserializer(),
		infos:   request.RequestInfoFactory{APIPrefixes: sets.NewString("api", "apis"), GrouplessAPIPrefixes: sets.NewString("api")},
		open:    map[*stream]struct{}{}, seen: map[string]int{}, last: time.Now(),
	}
	silent := log.New(io.Discard, "", 0) // that connections are cut is what it is there for
	p.reads = &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(address) },
		Transport: through, FlushInterval: -1, ErrorLog: silent,
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { abort() },
	}
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: time.Minute, ErrorLog: silent}
	go func() { _ = p.server.Serve(listener) }() // it ends with Close
	return p, nil
}

// Config is a configuration that leads through the proxy.
func (p *Proxy) Config() *rest.Config { return &rest.Config{Host: p.address} }

// Kubeconfig is Config as a file.
func (p *Proxy) Kubeconfig() ([]byte, error) {
	return clientcmd.Write(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"proxy": {Server: p.address}},
		Contexts:       map[string]*clientcmdapi.Context{"proxy": {Cluster: "proxy"}},
		CurrentContext: "proxy",
	})
}

// Close ends the proxy with all that goes through it.
func (p *Proxy) Close() error {
	p.Cut()
	return p.server.Close()
}

// Cut cuts the way for good, as if the manager's process had ended: nothing new goes through, and what the API server answers
// to writes that are there already is lost.
func (p *Proxy) Cut() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.dead = true
	for s := range p.open {
		s.cut()
	}
}

// die is the end of the process at its write.
func (p *Proxy) die() {
	p.Cut()
	p.mutex.Lock()
	kill := p.kill
	p.mutex.Unlock()
	if kill != nil {
		kill()
	}
}

// Dead reports whether the way is cut.
func (p *Proxy) Dead() bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.dead
}

// abort cuts the connection of the request that is being served.
func abort() { panic(http.ErrAbortHandler) }

// ServeHTTP takes one request of the manager.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	info, err := p.infos.NewRequestInfo(r)
	if err != nil {
		abort()
	}
	ctx, cut := context.WithCancel(r.Context())
	defer cut()
	s := &stream{watch: info.Verb == "watch", cut: cut}
	if !p.enter(s) {
		abort()
	}
	defer p.leave(s)
	r = r.WithContext(ctx)
	if counts(info) {
		p.write(w, r, info)
		return
	}
	p.read(w, r, info)
}

func (p *Proxy) enter(s *stream) bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if !p.dead {
		p.open[s] = struct{}{}
	}
	return !p.dead
}

func (p *Proxy) leave(s *stream) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	delete(p.open, s)
}

// write takes a write through, and with it whatever is planned for it. Once it is at the API server the end of the manager
// does not take it back.
func (p *Proxy) write(w http.ResponseWriter, r *http.Request, info *request.RequestInfo) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		abort()
	}
	var answer answer
	var verdict verdict
	out, done := r.Clone(context.WithoutCancel(r.Context())), make(chan struct{})
	go func() {
		defer close(done)
		verdict = p.pass(p.identify(info, body), func() (applied bool) {
			answer, err = p.forward(out, body)
			return err == nil && answer.status < http.StatusMultipleChoices
		})
	}()
	select {
	case <-done:
	case <-r.Context().Done():
		abort()
	}
	switch {
	case verdict.refuse != 0:
		refuse(w, verdict.refuse)
		return
	case verdict.cut || err != nil:
		abort()
	}
	maps.Copy(w.Header(), answer.header)
	w.WriteHeader(answer.status)
	_, _ = w.Write(answer.body) // a manager that does not read its answer is its own affair
	if verdict.end {
		_ = http.NewResponseController(w).Flush()
		p.die()
	}
}

// answer is what the API server says to a write.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (p *Proxy) forward(r *http.Request, body []byte) (answer, error) {
	r.URL.Scheme, r.URL.Host, r.Host, r.RequestURI = p.target.Scheme, p.target.Host, p.target.Host, ""
	r.Body, r.ContentLength = newBody(body), int64(len(body))
	response, err := p.through.RoundTrip(r)
	if err != nil {
		return answer{}, err
	}
	said, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	return answer{response.StatusCode, response.Header, said}, errors.Join(err, response.Body.Close())
}
