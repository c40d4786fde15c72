package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"

	"github.com/soma-platform/soma/test/performance/report"
)

const jobsPath = "/apis/platform.soma.dev/v1alpha1/namespaces/" + project + "/jobs"

func jobPath(name string) string { return jobsPath + "/" + name }

// proxied is the way of a program to the API server through the gateway.
func (b *bench) proxied(i int) *rest.Config {
	return unbounded(&rest.Config{
		Host: b.externalURL() + "/kubernetes", BearerToken: b.tokens[i], TLSClientConfig: rest.TLSClientConfig{CAFile: b.identity.CAFile},
	})
}

// open asks for something; the caller closes the answer's body.
func open(ctx context.Context, client *http.Client, host, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(host, "/")+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
		return nil, errors.Join(fmt.Errorf("%s: %s %s", path, response.Status, text), response.Body.Close())
	}
	return response, nil
}

// get asks for something by way of a configuration, reads the answer and returns its size.
func get(ctx context.Context, c *rest.Config, path string) (int64, error) {
	client, err := rest.HTTPClientFor(c)
	if err != nil {
		return 0, err
	}
	return read(ctx, client, c.Host, path)
}

func read(ctx context.Context, client *http.Client, host, path string) (int64, error) {
	response, err := open(ctx, client, host, path)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close() //nolint:errcheck // it was only read from
	return io.Copy(io.Discard, response.Body)
}

// way is one of those to the API server, of one program.
type way struct {
	column string
	host   string
	client *http.Client
}

// ways are both, of each program.
func (b *bench) ways(ctx context.Context) ([][]way, error) {
	var all [][]way
	for i := range programs {
		straight, err := b.direct(i)
		if err != nil {
			return nil, err
		}
		through := b.proxied(i)
		var both []way
		for column, c := range map[string]*rest.Config{direct: straight, report.Soma: through} {
			client, err := rest.HTTPClientFor(c)
			if err != nil {
				return nil, err
			}
			both = append(both, way{column: column, host: c.Host, client: client})
		}
		all = append(all, both)
		if err := b.until(ctx, func(ctx context.Context) bool { _, err := get(ctx, through, jobPath(job)); return err == nil }); err != nil {
			return nil, fmt.Errorf("wait until %s gets through: %w", programName(i), err)
		}
	}
	return all, nil
}

// measureProxy measures what the way through the gateway costs, one request at a time, by turns.
func (b *bench) measureProxy(ctx context.Context) (err error) {
	gateway, err := b.startGateway(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, gateway.Stop()) }()
	for i := 1; i < b.jobs; i++ {
		if err := b.makeJob(ctx, fmt.Sprintf("%s-%d", job, i)); err != nil {
			return err
		}
	}
	ways, err := b.ways(ctx)
	if err != nil {
		return err
	}
	for _, request := range []struct {
		name, path string
		count      int
	}{
		{"get a job", jobPath(job), b.requests},
		{fmt.Sprintf("list %d jobs", b.jobs), jobsPath, b.requests / 10},
	} {
		times, over := map[string][]float64{}, []float64{}
		for n := range request.count {
			pair := map[string]float64{}
			for _, w := range ways[n%programs] {
				began := time.Now()
				if _, err := read(ctx, w.client, w.host, request.path); err != nil {
					return fmt.Errorf("%s: %w", w.column, err)
				}
				pair[w.column] = milliseconds(time.Since(began))
				times[w.column] = append(times[w.column], pair[w.column])
			}
			over = append(over, pair[report.Soma]-pair[direct])
		}
		for column, taken := range times {
			b.times(column, request.name, taken, fmt.Sprintf("of %d, one at a time", request.count))
		}
		b.figure(report.Soma, request.name+", longer than without, p50", report.Median(over), "ms", "of pairs, one after the other")
	}
	return nil
}

// measureWatches measures what memory watches take, each on a connection of its own.
func (b *bench) measureWatches(ctx context.Context) (err error) {
	gateway, err := b.startGateway(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, gateway.Stop()) }()
	if _, err := b.ways(ctx); err != nil {
		return err
	}
	before, err := gateway.Memory()
	if err != nil {
		return err
	}
	watching, end := context.WithCancel(ctx)
	defer end()
	seen := make(chan struct{}, b.watches)
	var open errgroup.Group
	open.SetLimit(16)
	for i := range b.watches {
		open.Go(func() error { return b.watch(watching, b.proxied(i%programs), func() { seen <- struct{}{} }) })
	}
	if err := open.Wait(); err != nil {
		return err
	}
	// What happens now each has to see.
	if err := b.makeJob(ctx, "seen"); err != nil {
		return err
	}
	for range b.watches {
		select {
		case <-seen:
		case <-time.After(b.timeout):
			return errors.New("not all watches see a new job")
		}
	}
	after, err := gateway.Memory()
	if err != nil {
		return err
	}
	b.figure(report.Soma, fmt.Sprintf("memory of %d open watches", b.watches), (after-before)/(1<<20), "MB", "resident, each on a connection of its own")
	b.figure(report.Soma, "memory of the gateway before", before/(1<<20), "MB", "resident")
	return nil
}

// watch opens a watch of what is new in the project, and tells once when something comes by it. What the watch was opened by
// ends with the context.
func (b *bench) watch(ctx context.Context, c *rest.Config, tell func()) error {
	c.Dial = dialer() // a connection of its own: configurations that are alike share one
	client, err := rest.HTTPClientFor(c)
	if err != nil {
		return err
	}
	response, err := open(ctx, client, c.Host, jobsPath+"?watch=true&fieldSelector=metadata.name%3Dseen") //nolint:bodyclose // closed below, which the linter does not see
	if err != nil {
		return err
	}
	go func() {
		defer response.Body.Close() //nolint:errcheck // it was only read from
		if _, err := response.Body.Read(make([]byte, 1)); err == nil {
			tell()
		}
		<-ctx.Done()
	}()
	return nil
}
