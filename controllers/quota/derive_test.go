package quota

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/platform/conditions"
	"github.com/soma-platform/soma/internal/platform/conditions/check"
)

func testJob(namespace, user string, phase v1alpha1.JobPhase, quota string, replicas, gpus int32, model string) v1alpha1.Job {
	job := v1alpha1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: namespace}, Spec: v1alpha1.JobSpec{SubmittedBy: user}}
	job.Status.Phase = phase
	if quota != "" {
		job.Status.Reservation = &v1alpha1.Reservation{
			Quota: quota, Nodes: []v1alpha1.NodeShare{{Node: "a", Replicas: replicas - 1}, {Node: "b", Replicas: 1}},
			Replica: v1alpha1.ReplicaResources{CPU: resource.MustParse("500m"), Memory: resource.MustParse("1Gi"), GPUs: gpus, GPUModel: model},
		}
	}
	return job
}

func TestUsageOf(t *testing.T) {
	projects := []v1alpha1.Project{
		{ObjectMeta: metav1.ObjectMeta{Name: "vision"}, Spec: v1alpha1.ProjectSpec{Quota: "q"}},
		{ObjectMeta: metav1.ObjectMeta{Name: "audio"}, Spec: v1alpha1.ProjectSpec{Quota: "other"}},
		{ObjectMeta: metav1.ObjectMeta{Name: "none"}},
	}
	deleted := testJob("vision", "alice", v1alpha1.JobPending, "", 1, 0, "")
	deleted.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
	tests := map[string]struct {
		jobs []v1alpha1.Job
		// want is "jobs cpu memory gpus waiting users".
		want string
	}{
		"nothing":                      {nil, "0 0 0 0 0 0"},
		"held, by replicas":            {[]v1alpha1.Job{testJob("vision", "alice", v1alpha1.JobRunning, "q", 3, 2, "A100")}, "1 1500m 3Gi 6 0 1"},
		"held while it ends":           {[]v1alpha1.Job{testJob("vision", "alice", v1alpha1.JobCancelled, "q", 1, 2, "")}, "1 500m 1Gi 2 0 1"},
		"held though the project left": {[]v1alpha1.Job{testJob("audio", "alice", v1alpha1.JobRunning, "q", 1, 1, "")}, "1 500m 1Gi 1 0 1"},
		"held of another quota":        {[]v1alpha1.Job{testJob("vision", "alice", v1alpha1.JobRunning, "other", 1, 1, "")}, "0 0 0 0 0 0"},
		"of nobody known":              {[]v1alpha1.Job{testJob("vision", "", v1alpha1.JobRunning, "q", 1, 0, "")}, "1 500m 1Gi 0 0 1"},
		"waiting": {[]v1alpha1.Job{
			testJob("vision", "a", v1alpha1.JobPending, "", 1, 0, ""), testJob("vision", "a", "", "", 1, 0, ""),
			testJob("vision", "a", v1alpha1.JobSuspended, "", 1, 0, ""), testJob("vision", "a", v1alpha1.JobSucceeded, "", 1, 0, ""),
			testJob("audio", "a", v1alpha1.JobPending, "", 1, 0, ""), testJob("none", "a", v1alpha1.JobPending, "", 1, 0, ""), deleted,
		}, "0 0 0 0 2 0"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			found := usageOf("q", nil, refs(test.jobs...), projects)
			got := fmt.Sprintf("%d %s %s %d %d %d", found.held.Jobs, found.held.CPU.String(), found.held.Memory.String(),
				found.held.GPUs, found.waiting, len(found.users))
			if got != test.want || found.projects != 1 {
				t.Errorf("usage = %q of %d projects, want %q of 1", got, found.projects, test.want)
			}
		})
	}
}

// A quota tells what is held and waited for below it as well.
func TestUsageOfATree(t *testing.T) {
	quotas := []v1alpha1.Quota{{}, {}, {}, {}}
	for i, names := range [][2]string{{"team", "all"}, {"all", ""}, {"person", "team"}, {"else", "other"}} {
		quotas[i].Name, quotas[i].Spec.Parent = names[0], names[1]
		quotas[i].Spec.Nominal.GPUs = new([]int32{8, 4, 2, 9}[i])
	}
	quotas[0].Spec.Lending = &v1alpha1.ResourceAmounts{GPUs: new(int32(3))}
	quotas[2].Spec.Lending = &v1alpha1.ResourceAmounts{GPUs: new(int32(0))}
	projects := []v1alpha1.Project{{ObjectMeta: metav1.ObjectMeta{Name: "vision"}, Spec: v1alpha1.ProjectSpec{Quota: "person"}}}
	jobs := []v1alpha1.Job{
		testJob("vision", "a", v1alpha1.JobRunning, "person", 1, 1, ""), testJob("vision", "a", v1alpha1.JobRunning, "team", 1, 2, ""),
		testJob("vision", "a", v1alpha1.JobRunning, "else", 1, 4, ""), testJob("vision", "a", v1alpha1.JobPending, "", 1, 0, ""),
	}
	for name, want := range map[string]string{"all": "3 GPUs, 1 waits, 1 project", "team": "3 GPUs, 1 waits, 1 project", "person": "1 GPUs, 1 waits, 1 project", "else": "4 GPUs, 0 waits, 0 project"} {
		found := usageOf(name, quotas, refs(jobs...), projects)
		if got := fmt.Sprintf("%d GPUs, %d waits, %d project", found.held.GPUs, found.waiting, found.projects); got != want {
			t.Errorf("quota %s: %s, want %s", name, got, want)
		}
	}
	for i, want := range map[int]string{0: "10 in all, 2 kept, 2 used", 1: "14 in all, 7 kept, 0 used"} {
		q := quotas[i]
		derive(&q, usageOf(q.Name, quotas, refs(jobs...), projects), time.Unix(1000, 0))
		pool := q.Status.Pool
		if got := fmt.Sprintf("%d in all, %d kept, %d used", *pool.Total.GPUs, *pool.Kept.GPUs, *pool.Used.GPUs); got != want {
			t.Errorf("quota %s: %s, want %s", q.Name, got, want)
		}
	}
	if leaf := quotas[2]; pool(&leaf, usageOf("person", quotas, nil, nil)) != nil {
		t.Error("a quota with none below it has a pool")
	}
	circle := []v1alpha1.Quota{quotas[0], quotas[1]}
	circle[1].Spec.Parent = "team"
	if found := usageOf("all", circle, refs(jobs...), projects); found.held.GPUs != 2 {
		t.Errorf("in a circle: %d GPUs", found.held.GPUs)
	}
}

// refs are jobs as a cache has them.
func refs(jobs ...v1alpha1.Job) []*v1alpha1.Job {
	all := make([]*v1alpha1.Job, len(jobs))
	for i := range jobs {
		all[i] = &jobs[i]
	}
	return all
}

func TestExceeded(t *testing.T) {
	number := func(n int32) *int32 { return &n }
	quantity := func(s string) *resource.Quantity { q := resource.MustParse(s); return &q }
	enough := v1alpha1.ResourceAmounts{CPU: quantity("100"), Memory: quantity("1Ti"), GPUs: number(100)}
	with := func(change func(*v1alpha1.ResourceAmounts)) v1alpha1.ResourceAmounts {
		amounts := *enough.DeepCopy()
		change(&amounts)
		return amounts
	}
	tests := map[string]struct {
		nominal v1alpha1.ResourceAmounts
		perUser *v1alpha1.ResourceAmounts
		want    string
	}{
		"within":             {nominal: enough},
		"cpu":                {with(func(a *v1alpha1.ResourceAmounts) { a.CPU = quantity("1") }), nil, "2 of cpu, where 1 is granted"},
		"memory not granted": {with(func(a *v1alpha1.ResourceAmounts) { a.Memory = nil }), nil, "4Gi of memory, where none is granted"},
		"GPUs":               {with(func(a *v1alpha1.ResourceAmounts) { a.GPUs = number(7) }), nil, "8 GPUs, where 7 are granted"},
		"GPUs not granted":   {with(func(a *v1alpha1.ResourceAmounts) { a.GPUs = nil }), nil, "8 GPUs, where 0 are granted"},
		"a model":            {with(func(a *v1alpha1.ResourceAmounts) { a.GPUModels = []v1alpha1.GPUModelAmount{{Model: "A100", Count: 3}} }), nil, "4 GPUs of A100, where 3 are granted"},
		"only listed models": {with(func(a *v1alpha1.ResourceAmounts) {
			a.GPUs = nil
			a.GPUModels = []v1alpha1.GPUModelAmount{{Model: "A100", Count: 4}}
		}), nil, "4 GPUs of models that are not listed"},
		"jobs":                {with(func(a *v1alpha1.ResourceAmounts) { a.RunningJobs = number(1) }), nil, "2 jobs, where 1 are granted"},
		"a user":              {enough, &v1alpha1.ResourceAmounts{GPUs: number(3)}, "user alice: 4 GPUs, where 3 are granted"},
		"a user, not limited": {enough, &v1alpha1.ResourceAmounts{RunningJobs: number(1)}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			quota := &v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: "q", Generation: 1}}
			quota.Spec = v1alpha1.QuotaSpec{Nominal: test.nominal, PerUser: test.perUser}
			derive(quota, usageOf("q", nil, refs(
				testJob("vision", "alice", v1alpha1.JobRunning, "q", 2, 2, "A100"),
				testJob("vision", "bob", v1alpha1.JobRunning, "q", 2, 2, "H100"),
			), nil), time.Unix(1000, 0))
			got := conditions.Get(quota.Status.Conditions, v1alpha1.ConditionExceeded)
			if (got.Status == metav1.ConditionTrue) != (test.want != "") || !strings.Contains(got.Message, test.want) {
				t.Errorf("Exceeded is %s: %q, want %q", got.Status, got.Message, test.want)
			}
			if err := check.Contract(quota); err != nil {
				t.Error(err)
			}
		})
	}
}

// A quota that is deleted says who used it: the history keeps that.
func TestDeletedInUse(t *testing.T) {
	quota := func() *v1alpha1.Quota {
		return &v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: "q", Generation: 1, DeletionTimestamp: &metav1.Time{Time: time.Unix(1, 0)}}}
	}
	projects := []v1alpha1.Project{{ObjectMeta: metav1.ObjectMeta{Name: "vision"}, Spec: v1alpha1.ProjectSpec{Quota: "q"}}}
	jobs := refs(testJob("vision", "alice", v1alpha1.JobRunning, "q", 2, 2, "A100"), testJob("vision", "bob", v1alpha1.JobPending, "", 1, 0, ""))
	for want, found := range map[string]usage{
		"its last entry in the history.":                          usageOf("q", nil, nil, nil),
		"stays, with all its limits, until no job holds anything": usageOf("q", nil, jobs, projects),
		"by 1 projects and 0 quotas that name it, or one below it, and 1 jobs that run and 1 that wait. What runs goes on": usageOf("q", nil, jobs, projects),
	} {
		q := quota()
		derive(q, found, time.Unix(1000, 0))
		last := q.Status.Journal.Entries[len(q.Status.Journal.Entries)-1]
		if !strings.Contains(last.Message, want) || last.Phase != string(v1alpha1.QuotaTerminating) {
			t.Errorf("%s: %q, want %q", last.Phase, last.Message, want)
		}
		if err := check.Contract(q); err != nil {
			t.Error(err)
		}
	}
}

// TestAQuotaStaysForItsJobs: also for one that was about to start when it was deleted.
func TestAQuotaStaysForItsJobs(t *testing.T) {
	held := usageOf("q", []v1alpha1.Quota{{ObjectMeta: metav1.ObjectMeta{Name: "below"}, Spec: v1alpha1.QuotaSpec{Parent: "q"}}},
		refs(testJob("vision", "alice", v1alpha1.JobRunning, "below", 2, 2, "A100")), nil)
	now := time.Now()
	below := func(parent string, change ...func(*v1alpha1.Quota)) usage {
		q := &v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: "below", UID: "below", DeletionTimestamp: &metav1.Time{Time: now}}}
		q.Spec.Parent, q.Status.Usage = parent, []v1alpha1.DayUsage{{}}
		for _, f := range change {
			f(q)
		}
		return usage{below: []*v1alpha1.Quota{q}}
	}
	settles := func(q *v1alpha1.Quota) { q.Finalizers = []string{v1alpha1.FinalizerJobs} }
	for name, tc := range map[string]struct {
		ago      time.Duration
		found    usage
		full     bool
		settling []types.UID
		parent   string
		drained  bool
	}{
		"it was just deleted":              {ago: time.Second},
		"nobody has anything of it":        {ago: drainTime, drained: true},
		"a job below it has":               {ago: time.Hour, found: held},
		"not all is settled":               {ago: time.Hour, full: true},
		"one below has not handed over":    {ago: time.Hour, found: below("q", settles)},
		"one far below has not":            {ago: time.Hour, found: below("between", settles)},
		"what one below has is to be":      {ago: time.Hour, found: below("q")},
		"what one below had is taken over": {ago: time.Hour, found: below("q"), settling: []types.UID{"below"}, drained: true},
		"their parents go in a circle":     {ago: time.Hour, found: below("q", settles), parent: "below", drained: true},
	} {
		quota := &v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: "q", DeletionTimestamp: &metav1.Time{Time: now.Add(-tc.ago)}}}
		quota.Spec.Parent, quota.Status.Settling = tc.parent, tc.settling
		if got := drained(quota, tc.found, tc.full, now); got != tc.drained {
			t.Errorf("%s: it may go: %t", name, got)
		}
	}
}

func TestUsersAreBoundedAndSorted(t *testing.T) {
	var jobs []v1alpha1.Job
	for i := range v1alpha1.QuotaUsers + 6 {
		jobs = append(jobs, testJob("vision", fmt.Sprintf("user-%02d", i), v1alpha1.JobRunning, "q", 1, int32(i/2), ""))
	}
	list := users(usageOf("q", nil, refs(jobs...), nil).users)
	if len(list) != v1alpha1.QuotaUsers {
		t.Fatalf("%d users, want %d", len(list), v1alpha1.QuotaUsers)
	}
	if list[0].Name != "user-28" || list[1].Name != "user-29" {
		t.Errorf("the first are %s and %s, want those who hold most, by name", list[0].Name, list[1].Name)
	}
}

// A quota says so where nothing starts under it, as one above it does not exist.
func TestAQuotaTellsOfThoseAboveIt(t *testing.T) {
	for name, tc := range map[string]struct {
		parents map[string]string
		reason  string
		says    string
	}{
		"no parent":                {map[string]string{"q": ""}, v1alpha1.ReasonAvailable, "applied"},
		"all there":                {map[string]string{"q": "team", "team": "all", "all": ""}, v1alpha1.ReasonAvailable, "applied"},
		"a parent that is missing": {map[string]string{"q": "taem", "team": ""}, v1alpha1.ReasonParentNotFound, `The parent "taem" does not exist`},
		"one above it is missing":  {map[string]string{"q": "team", "team": "al"}, v1alpha1.ReasonParentNotFound, `Quota "team" above this one has the parent "al"`},
		"a circle":                 {map[string]string{"q": "team", "team": "q"}, v1alpha1.ReasonParentCircle, `in a circle at "team"`},
		"above it is a circle":     {map[string]string{"q": "team", "team": "all", "all": "team"}, v1alpha1.ReasonParentCircle, `in a circle at "all"`},
		"its own parent":           {map[string]string{"q": "q"}, v1alpha1.ReasonParentCircle, `in a circle at "q"`},
	} {
		t.Run(name, func(t *testing.T) {
			var quotas []v1alpha1.Quota
			for name, parent := range tc.parents {
				quotas = append(quotas, v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.QuotaSpec{Parent: parent}})
			}
			quota := &v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: "q"}}
			derive(quota, usageOf("q", quotas, nil, nil), time.Now())
			ready := conditions.Get(quota.Status.Conditions, v1alpha1.ConditionReady)
			if ready.Reason != tc.reason || !strings.Contains(ready.Message, tc.says) || (ready.Status == metav1.ConditionTrue) != (tc.reason == v1alpha1.ReasonAvailable) {
				t.Errorf("%s, %s: %s", ready.Status, ready.Reason, ready.Message)
			}
		})
	}
}
