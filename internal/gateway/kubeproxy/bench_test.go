package kubeproxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/testing/heap"
)

// BenchmarkGet measures one job that is read through the proxy and directly, in turn, over connections that are kept.
func BenchmarkGet(b *testing.B) {
	w := newWorld(b, "get")
	project, alice := w.project("vision"), w.user("alice")
	w.writer(project, alice)
	w.job(project, "train")
	w.compile(allows(access.In(access.Job, access.Home, "", project), access.Write, alice))
	// Directly it is the same user, so that the API server does the same.
	config := rest.CopyConfig(server.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: "soma:" + alice, Groups: []string{"soma:users"}}
	straight, err := rest.HTTPClientFor(config)
	if err != nil {
		b.Fatal(err)
	}
	path := jobsPath + project + "/jobs/train"
	read := func(client *http.Client, address string) time.Duration {
		r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, address, nil)
		if err != nil {
			b.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+alice)
		began := time.Now()
		response, err := client.Do(r)
		if err != nil {
			b.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if took := time.Since(began); err == nil && response.StatusCode == http.StatusOK {
			return took
		}
		b.Fatalf("%s: %s %v %s", address, response.Status, err, body)
		return 0
	}
	// A client certificate is who it is: a token beside it does not count.
	var direct, through []time.Duration
	for b.Loop() {
		direct = append(direct, read(straight, strings.TrimSuffix(server.Config.Host, "/")+path))
		through = append(through, read(w.client(), w.front.URL+"/kube"+path))
	}
	median := func(all []time.Duration) float64 {
		slices.Sort(all)
		return float64(all[len(all)/2].Microseconds())
	}
	b.ReportMetric(median(direct), "direct-p50-µs")
	b.ReportMetric(median(through), "proxy-p50-µs")
	b.ReportMetric(median(through)-median(direct), "overhead-p50-µs")
	b.ReportMetric(0, "ns/op")
}

const (
	// watcherEnv has the test binary be a client in place of a test: it opens watches at the address.
	watcherEnv     = "SOMA_TEST_WATCHES"
	watches        = 1000
	watchesForUser = 100
)

// openWatches opens watches, each on a connection of its own, says so and holds them until its input ends.
func openWatches(address string) int {
	for i := range watches {
		transport := &http.Transport{
			ForceAttemptHTTP2: true,
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // the test's own server, on loopback
		}
		r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, address, nil)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		r.Header.Set("Authorization", fmt.Sprintf("Bearer watches-u%d", i/watchesForUser))
		response, err := (&http.Client{Transport: transport}).Do(r) //nolint:bodyclose // it is held open until the process ends
		if err != nil || response.StatusCode != http.StatusOK {
			fmt.Fprintln(os.Stderr, "watch", i, response, err)
			return 1
		}
		if _, err := bufio.NewReader(response.Body).ReadString('\n'); err != nil {
			fmt.Fprintln(os.Stderr, "watch", i, err)
			return 1
		}
	}
	fmt.Println("open")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

// resident is how much memory of the machine this process has.
func resident(b *testing.B) int64 {
	b.Helper()
	debug.FreeOSMemory()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, found := strings.CutPrefix(line, "VmRSS:"); found {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			return kib << 10
		}
	}
	b.Fatal("the system does not tell how much memory there is")
	return 0
}

// BenchmarkWatches measures the memory of the process of the gateway with many watches open, each on a connection of its own
// from another process.
func BenchmarkWatches(b *testing.B) {
	w := newWorld(b, "watches")
	project := w.project("vision")
	var users []string
	for i := range watches / watchesForUser {
		user := w.user(fmt.Sprint("u", i))
		w.writer(project, user)
		users = append(users, user)
	}
	w.job(project, "train")
	w.compile(allows(access.In(access.Job, access.Home, "", project), access.Write, users...))
	b.ReportMetric(0, "ns/op")
	for b.Loop() {
		before, heapBefore := resident(b), heap.Live()
		client := exec.CommandContext(b.Context(), os.Args[0])
		client.Env = append(os.Environ(), watcherEnv+"="+w.front.URL+"/kube"+jobsPath+project+"/jobs?watch=true")
		client.Stderr = os.Stderr
		in, err := client.StdinPipe()
		if err != nil {
			b.Fatal(err)
		}
		out, err := client.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		if err := client.Start(); err != nil {
			b.Fatal(err)
		}
		if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			b.Fatal(line, err)
		}
		if open := w.proxy.streams.Count(); open != watches {
			b.Fatalf("%d watches are open", open)
		}
		began := time.Now()
		w.proxy.recheck(b.Context(), w.proxy.streams.Of())
		b.ReportMetric(float64(time.Since(began).Microseconds())/1000, "recheck-ms")
		b.ReportMetric(float64(heap.Live()-heapBefore)/(1<<20), "heap-MiB")
		after := resident(b)
		b.ReportMetric(float64(after)/(1<<20), "resident-MiB")
		b.ReportMetric(float64(after-before)/(1<<20), "more-resident-MiB")
		_ = in.Close()
		_ = client.Wait()
	}
}
