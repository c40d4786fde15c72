package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/test/performance/report"
)

// measureRevocation takes a right back, again and again, and measures how long after that a watch that is open through the
// gateway goes on, and requests are let through: to the API, and to the page of a job.
func (b *bench) measureRevocation(ctx context.Context) (err error) {
	gateway, err := b.startGateway(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, gateway.Stop()) }()
	if _, err := b.ways(ctx); err != nil {
		return err
	}
	page, err := b.signInOnPage(ctx)
	if err != nil {
		return err
	}
	asker, err := b.browser()
	if err != nil {
		return err
	}
	var streams, requests, pages []float64
	for n := range b.revocations {
		program := n % programs
		took, err := b.revoke(ctx, program)
		if err != nil {
			return fmt.Errorf("of %s: %w", programName(program), err)
		}
		streams, requests = append(streams, took.stream), append(requests, took.request)
		began := time.Now()
		if err := b.server.Client.Delete(ctx, newGrant(alice.ID)); err != nil {
			return err
		}
		if err := b.until(ctx, func(ctx context.Context) bool { return page.ask(ctx, asker) != nil }); err != nil {
			return fmt.Errorf("the page goes on: %w", err)
		}
		pages = append(pages, milliseconds(time.Since(began)))
		if err := b.server.Client.Create(ctx, newGrant(alice.ID)); err != nil {
			return err
		}
		if err := b.until(ctx, func(ctx context.Context) bool { return page.ask(ctx, asker) == nil }); err != nil {
			return fmt.Errorf("the page does not come back: %w", err)
		}
	}
	detail := fmt.Sprintf("of %d, from the request that takes the grant away", b.revocations)
	b.times(report.Soma, "an open watch ends", streams, detail)
	b.times(report.Soma, "requests to the API are refused", requests, detail)
	b.times(report.Soma, "requests for a page are refused", pages, detail)
	return nil
}

// ended is how long something went on, in milliseconds.
type ended struct{ stream, request float64 }

// revoke takes a program's right back while it has a watch open, and gives it again.
func (b *bench) revoke(ctx context.Context, program int) (took ended, err error) {
	through := b.proxied(program)
	http, err := rest.HTTPClientFor(through)
	if err != nil {
		return took, err
	}
	watch, err := open(ctx, http, through.Host, jobsPath+"?watch=true") //nolint:bodyclose // closed below, which the linter does not see
	if err != nil {
		return took, err
	}
	defer watch.Body.Close() //nolint:errcheck // it was only read from
	over := make(chan time.Time, 1)
	go func() { _, _ = io.Copy(io.Discard, watch.Body); over <- time.Now() }()
	grant := &v1alpha1.Grant{}
	if err := b.server.Client.Get(ctx, client.ObjectKeyFromObject(newGrant(programName(program))), grant); err != nil {
		return took, err
	}
	began := time.Now()
	if err := b.server.Client.Delete(ctx, grant); err != nil {
		return took, err
	}
	refused := func(ctx context.Context) bool {
		_, err := read(ctx, http, through.Host, jobPath(job))
		return err != nil
	}
	if err := b.until(ctx, refused); err != nil {
		return took, fmt.Errorf("requests go on: %w", err)
	}
	took.request = milliseconds(time.Since(began))
	select {
	case at := <-over:
		took.stream = milliseconds(at.Sub(began))
	case <-time.After(b.timeout):
		return took, errors.New("the watch goes on")
	}
	if err := b.server.Client.Create(ctx, newGrant(programName(program))); err != nil {
		return took, err
	}
	return took, b.until(ctx, func(ctx context.Context) bool { return !refused(ctx) })
}

// dialer makes a configuration unlike any other, so that it has connections of its own.
func dialer() func(ctx context.Context, network, address string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext
}
