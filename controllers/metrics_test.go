package controllers

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

func TestJobsAreCountedByPhase(t *testing.T) {
	elected := make(chan struct{})
	count := &jobCount{elected: elected, jobs: jobsOf(t, "", platformv1.JobPending, platformv1.JobRunning, platformv1.JobFailed)}
	if n := testutil.CollectAndCount(count); n != 0 {
		t.Errorf("a manager that does not lead tells %d numbers, want none", n)
	}
	close(elected)
	err := testutil.CollectAndCompare(count, strings.NewReader(`
		# HELP soma_jobs Jobs that exist, by phase.
		# TYPE soma_jobs gauge
		soma_jobs{phase="Cancelled"} 0
		soma_jobs{phase="Failed"} 1
		soma_jobs{phase="Pending"} 2
		soma_jobs{phase="Running"} 1
		soma_jobs{phase="Succeeded"} 0
		soma_jobs{phase="Suspended"} 0
	`))
	if err != nil {
		t.Error(err)
	}
}

// jobsOf is a cache of jobs in these phases.
func jobsOf(t *testing.T, phases ...platformv1.JobPhase) func(context.Context) (toolscache.Store, error) {
	t.Helper()
	store := toolscache.NewStore(toolscache.MetaNamespaceKeyFunc)
	for i, phase := range phases {
		job := &platformv1.Job{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint(i)}, Status: platformv1.JobStatus{Phase: phase}}
		if err := store.Add(job); err != nil {
			t.Fatal(err)
		}
	}
	return func(context.Context) (toolscache.Store, error) { return store, nil }
}

// A count is made each time that the metrics are read: of many jobs it keeps nothing but the list.
func TestCountingCopiesNoJobs(t *testing.T) {
	const jobs = 1000
	elected := make(chan struct{})
	close(elected)
	count := &jobCount{elected: elected, jobs: jobsOf(t, make([]platformv1.JobPhase, jobs)...)}
	const looks = 10
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range looks {
		testutil.CollectAndCount(count)
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / looks / jobs; each > 128 {
		t.Errorf("%d bytes for each job", each)
	}
}
