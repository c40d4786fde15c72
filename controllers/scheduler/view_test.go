package scheduler

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/scheduling"
)

// TestAViewFollowsWhatTheCacheHas: a job is where its last version puts it, as the object that the cache has.
func TestAViewFollowsWhatTheCacheHas(t *testing.T) {
	s := &shelf{jobs: toolscache.NewStore(toolscache.MetaNamespaceKeyFunc), nodes: map[string]*corev1.Node{}}
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	v := newView(s, func(context.Context) (toolscache.Store, error) { return s.jobs, nil }, scheduling.New(scheduling.Options{}))
	version := func(uid, version string, reserved bool) *platformv1.Job {
		job := &platformv1.Job{}
		job.Namespace, job.Name, job.UID, job.ResourceVersion = "vision", "train", types.UID(uid), version
		if reserved {
			job.Status.Reservation = &platformv1.Reservation{Quota: "vision"}
		}
		return job
	}
	finished := version("b", "5", false)
	finished.Status.Phase = platformv1.JobSucceeded
	for _, step := range []struct {
		name                   string
		job                    *platformv1.Job
		jobs, waiting, running int
	}{
		{"it comes", version("a", "1", false), 1, 1, 0},
		{"it is as it was", version("a", "1", false), 1, 1, 0},
		{"it is reserved", version("a", "2", true), 1, 0, 1},
		{"another has taken its name", version("b", "3", false), 1, 1, 0},
		{"that is reserved", version("b", "4", true), 1, 0, 1},
		{"it has ended", finished, 1, 0, 0},
		{"it is gone", nil, 0, 0, 0},
	} {
		var err error
		if step.job != nil {
			err = s.jobs.Update(step.job)
		} else {
			err = s.jobs.Delete(finished)
		}
		if err != nil {
			t.Fatal(err)
		}
		b := newBatch()
		b.jobs[client.ObjectKey{Namespace: "vision", Name: "train"}] = struct{}{}
		if err := v.look(t.Context(), b, now); err != nil {
			t.Fatal(err)
		}
		if len(v.jobs) != step.jobs || len(v.names) != step.jobs || len(v.waiting) != step.waiting || len(v.running) != step.running {
			t.Errorf("%s: %d jobs, %d names, %d wait, %d run", step.name, len(v.jobs), len(v.names), len(v.waiting), len(v.running))
		}
		for uid, job := range v.running {
			if job != step.job || uid != string(job.UID) {
				t.Errorf("%s: a copy is kept of what runs", step.name)
			}
		}
		for uid, c := range v.waiting {
			if uid != string(step.job.UID) || c.job.ResourceVersion != step.job.ResourceVersion {
				t.Errorf("%s: what waits is version %s of %s", step.name, c.job.ResourceVersion, uid)
			}
		}
	}
}

// TestTheEngineIsToldAgainOfWhoGoesAhead: a job that gave way, and has waited for longer than it should by now.
func TestTheEngineIsToldAgainOfWhoGoesAhead(t *testing.T) {
	displaced := metav1.NewTime(night.Add(-defaultLongestWait))
	c := &candidate{job: &platformv1.Job{}, asked: true}
	c.job.Status.Queue = &platformv1.QueueStatus{Displaced: &displaced}
	w := &world{}
	if left := w.setOverdue(c, night.Add(-time.Minute)); left != time.Minute || c.overdue || c.changed {
		t.Errorf("a minute before, in %s: %+v", left, c)
	}
	if left := w.setOverdue(c, night); left != 0 || !c.overdue || !c.changed {
		t.Errorf("when it is time, in %s: %+v", left, c)
	}
	c.changed = false
	if w.setOverdue(c, night.Add(time.Minute)); !c.overdue || c.changed {
		t.Errorf("a minute later: %+v", c)
	}
}
