package controllers

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

func TestJobsAreCountedByPhase(t *testing.T) {
	elected := make(chan struct{})
	count := &jobCount{elected: elected, jobs: jobsOf{"", platformv1.JobPending, platformv1.JobRunning, platformv1.JobFailed}}
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
type jobsOf []platformv1.JobPhase

// Get is not what a count asks for.
func (jobsOf) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return errors.ErrUnsupported
}

// List hands out the jobs.
func (phases jobsOf) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	for _, phase := range phases {
		jobs := list.(*platformv1.JobList)
		jobs.Items = append(jobs.Items, platformv1.Job{Status: platformv1.JobStatus{Phase: phase}})
	}
	return nil
}
