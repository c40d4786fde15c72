package faultproxy

import (
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"k8s.io/apiserver/pkg/endpoints/request"
)

// Past is an API server that is behind, as one of several may be: what it lists is as of a revision, and what happened since
// is told only when it has caught up. Who asks for what is newest is given that.
type Past struct {
	revision int64
	// resources are those that it is behind with; all where there are none.
	resources []string
	// caughtUp is closed then.
	caughtUp chan struct{}
	once     sync.Once
	mutex    sync.Mutex
	lists    int
}

// ServePast answers from the past, from now on until it has caught up: about all resources, or those that are named.
func (p *Proxy) ServePast(revision int64, resources ...string) *Past {
	past := &Past{revision: revision, resources: resources, caughtUp: make(chan struct{})}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.past = past
	return past
}

// CatchUp lets the API server be as all others.
func (p *Past) CatchUp() { p.once.Do(func() { close(p.caughtUp) }) }

// Lists is how many lists of the past were served.
func (p *Past) Lists() int {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.lists
}

func (p *Past) behind(resource string) bool {
	if p == nil || len(p.resources) > 0 && !slices.Contains(p.resources, resource) {
		return false
	}
	select {
	case <-p.caughtUp:
		return false
	default:
		return true
	}
}

// list makes a list one of the past, where one of any age will do.
func (p *Past) list(r *http.Request) {
	query := r.URL.Query()
	if query.Get("resourceVersion") != "0" {
		return
	}
	p.mutex.Lock()
	p.lists++
	p.mutex.Unlock()
	query.Set("resourceVersion", strconv.FormatInt(p.revision, 10))
	query.Set("resourceVersionMatch", "Exact")
	r.URL.RawQuery = query.Encode()
}

// Cuts end each watch after some pieces of what it tells, at most so many.
type Cuts struct {
	Most   int
	Random *rand.Rand

	mutex sync.Mutex
	made  int
}

// CutWatches ends watches from now on, or, with nil, no more of them.
func (p *Proxy) CutWatches(cuts *Cuts) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.cuts = cuts
	for s := range p.open {
		if s.watch {
			s.cut()
		}
	}
}

// Made is how many watches were cut.
func (c *Cuts) Made() int {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.made
}

func (c *Cuts) draw() int {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return 1 + c.Random.IntN(c.Most)
}

func (c *Cuts) count() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.made++
}

// read takes a question through, and its answer back.
func (p *Proxy) read(w http.ResponseWriter, r *http.Request, info *request.RequestInfo) {
	p.mutex.Lock()
	past, cuts := p.past, p.cuts
	p.mutex.Unlock()
	if past.behind(info.Resource) {
		switch {
		case info.Verb == "list":
			past.list(r)
		case info.Verb == "watch" && r.URL.Query().Has("sendInitialEvents"):
			// A list that comes as a watch cannot be one of the past; the client then lists and watches one after the other.
			refuse(w, http.StatusUnprocessableEntity)
			return
		case info.Verb == "watch":
			select {
			case <-past.caughtUp:
			case <-r.Context().Done():
				abort()
			}
		}
	}
	if info.Verb == "watch" && cuts != nil {
		w = &cutWriter{ResponseWriter: w, left: cuts.draw(), cuts: cuts}
	}
	p.reads.ServeHTTP(w, r)
}

// cutWriter passes on some pieces of an answer, and then none.
type cutWriter struct {
	http.ResponseWriter
	left int
	cuts *Cuts
}

// Unwrap is for http.ResponseController.
func (w *cutWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Write passes one piece on.
func (w *cutWriter) Write(piece []byte) (int, error) {
	if w.left == 0 {
		w.cuts.count()
		return 0, io.ErrClosedPipe
	}
	w.left--
	return w.ResponseWriter.Write(piece)
}
