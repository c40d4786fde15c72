package recorder

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platform "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/history"
)

// quota makes a quota that is removed at the end of the test.
func (f *fixture) quota(name, parent string) *platform.Quota {
	f.t.Helper()
	quota := &platform.Quota{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: platform.QuotaSpec{Parent: parent}}
	if err := f.client.Create(f.t.Context(), quota); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = f.client.Delete(context.Background(), quota) })
	return quota
}

// ranUnder makes a job that ran under a quota, ended and is deleted.
func (f *fixture) ranUnder(quota, name string) *platform.Job {
	f.t.Helper()
	job := f.create(name)
	now := metav1.Now()
	job.Status.Attempts = []platform.Attempt{{Number: 1, Quota: quota, StartTime: &now, FinishTime: &now, Replica: &platform.ReplicaResources{GPUs: 1}}}
	if err := f.client.Status().Update(f.t.Context(), job); err != nil {
		f.t.Fatal(err)
	}
	f.delete(job)
	f.advance(job, platform.JobSucceeded)
	return job
}

func (f *fixture) settles(quota *platform.Quota, uids ...types.UID) {
	f.t.Helper()
	before := quota.DeepCopy()
	quota.Status.Settling = uids
	if err := f.client.Status().Patch(f.t.Context(), quota, client.MergeFrom(before)); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) eventuallyGone(o client.Object) {
	f.t.Helper()
	f.eventually(o.GetName()+" is gone", func(ctx context.Context) bool {
		return apierrors.IsNotFound(f.client.Get(ctx, client.ObjectKeyFromObject(o), o))
	})
}

func TestAJobWaitsUntilWhatItUsedIsSettled(t *testing.T) {
	f := newFixture(t)
	r, stop := f.start()
	defer stop()
	team := f.quota("settles-jobs", "")
	first, second := f.ranUnder(team.Name, "first"), f.ranUnder(team.Name, "second")
	lost := f.ranUnder("nowhere", "lost")
	f.eventuallyPhases("first", "Pending Succeeded")
	f.eventuallyGone(lost)
	f.eventually("both wait", func(context.Context) bool {
		r.unsettled.mutex.Lock()
		defer r.unsettled.mutex.Unlock()
		return len(r.unsettled.waiting) == 2
	})
	f.settles(team, first.UID)
	f.eventuallyGone(first)
	if err := f.client.Get(t.Context(), client.ObjectKeyFromObject(second), second); err != nil {
		t.Fatal("the other did not wait:", err)
	}
	if err := f.client.Delete(t.Context(), team); err != nil {
		t.Fatal(err)
	}
	f.eventuallyGone(second)
	f.eventually("nothing waits", func(context.Context) bool { return r.Health().Backlog == 0 })
}

func TestHeirs(t *testing.T) {
	used := []platform.DayUsage{{Date: "2026-11-28"}}
	tests := map[string]struct {
		object history.Journaled
		want   string
	}{
		"a job":                       {&platform.Job{Status: platform.JobStatus{Earlier: []platform.EarlierUsage{{Quota: "team"}}}}, "team"},
		"a job that used nothing":     {&platform.Job{}, ""},
		"a quota":                     {&platform.Quota{Spec: platform.QuotaSpec{Parent: "root"}, Status: platform.QuotaStatus{Usage: used}}, "root"},
		"a root":                      {&platform.Quota{Status: platform.QuotaStatus{Usage: used}}, ""},
		"a quota that settled nobody": {&platform.Quota{Spec: platform.QuotaSpec{Parent: "root"}}, ""},
		"anything else":               {&platform.Cluster{}, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := heirs(tc.object)
			if (tc.want == "") != (len(got) == 0) || len(got) > 0 && got[0] != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestWhoIsWoken(t *testing.T) {
	key := history.Identity{Name: "a", UID: uuid.New()}
	job := &platform.Job{ObjectMeta: metav1.ObjectMeta{UID: "a"}}
	deleted := metav1.NewTime(time.Unix(1, 0))
	tests := map[string]struct {
		quota *platform.Quota
		gone  bool
		want  int
	}{
		"it was settled":       {quota: &platform.Quota{Status: platform.QuotaStatus{Settling: []types.UID{"b", "a"}}}, want: 1},
		"another was":          {quota: &platform.Quota{Status: platform.QuotaStatus{Settling: []types.UID{"b"}}}},
		"the quota is deleted": {quota: &platform.Quota{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &deleted}}, want: 1},
		"it stays for jobs": {quota: &platform.Quota{ObjectMeta: metav1.ObjectMeta{
			DeletionTimestamp: &deleted, Finalizers: []string{platform.FinalizerJobs},
		}}},
		"the quota is gone": {quota: &platform.Quota{}, gone: true, want: 1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var u unsettled
			if got := u.woken(tc.quota, tc.gone); len(got) > 0 {
				t.Errorf("nobody waits, and %v are woken", got)
			}
			u.add([]looked{{key: key, object: job}})
			if got := u.woken(tc.quota, tc.gone); len(got) != tc.want {
				t.Errorf("%d are woken, want %d", len(got), tc.want)
			}
			u.remove("a")
			if got := u.woken(tc.quota, tc.gone); len(got) > 0 {
				t.Errorf("%v are woken that do not wait", got)
			}
		})
	}
}
