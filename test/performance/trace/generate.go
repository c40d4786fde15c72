package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// job is a job of the trace. Times are from the beginning of the trace.
type job struct {
	name, queue, user string
	submitted         time.Duration
	// run is how long it runs, span how long its user says that it runs at most.
	run, span time.Duration
	// gpus is what each replica holds; replicas start together.
	gpus, replicas int64
}

func (j *job) total() int64 { return j.gpus * j.replicas }

// What the trace is made from.
//
// Run times and the mean size are those that SenseTime published of 1.58 million GPU jobs in four clusters of 6,220 GPUs
// (Helios: Hu et al., SC '21; helios_cluster_summary.csv of its artifact): a median of 206 s, a mean of 6,652 s and 3.7 GPUs
// a job. A log-normal distribution is the one that has this median and mean with two parameters.
//
// Of the sizes up to a node the shares are those that Gavel (Narayanan et al., OSDI '20) drew from Microsoft's Philly trace
// (Jeon et al., ATC '19); as many larger ones come on top as give the mean of Helios.
const (
	medianRun = 206 * time.Second
	meanRun   = 6652 * time.Second
	// longestRun is where the cluster cuts jobs off: a trace of days says nothing about jobs of weeks.
	longestRun = 48 * time.Hour
	largeShare = 0.045
)

type sizeShare struct {
	gpus  int64
	share float64
}

var (
	smallSizes = []sizeShare{{1, 0.7}, {2, 0.1}, {4, 0.15}, {8, 0.05}}
	largeSizes = []sizeShare{{16, 0.4}, {32, 0.3}, {64, 0.2}, {128, 0.1}}
)

// usualSpans are what people give as a life span: few values, as in the logs of supercomputers (Tsafrir, Etsion and
// Feitelson, JSSPP '05).
var usualSpans = []time.Duration{
	15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 12 * time.Hour, 24 * time.Hour, longestRun,
}

// generate makes a trace: as many jobs, submitted so fast that they ask for load times the GPUs of the cluster, more by day than by
// night, by queues of which some ask for more than is their own.
func generate(seed uint64, jobs int, c shape, load float64) []*job {
	random := rand.New(rand.NewPCG(seed, seed)) //nolint:gosec // a trace is made again from its seed
	all := make([]*job, jobs)
	work := 0.0
	for i := range all {
		j := &job{name: fmt.Sprintf("j%05d", i)}
		j.gpus, j.replicas = drawSize(random, c)
		j.run = drawRun(random)
		j.span = drawSpan(random, j.run)
		j.queue, j.user = drawUser(random, c.queues)
		work += float64(j.total()) * j.run.Seconds()
		all[i] = j
	}
	lasts := work / (load * float64(c.gpus()))
	for i, at := range arrivals(random, jobs, time.Duration(lasts*float64(time.Second))) {
		all[i].submitted = at
	}
	return all
}

func drawSize(random *rand.Rand, c shape) (gpus, replicas int64) {
	sizes := smallSizes
	if random.Float64() < largeShare {
		sizes = largeSizes
	}
	left := random.Float64()
	total := sizes[len(sizes)-1].gpus
	for _, s := range sizes {
		if left < s.share {
			total = s.gpus
			break
		}
		left -= s.share
	}
	if total = min(total, c.gpus()/2); total <= c.gpusPerNode {
		return total, 1
	}
	return c.gpusPerNode, total / c.gpusPerNode
}

func drawRun(random *rand.Rand) time.Duration {
	sigma := math.Sqrt(2 * math.Log(meanRun.Seconds()/medianRun.Seconds()))
	seconds := medianRun.Seconds() * math.Exp(sigma*random.NormFloat64())
	return time.Duration(min(max(seconds, 1), longestRun.Seconds())) * time.Second
}

// drawSpan is what the user says: which part of it is used is spread evenly (Mu'alem and Feitelson, IEEE TPDS 2001), and it is one of the
// usual values.
func drawSpan(random *rand.Rand, run time.Duration) time.Duration {
	said := time.Duration(float64(run) / max(random.Float64(), 0.01))
	for _, usual := range usualSpans {
		if said <= usual {
			return usual
		}
	}
	return longestRun
}

// drawUser gives half of the jobs to the first quarter of the queues, and in each queue half of them to the first fifth of its users.
func drawUser(random *rand.Rand, queues int) (queue, user string) {
	q := random.IntN(queues)
	if random.Float64() < 1.0/3 {
		q = random.IntN(max(queues/4, 1))
	}
	u := random.IntN(10)
	if random.Float64() < 0.375 {
		u = random.IntN(2)
	}
	return fmt.Sprintf("q%d", q), fmt.Sprintf("q%d-u%d", q, u)
}

// arrivals are times of submission within a duration, three times as many at noon as at midnight.
func arrivals(random *rand.Rand, n int, within time.Duration) []time.Duration {
	times := make([]time.Duration, 0, n)
	for len(times) < n {
		at := time.Duration(random.Float64() * float64(within)).Truncate(time.Second)
		if random.Float64() < (1-0.5*math.Cos(2*math.Pi*at.Hours()/24))/1.5 {
			times = append(times, at)
		}
	}
	slices.Sort(times)
	return times
}
