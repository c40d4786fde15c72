package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/test/performance/report"
	"github.com/soma-platform/soma/test/performance/scrape"
)

const (
	// tries is how often the restart is measured.
	tries = 3
	// looks is how often the memory is looked at, of which the least counts: what is garbage is not meant.
	looks = 5
	// maxAnswer bounds what is read of a profile.
	maxAnswer = 64 << 20
)

// measureRestart tells how soon Soma's scheduler reserves again that is started anew among many jobs, and what memory it needs
// for them.
func (b *bench) measureRestart(ctx context.Context, systems []system) (err error) {
	at := slices.IndexFunc(systems, func(s system) bool { return s.column() == report.Soma })
	if at < 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	l, pattern := standing(b.part), standing(patternPart)
	p, err := b.ready(ctx, systems[at], &pattern)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	running, _ := l.total()
	nodes, few := nodesFor(&l), nodesFor(&pattern)
	if err := makeAll(ctx, p, makeNodes(nodes, false)[few:]); err != nil {
		return err
	}
	empty, err := p.beyondCache(ctx)
	if err != nil {
		return err
	}
	b.Say("restart: making %d jobs of which %d run", l.jobs(), running)
	if err := p.makePattern(ctx, &pattern); err != nil {
		return err
	}
	if err := p.widen(ctx, &l); err != nil {
		return err
	}
	made, err := p.multiply(ctx, l.cpu/pattern.cpu, nodes)
	if err != nil {
		return err
	}
	b.Say("restart: they are made")
	r := newRun(p, tries)
	for _, key := range append(made, pattern.names()...) {
		r.known[key] = &job{class: &l.classes[0], submitted: time.Now()}
	}
	return r.play(ctx, func(ctx context.Context) error {
		if err := r.reach(ctx, running); err != nil {
			return err
		}
		if err := p.startScheduler(b.profile()...); err != nil {
			return err
		}
		if err := p.counted(ctx, &l); err != nil {
			return err
		}
		return b.restart(ctx, p, r, &l, empty)
	})
}

// use is the memory of a scheduler that is started anew, and of its cache alone, in bytes, and how long it took to fill the latter.
type use struct {
	all, cache float64
	filling    time.Duration
}

// beyondCache measures what a scheduler uses, and a process that has nothing but its cache. None runs afterwards.
func (p *plane) beyondCache(ctx context.Context) (u use, err error) {
	for _, side := range []struct {
		into *float64
		args []string
	}{{&u.all, nil}, {&u.cache, []string{"-idle"}}} {
		if err := p.stopScheduler(); err != nil {
			return u, err
		}
		o, err := p.observed(side.args...)
		if err != nil {
			return u, err
		}
		began := time.Now()
		if err := o.full(ctx); err != nil {
			return u, err
		}
		u.filling = time.Since(began)
		if *side.into, err = o.heap(ctx); err != nil {
			return u, err
		}
	}
	return u, p.stopScheduler()
}

func (b *bench) restart(ctx context.Context, p *plane, r *run, l *load, empty use) error {
	detail := fmt.Sprintf("%s jobs hold a reservation, %s wait", report.Number(float64(r.reservations())), report.Number(float64(l.jobs()-r.reservations())))
	var listing, starting, ratios []float64
	var last *observed
	for range tries {
		if err := p.stopScheduler(); err != nil {
			return err
		}
		list, err := p.list(ctx)
		if err != nil {
			return err
		}
		before := r.reservations()
		if err := r.endOne(ctx); err != nil {
			return err
		}
		began := time.Now()
		if last, err = p.observed(); err != nil {
			return err
		}
		if err := r.reach(ctx, before+1); err != nil {
			return err
		}
		took := time.Since(began).Seconds()
		listing, starting, ratios = append(listing, list.Seconds()), append(starting, took), append(ratios, took/list.Seconds())
	}
	// It has looked at all jobs by now.
	all, err := last.heap(ctx)
	if err != nil {
		return err
	}
	now, err := p.beyondCache(ctx)
	if err != nil {
		return err
	}
	each := ((all - now.cache) - (empty.all - empty.cache)) / 1024 / float64(l.jobs()-r.reservations())
	figure := func(name, unit, detail string, values ...float64) {
		b.ReportMedian(report.Figure{Name: name, Column: report.Soma, Unit: unit, Detail: detail}, values)
	}
	figure("all jobs listed", "s", detail, listing...)
	figure("a process started and its cache filled", "s", "", now.filling.Seconds())
	figure("a process started and its cache filled, without jobs", "s", "", empty.filling.Seconds())
	figure("restart to first reservation", "s", fmt.Sprintf("median of %d", tries), starting...)
	figure("restart to first reservation, against listing", "", "", ratios...)
	figure("memory of the cache", "MB", "live, after collection", now.cache/(1<<20))
	figure("memory of the scheduler with its cache", "MB", "", all/(1<<20))
	figure("memory for each waiting job beyond the cache", "KB", "what there is without jobs taken off", each)
	return nil
}

// list reads all jobs, as one who starts does.
func (p *plane) list(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	err := p.List(ctx, &platformv1.JobList{}, &client.ListOptions{})
	return time.Since(began), err
}

// endOne ends a job that runs, so that another can have its place.
func (r *run) endOne(ctx context.Context) error {
	r.mu.Lock()
	var key types.NamespacedName
	for name, j := range r.known {
		if j.state == reserved {
			key = name
			break
		}
	}
	r.mu.Unlock()
	return r.write(ctx, key)
}

// observed is a scheduler that tells of itself.
type observed struct {
	profiles, metrics, probes string
}

func (p *plane) observed(args ...string) (*observed, error) {
	var addresses [3]string
	for i := range addresses {
		free, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		addresses[i] = free.Addr().String()
		if err := free.Close(); err != nil {
			return nil, err
		}
	}
	o := &observed{profiles: addresses[0], metrics: addresses[1], probes: addresses[2]}
	args = append(args, "-pprof-bind-address="+o.profiles, "-metrics-bind-address="+o.metrics, "-health-probe-bind-address="+o.probes)
	return o, p.startScheduler(args...)
}

// full waits until its cache has all that there is.
func (o *observed) full(ctx context.Context) error {
	return eventually(ctx, readyTime, "the cache is not filled", func(ctx context.Context) (bool, error) {
		body, err := get(ctx, "http://"+o.probes+"/readyz")
		if err != nil {
			return false, nil //nolint:nilerr // it is asked again
		}
		return true, body.Close()
	})
}

// heap is how many bytes are in use, without garbage.
func (o *observed) heap(ctx context.Context) (float64, error) {
	least := 0.0
	for range looks {
		body, err := get(ctx, "http://"+o.profiles+"/debug/pprof/heap?gc=1")
		if err != nil {
			return 0, fmt.Errorf("have garbage collected: %w", err)
		}
		if _, err := io.Copy(io.Discard, io.LimitReader(body, maxAnswer)); err != nil {
			return 0, err
		}
		if err := body.Close(); err != nil {
			return 0, err
		}
		body, err = get(ctx, "http://"+o.metrics+"/metrics")
		if err != nil {
			return 0, fmt.Errorf("read the metrics of the scheduler: %w", err)
		}
		points, err := scrape.Parse(body, "go_memstats_heap_alloc_bytes")
		if err := errors.Join(err, body.Close()); err != nil {
			return 0, err
		}
		for _, point := range points {
			if least == 0 || point.Value < least {
				least = point.Value
			}
		}
	}
	return least, nil
}

func get(ctx context.Context, url string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("%s answered %s", url, answer.Status), answer.Body.Close())
	}
	return answer.Body, nil
}
