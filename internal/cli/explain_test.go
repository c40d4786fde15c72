package cli

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
)

func TestExplainJob(t *testing.T) {
	quota := &chain{whole: true, quotas: []v1alpha1.Quota{{
		ObjectMeta: metav1.ObjectMeta{Name: "research"},
		Spec:       v1alpha1.QuotaSpec{Nominal: v1alpha1.ResourceAmounts{CPU: quantityOf("64"), GPUs: ptr(int32(4))}},
		Status:     v1alpha1.QuotaStatus{Used: &v1alpha1.ResourceAmounts{CPU: quantityOf("16"), GPUs: ptr(int32(4)), RunningJobs: ptr(int32(2))}},
	}}}
	tests := map[string]struct {
		status v1alpha1.JobStatus
		quota  *chain
		want   map[string]string
		not    []string
	}{
		"nobody looked": {want: map[string]string{"State": "Pending", "Meaning": "no controller has looked at the job yet; that takes a moment"}},
		"quota in use": {
			status: v1alpha1.JobStatus{Phase: v1alpha1.JobPending, Reason: v1alpha1.JobReasonQuotaExceeded, Message: `quota "research" is in use: …`, Queue: &v1alpha1.QueueStatus{Position: 2, Since: ptr(metav1.NewTime(noon.Add(-time.Hour)))}},
			quota:  quota,
			want: map[string]string{
				"State": "Pending, QuotaExceeded", "Queue": "position 2, waiting for 60m",
				"Quota": "research\ncpu: 16 of 64 in use\nmemory: 0 of 0 in use\ngpus: 4 of 4 in use\nrunning jobs: 2 of no limit in use",
			},
		},
		"it gave way": {
			status: v1alpha1.JobStatus{
				Phase: v1alpha1.JobPending, Reason: v1alpha1.JobReasonQueued,
				Attempts: []v1alpha1.Attempt{{Number: 1, StartTime: ptr(metav1.NewTime(noon.Add(-time.Hour))), FinishTime: ptr(metav1.NewTime(noon.Add(-time.Minute))), Node: "a100-1", Reason: v1alpha1.JobReasonPreempted}},
			},
			want: map[string]string{"Attempts": "1: ran 59m on a100-1, Preempted"},
		},
		"impossible": {
			status: v1alpha1.JobStatus{Phase: v1alpha1.JobPending, Reason: v1alpha1.JobReasonUnschedulable, Message: "no node has 9 GPUs"},
			want: map[string]string{
				"Message": "no node has 9 GPUs", "Will it start": "not before something is changed; waiting alone does not help",
				"To do": `ask for less, or for a GPU model, pool or number of replicas that there is: see "soma cluster status" and "soma preset ls"`,
			},
		},
		"a secret that is waited for": {
			status: v1alpha1.JobStatus{Phase: v1alpha1.JobPending, Reason: v1alpha1.JobReasonSecretMissing},
			want: map[string]string{
				"Will it start": "not before something is changed; waiting alone does not help",
				"To do":         "make the secret, with the label platform.soma.dev/secret=true; the job starts by itself then",
			},
		},
		"a secret that did not come": {
			status: v1alpha1.JobStatus{Phase: v1alpha1.JobFailed, Reason: v1alpha1.JobReasonSecretMissing},
			want:   map[string]string{"To do": `make the secret, with the label platform.soma.dev/secret=true, then submit it again: "soma clone train"`},
			not:    []string{"Will it start"},
		},
		"out of memory": {
			status: v1alpha1.JobStatus{Phase: v1alpha1.JobFailed, Reason: v1alpha1.JobReasonOOMKilled, ExitCode: ptr(int32(137))},
			want: map[string]string{
				"Meaning": "the program used more memory than the job asked for", "Exit code": "137: the program was killed (SIGKILL)",
				"To do": `ask for more memory: "soma clone train --preset LARGER", or use less`,
			},
		},
		"a reason of a later version": {
			status: v1alpha1.JobStatus{Phase: v1alpha1.JobFailed, Reason: "Abducted", Message: "by aliens"},
			want:   map[string]string{"State": "Failed, Abducted", "Message": "by aliens"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			job := &v1alpha1.Job{ObjectMeta: metav1.ObjectMeta{Name: "train"}, Status: tt.status}
			got := map[string]string{}
			for _, f := range explainJob(job, tt.quota, "soma", noon) {
				if _, wanted := tt.want[f.label]; wanted || slices.Contains(tt.not, f.label) {
					got[f.label] = f.text
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Of the quotas above a job that one is shown that is the reason, or the user's share of it; and all budgets where one of them is.
func TestExplainShowsTheQuotaThatIsTheReason(t *testing.T) {
	quota := func(name, parent string, own, used int32) v1alpha1.Quota {
		q := v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.QuotaSpec{Parent: parent, Nominal: v1alpha1.ResourceAmounts{GPUs: &own}}}
		q.Status.Used = &v1alpha1.ResourceAmounts{GPUs: &used}
		return q
	}
	vision, research := quota("vision", "research", 12, 4), quota("research", "", 16, 28)
	research.Spec.PerUser = &v1alpha1.ResourceAmounts{GPUs: new(int32(4))}
	research.Status.Users = []v1alpha1.UserUsage{{Name: "ada", Used: v1alpha1.ResourceAmounts{GPUs: new(int32(3))}}}
	research.Status.Pool = &v1alpha1.QuotaPool{Total: v1alpha1.ResourceAmounts{GPUs: new(int32(28))}, Used: v1alpha1.ResourceAmounts{GPUs: new(int32(28))}}
	budget := v1alpha1.BudgetStatus{Name: "month", Used: "100", Limit: "100", Unit: v1alpha1.BudgetUnitGPUHours, WindowEnd: metav1.NewTime(noon)}
	research.Status.Budgets = []v1alpha1.BudgetStatus{budget}
	const memory = "\ncpu: 0 of 0 in use\nmemory: 0 of 0 in use"
	tests := map[string]struct {
		reason        v1alpha1.JobReason
		message, want string
	}{
		"its own":              {v1alpha1.JobReasonQuotaExceeded, `quota "vision" is in use: the job asks for 9 GPUs`, "vision" + memory + "\ngpus: 4 of 28 in use"},
		"one above":            {v1alpha1.JobReasonQuotaExceeded, `quota "research" is in use: the job asks for 2 GPUs`, "research" + memory + "\ngpus: 28 of 28 in use"},
		"one that is small":    {v1alpha1.JobReasonQuotaTooSmall, `quota "research" can never start this job: it asks for 99 GPUs`, "research" + memory + "\ngpus: 28 of 28 in use"},
		"the user's share":     {v1alpha1.JobReasonQuotaExceeded, `the share of user "ada" in quota "research" is in use: the job asks for 2 GPUs`, "the share of ada in research\ngpus: 3 of 4 in use"},
		"one that is not seen": {v1alpha1.JobReasonQuotaExceeded, `quota "all" is in use: the job asks for 2 GPUs`, ""},
		"a budget": {v1alpha1.JobReasonBudgetExhausted, `quota research's budget "month" is used up`,
			"research\nbudget month: 100.00 of 100 GPU-hours used, renewed " + clock(noon)},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			job := &v1alpha1.Job{ObjectMeta: metav1.ObjectMeta{Name: "train"}, Spec: v1alpha1.JobSpec{SubmittedBy: "ada"}}
			job.Status = v1alpha1.JobStatus{Phase: v1alpha1.JobPending, Reason: tc.reason, Message: tc.message}
			said := fieldMap(explainJob(job, &chain{whole: true, quotas: []v1alpha1.Quota{vision, research}}, "soma", noon))
			if diff := cmp.Diff(tc.want, said["quota"]); diff != "" {
				t.Error(diff)
			}
			if !strings.Contains(said["toDo"], `"soma quota"`) {
				t.Errorf("it says what to do: %s", said["toDo"])
			}
		})
	}
}

func TestNewestAttempt(t *testing.T) {
	pod := func(name, attempt, rank string) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{v1alpha1.LabelAttempt: attempt, v1alpha1.LabelRank: rank}}}
	}
	all := []*corev1.Pod{pod("a", "9", "0"), pod("c", "10", "10"), pod("b", "10", "2")}
	var got []string
	for _, p := range newestAttempt(all) {
		got = append(got, p.Name)
	}
	if diff := cmp.Diff([]string{"b", "c"}, got); diff != "" {
		t.Error(diff)
	}
	if newestAttempt(nil) != nil {
		t.Error("there is a newest attempt of none")
	}
}

func TestCommandLine(t *testing.T) {
	got := commandLine([]string{"sh", "-c", "echo $HOME", "", "it's"})
	if want := `sh -c 'echo $HOME' '' 'it'\''s'`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
