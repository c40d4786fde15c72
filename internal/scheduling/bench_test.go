package scheduling

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/soma-platform/soma/internal/testing/heap"
)

// A large world: 5,000 nodes of 8 GPUs, 20,000 running jobs, 100,000 waiting ones in 100 quotas of 10 users each.
const (
	benchNodes, benchRunning, benchWaiting = 5_000, 20_000, 100_000
	benchQuotas, benchUsers                = 100, 10
)

func emptyWorld(o Options) *Engine {
	e := New(o)
	e.SetQuota(gpuQuota("all", 8*benchNodes))
	for i := range benchQuotas {
		e.SetQuota(child(fmt.Sprintf("q%d", i), "all", 8*benchNodes/benchQuotas))
	}
	for i := range benchNodes {
		e.SetNode(gpuNode(fmt.Sprintf("n%d", i), "A100", 8, fmt.Sprintf("rack-%d", i/32)))
	}
	return e
}

func largeWorld(waitingJobs int) *Engine {
	e := emptyWorld(Defaults())
	for i := range benchRunning {
		w := benchJob(i)
		e.SetRunning(Running{
			Key: fmt.Sprintf("r%d", i), Quota: w.Quota, User: w.User, Replica: Amounts{MilliCPU: 1000, Memory: gib, GPUs: 2}, Model: "A100",
			Nodes: []Share{{fmt.Sprintf("n%d", i%benchNodes), 1}}, Start: start, End: start.Add(time.Hour + time.Duration(i)*time.Second),
		})
	}
	for i := range waitingJobs {
		e.SetWaiting(benchJob(i))
	}
	return e
}

func benchJob(i int) Waiting {
	gpus := []int64{1, 1, 1, 2, 4, 8}[i%6]
	return job(fmt.Sprintf("w%06d", i), gpus, under(fmt.Sprintf("q%d", i%benchQuotas)), by(fmt.Sprintf("u%d", i/benchQuotas%benchUsers)),
		lasts(time.Hour), after(time.Duration(i)*time.Millisecond))
}

// What the engine is to reach, and how much a wake-up may grow from 10,000 waiting jobs to ten times as many: as logarithms do, and as
// much again for the machine. docs/performance.md has the runs that were made.
const (
	leastStarts = 20_000.0
	mostWakeUp  = time.Millisecond
	mostPlan    = 250 * time.Millisecond
	mostFade    = 50 * time.Millisecond
	mostGrowth  = 2 * 1.25
	// enough is how many times something has to have been done for its time to mean something.
	enough = 1000
)

// BenchmarkChurn is a full cluster in which jobs end and others take their places: the cost of an end and a start together.
func BenchmarkChurn(b *testing.B) {
	took := map[int]time.Duration{}
	for _, waitingJobs := range []int{10_000, benchWaiting} {
		b.Run(fmt.Sprintf("%d waiting", waitingJobs), func(b *testing.B) {
			e := largeWorld(waitingJobs)
			now := start.Add(time.Hour)
			e.Decide(now)
			keys := sortedKeys(e.running)
			starts := 0
			b.ResetTimer()
			for range b.N {
				if len(keys) == 0 {
					b.StopTimer()
					keys = sortedKeys(e.running)
					b.StartTimer()
				}
				e.RemoveRunning(keys[0])
				keys = keys[1:]
				now = now.Add(time.Millisecond)
				for _, s := range e.Decide(now).Starts {
					starts++
					e.SetWaiting(benchAgain(e, s, now))
				}
			}
			b.ReportMetric(float64(starts)/b.Elapsed().Seconds(), "starts/s")
			if b.N < enough {
				return
			}
			if took[waitingJobs] = b.Elapsed() / time.Duration(b.N); took[waitingJobs] > mostWakeUp {
				b.Errorf("a wake-up takes %s, at most %s", took[waitingJobs], mostWakeUp)
			}
		})
	}
	if growth := float64(took[benchWaiting]) / float64(took[10_000]); growth > mostGrowth {
		b.Errorf("a wake-up takes %.2f times as long with ten times as many that wait, at most %.2f", growth, mostGrowth)
	}
}

// benchAgain is another job like the one that started, so that as many wait as before.
func benchAgain(e *Engine, s Start, now time.Time) Waiting {
	r := e.running[s.Key]
	return job(s.Key+"'", s.Nodes[0].Replicas*r.Replica.GPUs, under(r.Quota), by(r.User), lasts(time.Hour), func(w *Waiting) { w.Since = now })
}

// BenchmarkDecide is an empty cluster that is filled: the cost of a start.
func BenchmarkDecide(b *testing.B) {
	for range b.N {
		b.StopTimer()
		e := emptyWorld(Defaults())
		for i := range benchWaiting {
			e.SetWaiting(benchJob(i))
		}
		e.rebuild()
		b.StartTimer()
		began := time.Now()
		starts := len(e.Decide(start.Add(time.Hour)).Starts)
		rate := float64(starts) / time.Since(began).Seconds()
		if b.ReportMetric(rate, "starts/s"); rate < leastStarts {
			b.Errorf("%.0f starts in a second, at least %.0f", rate, leastStarts)
		}
	}
}

// BenchmarkForecast is 1,000 queues of 50 in a full cluster: what it takes to foretell as many starts as the scheduler does at most, and as far
// ahead.
func BenchmarkForecast(b *testing.B) {
	const queues, each = 1000, 50
	e := New(Defaults())
	e.SetQuota(gpuQuota("all", 8*benchNodes))
	for i := range queues {
		e.SetQuota(child(fmt.Sprintf("q%d", i), "all", 8*benchNodes/queues))
	}
	for i := range benchNodes {
		e.SetNode(gpuNode(fmt.Sprintf("n%d", i), "A100", 8, fmt.Sprintf("rack-%d", i/32)))
	}
	for i := range benchRunning {
		e.SetRunning(Running{
			Key: fmt.Sprintf("r%d", i), Quota: fmt.Sprintf("q%d", i%queues), User: "u", Replica: Amounts{MilliCPU: 1000, Memory: gib, GPUs: 2}, Model: "A100",
			Nodes: []Share{{fmt.Sprintf("n%d", i%benchNodes), 1}}, Start: start, End: start.Add(time.Hour + time.Duration(i)*time.Second),
		})
	}
	for i := range queues * each {
		w := benchJob(i)
		w.Quota = fmt.Sprintf("q%d", i%queues)
		e.SetWaiting(w)
	}
	now := start.Add(time.Minute)
	e.Decide(now)
	b.Run("what the round takes", func(b *testing.B) {
		for range b.N {
			runtime.KeepAlive(e.Future())
		}
	})
	b.Run("what it takes beside the rounds", func(b *testing.B) {
		for range b.N {
			if told := len(e.Future().Forecast(now, 1000, 30*24*time.Hour)); told < 1000 {
				b.Fatalf("%d starts are foretold", told)
			}
		}
	})
}

// BenchmarkMemory is what the engine keeps of each waiting job.
func BenchmarkMemory(b *testing.B) {
	for range b.N {
		jobs := make([]Waiting, benchWaiting/2)
		for i := range jobs {
			jobs[i] = benchJob(i)
		}
		e := emptyWorld(Defaults())
		e.rebuild()
		before := heap.Live()
		for i := range jobs {
			e.SetWaiting(jobs[i])
		}
		e.rebuild()
		b.ReportMetric(float64(heap.Live()-before)/float64(len(jobs)), "B/job")
		runtime.KeepAlive(jobs)
		runtime.KeepAlive(e)
	}
}

// BenchmarkDisplace is a plan of who gives way to one job: to whole nodes, where jobs of one GPU each are spread over all nodes.
func BenchmarkDisplace(b *testing.B) {
	for _, n := range []int64{1, 4} {
		b.Run(fmt.Sprintf("%d of %d nodes", n, benchNodes/5), func(b *testing.B) {
			e := New(Defaults())
			all, much := gpuQuota("all", 8*benchNodes), int64(1<<50)
			all.Nominal.Memory = &much
			all.Preemption.LowerPriority = AnyVictims
			e.SetQuota(all)
			for i := range benchNodes / 5 {
				e.SetNode(gpuNode(fmt.Sprintf("n%d", i), "A100", 8))
			}
			for i := range 8 * benchNodes / 5 {
				// They started in an order that has nothing to do with their nodes.
				e.SetRunning(runs(fmt.Sprintf("r%d", i), fmt.Sprintf("n%d", i*7919%(benchNodes/5)), 1, 0, of("all", -1),
					func(r *Running) { r.Start = start.Add(-time.Duration(i*104729%(8*benchNodes)) * time.Second) }))
			}
			e.SetWaiting(job("whole", 8, under("all"), replicas(n)))
			e.Decide(start)
			c, victims := e.waiting["whole"].class, 0
			b.ResetTimer()
			for range b.N {
				plan, _ := e.displace(c, start.Add(time.Minute))
				victims = len(plan)
			}
			if took := b.Elapsed() / time.Duration(b.N); took > mostPlan {
				b.Errorf("a plan takes %s, at most %s", took, mostPlan)
			}
			if victims != 8*int(n) {
				b.Errorf("%d jobs would give way", victims)
			}
		})
	}
}

// BenchmarkFade is past use that fades, of 2,000 users who wait for their own share each.
func BenchmarkFade(b *testing.B) {
	const users = 2_000
	e, one := New(Defaults()), int64(1)
	all, team := gpuQuota("all", 8*benchNodes), child("team", "all", 8*benchNodes)
	all.HalfLife, team.PerUser.GPUs = time.Hour, &one
	e.SetQuota(all)
	e.SetQuota(team)
	for i := range users / 8 {
		e.SetNode(gpuNode(fmt.Sprintf("n%d", i), "A100", 8))
	}
	for i := range 5 * users {
		e.SetWaiting(job(fmt.Sprintf("w%06d", i), 1, under("team"), by(fmt.Sprintf("u%d", i%users)), after(time.Duration(i)*time.Millisecond)))
	}
	now := start.Add(time.Minute)
	e.Decide(now)
	b.ResetTimer()
	for range b.N {
		now = now.Add(time.Second)
		e.Decide(now)
	}
	if took := b.Elapsed() / time.Duration(b.N); took > mostFade {
		b.Errorf("it takes %s each second, at most %s", took, mostFade)
	}
}
