package faultproxy

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Kind is where at its write a manager ends.
type Kind string

const (
	// Before the write is applied.
	Before Kind = "before"
	// AfterApplied is when the write has taken effect and nobody was told.
	AfterApplied Kind = "after-applied"
	// After the answer has arrived.
	After Kind = "after"

	// What a flaw does to a write of a manager that lives on.
	lostBefore Kind = "lost-before"
	lostAfter  Kind = "lost-after"
	refused500 Kind = "refused-500"
	refused429 Kind = "refused-429"
)

// Kinds are those of a Fault.
var Kinds = []Kind{Before, AfterApplied, After}

// refusals are the answers of an API server that cannot, at the moment.
var refusals = map[Kind]int{refused500: http.StatusInternalServerError, refused429: http.StatusTooManyRequests}

// Fault is the end of a manager at one of its writes.
type Fault struct {
	Kind Kind
	// At names the write as Write.At does; Number is its number in this run, which differs a little from one run to another.
	// One of the two is given.
	At     string
	Number int
}

// String is what ParseFault reads.
func (f Fault) String() string {
	if f.At == "" {
		return fmt.Sprintf("kind=%s,write=%d", f.Kind, f.Number)
	}
	return fmt.Sprintf("kind=%s,at=%s", f.Kind, f.At)
}

// ParseFault reads a fault: "kind=after-applied,write=17" or "kind=before,at=create pods lab/train-UID-1-0#1".
func ParseFault(text string) (Fault, error) {
	f := Fault{}
	for _, part := range strings.Split(text, ",") {
		key, value, _ := strings.Cut(part, "=")
		switch key {
		case "kind":
			f.Kind = Kind(value)
		case "at":
			f.At = value
		case "write":
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 {
				return f, fmt.Errorf("write=%s in fault %q is no number from 1", value, text)
			}
			f.Number = n
		default:
			return f, fmt.Errorf("fault %q says %q; it may say kind, at and write", text, key)
		}
	}
	if !slices.Contains(Kinds, f.Kind) || (f.At == "") == (f.Number == 0) {
		return f, fmt.Errorf("fault %q does not name one of the kinds %v and either at or write", text, Kinds)
	}
	return f, nil
}

func (f *Fault) meets(write Write) bool {
	return f.Number == write.Number || f.Number == 0 && f.At == write.At()
}

// Arm plans the end of the manager; kill ends its process.
func (p *Proxy) Arm(fault Fault, kill func()) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.fault, p.kill, p.met = &fault, kill, false
}

// Met reports whether the manager came to the write at which it was to end.
func (p *Proxy) Met() bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.met
}

// Disarm takes back an end that has not come.
func (p *Proxy) Disarm() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.fault = nil
}

// Flaw makes single writes go wrong for a manager that lives on: each, with the given chance, is lost on its way, or takes
// effect while its answer is lost, or is refused by a server that is too busy or that fails.
type Flaw struct {
	Chance float64
	Random *rand.Rand

	mutex sync.Mutex
	made  int
}

// Made is how many writes went wrong.
func (f *Flaw) Made() int {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.made
}

func (f *Flaw) draw() Kind {
	if f == nil {
		return ""
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.Random.Float64() >= f.Chance {
		return ""
	}
	f.made++
	kinds := []Kind{lostBefore, lostAfter, refused500, refused429}
	return kinds[f.Random.IntN(len(kinds))]
}

// SetFlaw makes writes go wrong from now on, or, with nil, not any more.
func (p *Proxy) SetFlaw(flaw *Flaw) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.flaw = flaw
}

// refuse answers in the API server's own way.
func refuse(w http.ResponseWriter, code int) {
	err := apierrors.NewGenericServerResponse(code, "", schema.GroupResource{}, "", "a fault of the test", 0, true)
	if code == http.StatusTooManyRequests {
		err = apierrors.NewTooManyRequests("a fault of the test", 1)
		w.Header().Set("Retry-After", "1")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(err.Status()) // a manager that does not read it is its own affair
}

// Hold keeps writes back on their way, as a network may: they arrive when they are released, whatever happened meanwhile.
type Hold struct {
	matches func(Write) bool
	most    int
	// then is called when a write is kept back.
	then func()

	mutex    sync.Mutex
	held     []Write
	arrived  int
	released chan struct{}
}

// Hold keeps back the next writes that match, at most so many, and calls then, where it is given, for each.
func (p *Proxy) Hold(most int, matches func(Write) bool, then func()) *Hold {
	h := &Hold{matches: matches, most: most, then: then, released: make(chan struct{})}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.holds = append(p.holds, h)
	return h
}

func (h *Hold) takes(write Write) bool {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	select {
	case <-h.released:
		return false
	default:
	}
	if len(h.held) >= h.most || !h.matches(write) {
		return false
	}
	h.held = append(h.held, write)
	return true
}

// wait keeps a write even where its manager has given up on it: it is under way.
func (h *Hold) wait() {
	if h.then != nil {
		h.then()
	}
	<-h.released
}

func (h *Hold) arrive() {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.arrived++
}

// Arrived reports whether all writes that were kept back have arrived, and been answered.
func (h *Hold) Arrived() bool {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return h.arrived == len(h.held)
}

// Held are the writes that are or were kept back.
func (h *Hold) Held() []Write {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return slices.Clone(h.held)
}

// Release lets them go on, and keeps back no others.
func (h *Hold) Release() {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	select {
	case <-h.released:
	default:
		close(h.released)
	}
}
