package faultproxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apiserver/pkg/endpoints/request"
)

// Write is one write of a manager.
type Write struct {
	// Number counts the manager's writes from 1.
	Number int
	// What says verb, resource and object, without what differs from one run to another: "patch jobs/status lab/train". Nth
	// tells apart those that are alike, from 1.
	What string
	Nth  int
	// Object is the object's resource and full name.
	Object string
	// Body is what is written.
	Body []byte
}

// At names the write in any run of the same history: "patch jobs/status lab/train#2".
func (w Write) At() string { return fmt.Sprintf("%s#%d", w.What, w.Nth) }

// String tells a person which write it is.
func (w Write) String() string { return fmt.Sprintf("write %d: %s", w.Number, w.At()) }

// Verb is what is done: create, update, patch, delete.
func (w Write) Verb() string { return strings.SplitN(w.What, " ", 2)[0] }

// counts reports whether a request writes. Leases are no part of what is told of a history, as they are written at times of
// their own, nor are questions that are asked by POST.
func counts(info *request.RequestInfo) bool {
	if !info.IsResourceRequest || slices.Contains([]string{"leases", "events"}, info.Resource) || strings.HasSuffix(info.Resource, "reviews") {
		return false
	}
	return !slices.Contains([]string{"get", "list", "watch"}, info.Verb)
}

// uidInName is the part of a UID that pods have in their names, and PodGroups.
var uidInName = regexp.MustCompile(`-[0-9a-f]{8}-(\d+(?:-\d+)?)$`)

func (p *Proxy) identify(info *request.RequestInfo, body []byte) Write {
	resource, name := info.Resource, info.Name
	if info.Subresource != "" {
		resource += "/" + info.Subresource
	}
	if name == "" {
		if object, _, err := p.decoder.Decode(body, nil, nil); err == nil {
			if o, err := meta.Accessor(object); err == nil {
				name = o.GetName()
			}
		}
	}
	if info.Namespace != "" {
		name = info.Namespace + "/" + name
	}
	return Write{
		What: fmt.Sprintf("%s %s %s", info.Verb, resource, uidInName.ReplaceAllString(name, "-UID-$1")), Object: info.Resource + " " + name, Body: body,
	}
}

// Do takes a write through that goes elsewhere than to the API server.
func (p *Proxy) Do(what string, action func() error) error {
	if p.Dead() {
		return errLost
	}
	var err error
	verdict := p.pass(Write{What: what}, func() bool {
		err = action()
		return err == nil
	})
	if verdict.end {
		defer p.die()
	}
	if verdict.cut || verdict.refuse != 0 {
		return errLost
	}
	return err
}

var errLost = errors.New("the connection was lost")

// verdict is what the manager gets to know of its write.
type verdict struct {
	// cut: the connection ends without an answer. refuse: the answer is this HTTP status. end: after the answer the process ends.
	cut, end bool
	refuse   int
}

// pass counts a write, does to it what is planned, and applies it unless that is part of the plan.
func (p *Proxy) pass(write Write, apply func() (applied bool)) verdict {
	write, fate, hold := p.begin(write)
	switch fate {
	case Before:
		p.die()
		return verdict{cut: true}
	case lostBefore:
		return verdict{cut: true}
	case refused500, refused429:
		return verdict{refuse: refusals[fate]}
	}
	if hold != nil {
		hold.wait()
		defer hold.arrive()
	}
	applied := apply()
	p.mutex.Lock()
	if applied {
		p.applied = append(p.applied, write)
	}
	dead := p.dead
	p.mutex.Unlock()
	switch fate {
	case AfterApplied:
		p.die()
		return verdict{cut: true}
	case lostAfter:
		return verdict{cut: true}
	case After:
		return verdict{end: true}
	}
	return verdict{cut: dead}
}

// begin gives a write its number and looks up what is planned for it.
func (p *Proxy) begin(write Write) (Write, Kind, *Hold) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.seen[write.What]++
	write.Number, write.Nth = len(p.writes)+1, p.seen[write.What]
	told := write
	told.Body = nil
	p.writes = append(p.writes, told)
	p.last = time.Now()
	if p.fault != nil && !p.met && p.fault.meets(write) {
		p.met = true
		if p.fault.Kind == Before {
			p.dead = true // nothing that comes at the same moment goes through
		}
		return write, p.fault.Kind, nil
	}
	for _, hold := range p.holds {
		if hold.takes(write) {
			return write, "", hold
		}
	}
	return write, p.flaw.draw(), nil
}

// Writes are all writes so far, also those that came to nothing.
func (p *Proxy) Writes() []Write {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return slices.Clone(p.writes)
}

// Applied are the writes so far that took effect.
func (p *Proxy) Applied() []Write {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return slices.Clone(p.applied)
}

// Quiet is for how long there has been no write.
func (p *Proxy) Quiet() time.Duration {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return time.Since(p.last)
}

func newBody(body []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(body)) }
