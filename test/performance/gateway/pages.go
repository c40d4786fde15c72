package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/soma-platform/soma/internal/testing/process"
	"github.com/soma-platform/soma/test/performance/report"
)

const pageHost = job + "--" + project + "." + pagesDomain

// asked is how a proxy asks, and which answer lets a request through.
type asked struct {
	column, address string
	header          http.Header
	lets            int
}

// measurePages measures decisions on one core: as many as there can be, and how long one takes at a rate that both bear.
func (b *bench) measurePages(ctx context.Context) (err error) {
	gateway, err := b.startGateway(ctx, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, gateway.Stop()) }()
	own, err := b.signInOnPage(ctx)
	if err != nil {
		return err
	}
	sides := []asked{own}
	if b.oauth2Proxy != "" {
		other, err := b.startOAuth2Proxy(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, other.Stop()) }()
		theirs, err := b.signInAtOAuth2Proxy(ctx)
		if err != nil {
			return err
		}
		sides = append(sides, theirs)
	}
	rates, times := map[string][]float64{}, map[string][]float64{}
	for range b.rounds {
		for _, side := range sides {
			count, _, err := b.ask(ctx, side, 0)
			if err != nil {
				return err
			}
			rates[side.column] = append(rates[side.column], float64(count)/b.duration.Seconds())
			_, taken, err := b.ask(ctx, side, b.rate)
			if err != nil {
				return err
			}
			times[side.column] = append(times[side.column], taken...)
		}
	}
	for _, side := range sides {
		b.figure(side.column, "decisions on one core", report.Median(rates[side.column]), "/s", fmt.Sprintf("over %d connections with TLS, by a session in a cookie", b.connections))
		b.times(side.column, fmt.Sprintf("a decision at %d a second", b.rate), times[side.column], "")
	}
	return nil
}

// ask asks for the duration of a round: at a rate, or without one as often as there is an answer. It returns how many answers
// there were and how long each took, from when it was due.
func (b *bench) ask(ctx context.Context, side asked, rate int) (count int, times []float64, err error) {
	client := &http.Client{Timeout: b.timeout, Transport: &http.Transport{TLSClientConfig: process.Unverified(), MaxIdleConnsPerHost: b.connections}}
	defer client.CloseIdleConnections()
	began := time.Now()
	var mu sync.Mutex
	var all sync.WaitGroup
	failed := make(chan error, b.connections)
	for worker := range b.connections {
		all.Go(func() {
			for n := 0; time.Since(began) < b.duration && ctx.Err() == nil; n++ {
				due := time.Now()
				if rate > 0 {
					due = began.Add(time.Duration(n*b.connections+worker) * time.Second / time.Duration(rate))
					time.Sleep(time.Until(due))
				}
				if err := side.ask(ctx, client); err != nil {
					failed <- err
					return
				}
				mu.Lock()
				count++
				times = append(times, milliseconds(time.Since(due)))
				mu.Unlock()
			}
		})
	}
	all.Wait()
	select {
	case err := <-failed:
		return 0, nil, err
	default:
		return count, times, ctx.Err()
	}
}

func (a *asked) ask(ctx context.Context, client *http.Client) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.address, nil)
	if err != nil {
		return err
	}
	request.Header = a.header
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // it was only read from
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != a.lets {
		return fmt.Errorf("%s answers %s", a.column, response.Status)
	}
	return nil
}

// forwarded is what a proxy tells of the request for which it asks.
func forwarded() http.Header {
	return http.Header{
		"X-Forwarded-Host": {pageHost}, "X-Forwarded-Method": {http.MethodGet}, "X-Forwarded-Uri": {"/board?run=7"}, "X-Forwarded-Proto": {"https"},
		"X-Forwarded-For": {"192.0.2.7"}, "Accept": {"text/html"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Site": {"none"},
		"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36"},
	}
}

// browser is a client with cookies, to whom every page's host is the gateway.
func (b *bench) browser() (*http.Client, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	return &http.Client{Jar: jar, Timeout: b.timeout, Transport: &http.Transport{
		TLSClientConfig: process.Unverified(),
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if strings.HasSuffix(address, "."+pagesDomain+":443") {
				address = strings.TrimPrefix(b.externalURL(), "https://")
			}
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	}}, nil
}

// signInOnPage signs alice in on the page, as a browser does, and returns how a proxy asks for her from then on.
func (b *bench) signInOnPage(ctx context.Context) (asked, error) {
	own := asked{column: report.Soma, header: forwarded(), lets: http.StatusOK,
		address: fmt.Sprintf("https://127.0.0.1:%d/job-pages/auth/%s", b.pagesPort, b.proxyToken)}
	browser, err := b.browser()
	if err != nil {
		return own, err
	}
	response, err := b.identity.SignIn(browser, b.externalURL()+"/signin/start?issuer=dex", alice)
	if err != nil {
		return own, err
	}
	_ = response.Body.Close()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, own.address, nil)
	if err != nil {
		return own, err
	}
	request.Header = own.header
	sent, err := (&http.Transport{TLSClientConfig: process.Unverified()}).RoundTrip(request)
	if err != nil {
		return own, err
	}
	_ = sent.Body.Close()
	page := &url.URL{Scheme: "https", Host: pageHost, Path: "/"}
	browser.Jar.SetCookies(page, sent.Cookies())
	if response, err = browser.Get(sent.Header.Get("Location")); err != nil {
		return own, fmt.Errorf("%s, to %q: %w", sent.Status, sent.Header.Get("Location"), err)
	}
	_ = response.Body.Close()
	own.header.Set("Cookie", cookies(browser.Jar, page))
	return own, own.ask(ctx, browser)
}

// signInAtOAuth2Proxy signs alice in at oauth2-proxy and returns how a proxy asks for her from then on.
func (b *bench) signInAtOAuth2Proxy(ctx context.Context) (asked, error) {
	theirs := asked{column: oauth2Proxy, header: forwarded(), lets: http.StatusAccepted, address: b.oauth2URL() + "/oauth2/auth"}
	browser, err := b.browser()
	if err != nil {
		return theirs, err
	}
	response, err := b.identity.SignIn(browser, b.oauth2URL()+"/oauth2/start?rd=/", alice)
	if err != nil {
		return theirs, err
	}
	_ = response.Body.Close()
	at, err := url.Parse(theirs.address)
	if err != nil {
		return theirs, err
	}
	theirs.header.Set("Cookie", cookies(browser.Jar, at))
	return theirs, theirs.ask(ctx, browser)
}

func cookies(jar http.CookieJar, at *url.URL) string {
	var all []string
	for _, cookie := range jar.Cookies(at) {
		all = append(all, cookie.Name+"="+cookie.Value)
	}
	return strings.Join(all, "; ")
}
