package quota

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/platform/conditions"
)

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// leavingJob ran for an hour on 2 GPUs under the quota q, and is about to go.
func leavingJob(uid types.UID, change ...func(*v1alpha1.Job)) v1alpha1.Job {
	job := v1alpha1.Job{ObjectMeta: metav1.ObjectMeta{UID: uid, DeletionTimestamp: &metav1.Time{Time: noon}}}
	job.Status.Phase = v1alpha1.JobSucceeded
	job.Status.Attempts = []v1alpha1.Attempt{{
		Quota: "q", StartTime: &metav1.Time{Time: noon.Add(-time.Hour)}, FinishTime: &metav1.Time{Time: noon}, Replica: &v1alpha1.ReplicaResources{GPUs: 2},
	}}
	for _, c := range change {
		c(&job)
	}
	return job
}

func TestSettle(t *testing.T) {
	deletedQuota := func(parent string) v1alpha1.Quota {
		q := v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: "below", UID: "below", DeletionTimestamp: &metav1.Time{Time: noon}}}
		q.Spec.Parent = parent
		q.Status.Usage = []v1alpha1.DayUsage{{Date: "2026-11-27", GPUSeconds: 5}}
		return q
	}
	stays := func(q v1alpha1.Quota) v1alpha1.Quota {
		q.Finalizers = finalizers
		return q
	}
	full := make([]types.UID, maxSettling)
	for i := range full {
		full[i] = types.UID(fmt.Sprint("other-", i))
	}
	settled := []v1alpha1.DayUsage{{Date: "2026-11-28", GPUSeconds: 100}}
	tests := map[string]struct {
		deleted bool
		// waits reports that it stays for jobs.
		waits    bool
		settling []types.UID
		// noticed is the version at which all that is settling was first seen so; empty where it was not.
		noticed string
		jobs    []v1alpha1.Job
		quotas  []v1alpha1.Quota
		seen    string
		// want is "GPU-seconds settling version full".
		want string
	}{
		"nobody leaves":          {want: "100 [] - false"},
		"a job leaves":           {jobs: []v1alpha1.Job{leavingJob("a")}, want: "7300 [a] - false"},
		"two leave":              {jobs: []v1alpha1.Job{leavingJob("a"), leavingJob("b")}, want: "14500 [a b] - false"},
		"one that was taken":     {settling: []types.UID{"a"}, jobs: []v1alpha1.Job{leavingJob("a")}, want: "100 [a] - false"},
		"one that is kept":       {jobs: []v1alpha1.Job{leavingJob("a", func(j *v1alpha1.Job) { j.DeletionTimestamp = nil })}, want: "100 [] - false"},
		"one of another quota":   {jobs: []v1alpha1.Job{leavingJob("a", func(j *v1alpha1.Job) { j.Status.Attempts[0].Quota = "other" })}, want: "100 [] - false"},
		"one that used nothing":  {jobs: []v1alpha1.Job{leavingJob("a", func(j *v1alpha1.Job) { j.Status.Attempts[0].StartTime = nil })}, want: "100 [] - false"},
		"one that is gone":       {settling: []types.UID{"a"}, noticed: "9", seen: "10", want: "100 [] 12 false"},
		"perhaps not seen yet":   {settling: []types.UID{"a"}, noticed: "11", seen: "10", want: "100 [a] - false"},
		"not noticed yet":        {settling: []types.UID{"a"}, seen: "10", want: "100 [a] - false"},
		"still there":            {settling: []types.UID{"a"}, noticed: "9", seen: "10", jobs: []v1alpha1.Job{leavingJob("a")}, want: "100 [a] - false"},
		"there is no room":       {settling: full, noticed: "11", seen: "10", jobs: []v1alpha1.Job{leavingJob("a")}, want: "100 512 - true"},
		"there is room again":    {settling: full, noticed: "9", seen: "10", jobs: []v1alpha1.Job{leavingJob("a")}, want: "7300 [a] 12 false"},
		"the quota is deleted":   {deleted: true, jobs: []v1alpha1.Job{leavingJob("a")}, want: "100 [] - false"},
		"it is, for jobs yet":    {deleted: true, waits: true, jobs: []v1alpha1.Job{leavingJob("a")}, want: "7300 [a] - false"},
		"one below stays yet":    {quotas: []v1alpha1.Quota{stays(deletedQuota("q"))}, want: "100 [] - false"},
		"one below is deleted":   {quotas: []v1alpha1.Quota{deletedQuota("q")}, want: "105 [below] - false"},
		"it is taken over once":  {settling: []types.UID{"below"}, noticed: "9", seen: "10", quotas: []v1alpha1.Quota{deletedQuota("q")}, want: "100 [below] - false"},
		"one elsewhere is":       {quotas: []v1alpha1.Quota{deletedQuota("other")}, want: "100 [] - false"},
		"one below that is kept": {quotas: []v1alpha1.Quota{{Spec: v1alpha1.QuotaSpec{Parent: "q"}, Status: v1alpha1.QuotaStatus{Usage: settled}}}, want: "100 [] - false"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			quota := &v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: "q", ResourceVersion: "20"}}
			quota.Status.Usage, quota.Status.Settling = settled, tc.settling
			if tc.deleted {
				quota.DeletionTimestamp = &metav1.Time{Time: noon}
			}
			if tc.waits {
				quota.Finalizers = finalizers
			}
			seenAt := map[types.UID]string{}
			for _, uid := range tc.settling {
				if tc.noticed != "" {
					seenAt[uid] = tc.noticed
				}
			}
			f := facts{jobs: refs(tc.jobs...), quotas: tc.quotas, jobsSeen: tc.seen, jobsUpTo: "12", quotasSeen: "1000"}
			full, err := settle(quota, &f, seenAt, noon)
			if err != nil {
				t.Fatal(err)
			}
			sum := int64(0)
			for _, day := range quota.Status.Usage {
				sum += day.GPUSeconds
			}
			version := quota.Status.SettledVersion
			if version == "" {
				version = "-"
			}
			got := fmt.Sprintf("%d %v %s %t", sum, quota.Status.Settling, version, full)
			if len(quota.Status.Settling) > 10 {
				got = fmt.Sprintf("%d %d %s %t", sum, len(quota.Status.Settling), version, full)
			}
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestNoticedKeepsTheFirstVersion(t *testing.T) {
	n, quota := noticed{}, &v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: "q", ResourceVersion: "5"}}
	quota.Status.Settling = []types.UID{"a"}
	n.of(quota)
	quota.ResourceVersion, quota.Status.Settling = "7", []types.UID{"a", "b"}
	if got := n.of(quota); got["a"] != "5" || got["b"] != "7" {
		t.Errorf("got %v", got)
	}
	quota.Status.Settling = nil
	if got := n.of(quota); len(got) > 0 {
		t.Errorf("it remembers %v", got)
	}
}

func TestOldJobsDecideNothing(t *testing.T) {
	quota := &v1alpha1.Quota{Status: v1alpha1.QuotaStatus{SettledVersion: "10"}}
	for seen, want := range map[string]bool{"": true, "9": true, "10": false, "11": false} {
		if old, err := (&facts{jobsSeen: seen}).old(&v1alpha1.Quota{}, quota); err != nil || old != want {
			t.Errorf("seen up to %q: old is %t, %v", seen, old, err)
		}
	}
}

func TestAssessTellsOfBudgets(t *testing.T) {
	hours := int64(4)
	quota := &v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: "q", Generation: 3}}
	quota.Spec.Budgets = []v1alpha1.Budget{{Name: "daily", Period: v1alpha1.BudgetDay, GPUHours: &hours, Warnings: []int32{80}, Action: v1alpha1.BudgetStartNothing}}
	kept := leavingJob("a", func(j *v1alpha1.Job) { j.DeletionTimestamp = nil })
	said := func(condition string) string {
		c := conditions.Get(quota.Status.Conditions, condition)
		if c == nil {
			return "-"
		}
		return fmt.Sprintf("%s %s", c.Status, c.Message)
	}
	if next := assess(quota, nil, refs(kept), noon); !next.Equal(noon.Add(12 * time.Hour)) {
		t.Errorf("it is looked at again at %s", next)
	}
	if got := said(v1alpha1.ConditionBudgetWarning); got != "False No budget warns." {
		t.Errorf("after two hours: %s", got)
	}
	quota.Status.Usage = []v1alpha1.DayUsage{{Date: "2026-11-28", GPUSeconds: 5000}, {Date: "2026-11-27", GPUSeconds: 50000}}
	assess(quota, nil, refs(kept), noon)
	if got := said(v1alpha1.ConditionBudgetWarning); got != `True 80% of budget "daily" of 4 GPU-hours are used; it is renewed 2026-11-29 00:00 UTC.` {
		t.Errorf("after more: %s", got)
	}
	below := &v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: "below", UID: "below"}, Status: v1alpha1.QuotaStatus{Usage: quota.Status.Usage}}
	assess(quota, []*v1alpha1.Quota{below}, refs(kept), noon)
	if got := said(v1alpha1.ConditionBudgetExhausted); got != `True Budget "daily" of 4 GPU-hours is used up. What runs goes on, nothing new is started until it is renewed, 2026-11-29 00:00 UTC, or raised.` {
		t.Errorf("with what was used below: %s", got)
	}
	if got := said(v1alpha1.ConditionBudgetWarning); got != "False No budget warns." {
		t.Errorf("when it is used up: %s", got)
	}
	quota.Spec.Budgets = nil
	if next := assess(quota, nil, nil, noon); !next.IsZero() || len(quota.Status.Conditions) > 0 || len(quota.Status.Budgets) > 0 {
		t.Errorf("without budgets: %s, %+v", next, quota.Status)
	}
}

// What runs changes figures all the time; alone they are no news. When a budget will be used up is: from then on its status is not counted on.
func TestOldFigures(t *testing.T) {
	start, later := metav1.NewTime(noon), metav1.NewTime(noon.Add(time.Hour))
	before := v1alpha1.QuotaStatus{Budgets: []v1alpha1.BudgetStatus{{Name: "b", Limit: "4", WindowStart: start, Used: "1", Forecast: "2", ExpectedExhaustion: &start}}}
	tests := map[string]struct {
		change func(*v1alpha1.BudgetStatus)
		want   v1alpha1.BudgetAmount
	}{
		"of the same budget": {func(*v1alpha1.BudgetStatus) {}, "1"},
		"of another limit":   {func(b *v1alpha1.BudgetStatus) { b.Limit = "5" }, "2"},
		"of another period":  {func(b *v1alpha1.BudgetStatus) { b.WindowStart = later }, "2"},
		"of another name":    {func(b *v1alpha1.BudgetStatus) { b.Name = "c" }, "2"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			after := before.DeepCopy()
			after.Budgets[0].Used, after.Budgets[0].ExpectedExhaustion = "2", &later
			tc.change(&after.Budgets[0])
			if got := withOldFigures(after, &before).Budgets[0]; got.Used != tc.want || !got.ExpectedExhaustion.Equal(&later) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// TestAQuotaAboveLooksAtWhatItMayTakeOver: when something was settled below, and when nothing will be any more.
func TestAQuotaAboveLooksAtWhatItMayTakeOver(t *testing.T) {
	deleted := v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &metav1.Time{Time: noon}, Finalizers: finalizers}}
	for name, tc := range map[string]struct {
		change func(*v1alpha1.Quota)
		want   bool
	}{
		"it is drained":      {func(q *v1alpha1.Quota) { q.Finalizers = []string{v1alpha1.FinalizerHistory} }, true},
		"a job was settled":  {func(q *v1alpha1.Quota) { q.Status.Settling = []types.UID{"a"} }, true},
		"it has more usage":  {func(q *v1alpha1.Quota) { q.Status.Usage = []v1alpha1.DayUsage{{GPUSeconds: 1}} }, true},
		"it is used by more": {func(q *v1alpha1.Quota) { q.Status.WaitingJobs = 7 }, false},
	} {
		after := deleted.DeepCopy()
		tc.change(after)
		if got := settledChanged(event.UpdateEvent{ObjectOld: &deleted, ObjectNew: after}); got != tc.want {
			t.Errorf("%s: the one above looks: %t", name, got)
		}
	}
}
