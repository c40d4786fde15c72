package controllers

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/platform/cached"
)

// scrapeTime bounds how long one count may wait for the cache.
const scrapeTime = 5 * time.Second

// phases are what jobs are counted by. Each is always told, also with 0: nothing can be said of a series that is not there.
var phases = []platformv1.JobPhase{
	platformv1.JobPending, platformv1.JobRunning, platformv1.JobSuspended,
	platformv1.JobSucceeded, platformv1.JobFailed, platformv1.JobCancelled,
}

// SetupMetrics adds what is counted when it is asked for to the process's metrics. A process can do so once.
func SetupMetrics(mgr ctrl.Manager) error {
	kept := func(ctx context.Context) (toolscache.Store, error) {
		return cached.Store(ctx, mgr.GetCache(), &platformv1.Job{})
	}
	if err := metrics.Registry.Register(&jobCount{jobs: kept, elected: mgr.Elected()}); err != nil {
		return fmt.Errorf("register the count of jobs: %w", err)
	}
	return nil
}

var jobsDescription = prometheus.NewDesc("soma_jobs", "Jobs that exist, by phase.", []string{"phase"}, nil)

// jobCount counts the jobs in the cache of the manager that leads. The others keep no jobs, and would tell the same twice.
type jobCount struct {
	// jobs is where the cache keeps them.
	jobs    func(context.Context) (toolscache.Store, error)
	elected <-chan struct{}
}

// Describe tells what can be collected.
func (*jobCount) Describe(descriptions chan<- *prometheus.Desc) { descriptions <- jobsDescription }

// Collect counts. While the cache is not filled there is nothing to tell.
func (c *jobCount) Collect(collected chan<- prometheus.Metric) {
	select {
	case <-c.elected:
	default:
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	jobs, err := c.jobs(ctx)
	if err != nil {
		return
	}
	for phase, count := range byPhase(cached.All[*platformv1.Job](jobs)) {
		collected <- prometheus.MustNewConstMetric(jobsDescription, prometheus.GaugeValue, float64(count), string(phase))
	}
}

// byPhase counts jobs. One that no controller has looked at yet is Pending.
func byPhase(jobs []*platformv1.Job) map[platformv1.JobPhase]int {
	count := make(map[platformv1.JobPhase]int, len(phases))
	for _, phase := range phases {
		count[phase] = 0
	}
	for _, job := range jobs {
		phase := job.Status.Phase
		if phase == "" {
			phase = platformv1.JobPending
		}
		count[phase]++
	}
	return count
}
