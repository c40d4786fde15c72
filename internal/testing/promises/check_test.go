package promises

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// story is a job as it is told step by step, with its pods.
type story struct {
	events []Event
	job    *v1alpha1.Job
}

func tell() *story {
	cpu, memory := resource.MustParse("2"), resource.MustParse("8Gi")
	s := &story{job: &v1alpha1.Job{ObjectMeta: metav1.ObjectMeta{Name: "train", UID: "job"}}}
	s.add(Event{Quota: &v1alpha1.Quota{
		ObjectMeta: metav1.ObjectMeta{Name: "team"}, Spec: v1alpha1.QuotaSpec{Nominal: v1alpha1.ResourceAmounts{CPU: &cpu, Memory: &memory}},
	}})
	return s
}

func (s *story) add(e Event) *story {
	e.Revision = int64(len(s.events) + 1)
	s.events = append(s.events, e)
	return s
}

// phase writes the job with a transition.
func (s *story) phase(phase v1alpha1.JobPhase) *story {
	s.job.Status.Phase = phase
	s.job.Status.Journal.Append(v1alpha1.Transition{Phase: string(phase)})
	return s.write()
}

func (s *story) write() *story { return s.add(Event{Job: s.job.DeepCopy()}) }

func (s *story) reserve(cpu string) *story {
	s.job.Status.Attempt++
	s.job.Status.Reservation = &v1alpha1.Reservation{
		Attempt: s.job.Status.Attempt, Time: metav1.NowMicro(), Quota: "team", Nodes: []v1alpha1.NodeShare{{Node: "n", Replicas: 1}},
		Replica: v1alpha1.ReplicaResources{CPU: resource.MustParse(cpu), Memory: resource.MustParse("1Gi")},
	}
	return s.phase(v1alpha1.JobPending)
}

func (s *story) release(phase v1alpha1.JobPhase) *story {
	s.job.Status.Reservation = nil
	return s.phase(phase)
}

func (s *story) pod(attempt string, phase corev1.PodPhase) *story {
	return s.add(Event{Pod: &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: "pod-" + attempt, UID: types.UID("pod-" + attempt),
			Labels: map[string]string{v1alpha1.LabelJobUID: "job", v1alpha1.LabelAttempt: attempt},
		},
		Status: corev1.PodStatus{Phase: phase},
	}})
}

// node is the node of all reservations, of so many cores.
func (s *story) node(cpu string) *story {
	return s.add(Event{Node: &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n"}, Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse("8Gi"),
	}}}})
}

func (s *story) remove() *story { return s.add(Event{Job: s.job.DeepCopy(), Deleted: true}) }

func cores(n string) *v1alpha1.ResourceAmounts {
	cpu := resource.MustParse(n)
	return &v1alpha1.ResourceAmounts{CPU: &cpu}
}

// below puts the quota, of 2 cores, below another, beside one of so many cores.
func (s *story) below(cpu string, lends, borrows *v1alpha1.ResourceAmounts) *story {
	quota := func(name, parent string, nominal v1alpha1.ResourceAmounts) *v1alpha1.Quota {
		return &v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.QuotaSpec{Parent: parent, Nominal: nominal}}
	}
	team, beside := quota("team", "all", s.events[0].Quota.Spec.Nominal), quota("beside", "all", *cores(cpu))
	team.Spec.Borrowing, beside.Spec.Lending = borrows, lends
	return s.add(Event{Quota: quota("all", "", v1alpha1.ResourceAmounts{})}).add(Event{Quota: beside}).add(Event{Quota: team})
}

// spent has a budget of the quota used up an hour ago, until in an hour.
func (s *story) spent(action v1alpha1.BudgetAction) *story {
	now := time.Now()
	quota := s.events[0].Quota.DeepCopy()
	quota.Spec.Budgets = []v1alpha1.Budget{{Name: "daily", Action: action}}
	quota.Status.Budgets = []v1alpha1.BudgetStatus{{
		Name: "daily", ExhaustedTime: &metav1.Time{Time: now.Add(-time.Hour)}, WindowEnd: metav1.NewTime(now.Add(time.Hour)),
	}}
	return s.add(Event{Quota: quota})
}

// spends has a budget of the quota be expected to be used up in so long.
func (s *story) spends(in time.Duration) *story {
	s.spent(v1alpha1.BudgetStartNothing)
	status := &s.events[len(s.events)-1].Quota.Status.Budgets[0]
	status.ExhaustedTime, status.ExpectedExhaustion = nil, &metav1.Time{Time: time.Now().Add(in)}
	return s
}

func (s *story) removeQuota() *story { return s.add(Event{Quota: s.events[0].Quota, Deleted: true}) }

// ran has the job use five GPU-seconds of the quota, and be about to go.
func (s *story) ran() *story {
	now := metav1.Now()
	s.job.Status.Attempts = []v1alpha1.Attempt{{
		Quota: "team", StartTime: &metav1.Time{Time: now.Add(-5 * time.Second)}, FinishTime: &now, Replica: &v1alpha1.ReplicaResources{GPUs: 1},
	}}
	s.job.DeletionTimestamp = &now
	return s.phase(v1alpha1.JobSucceeded)
}

// settle has the quota settle so many GPU-seconds, of those with the UIDs.
func (s *story) settle(gpuSeconds int64, uids ...types.UID) *story {
	quota := s.events[0].Quota.DeepCopy()
	quota.Status.Usage = []v1alpha1.DayUsage{{Date: time.Now().UTC().Format(time.DateOnly), GPUSeconds: gpuSeconds}}
	quota.Status.Settling = uids
	return s.add(Event{Quota: quota})
}

func TestCheck(t *testing.T) {
	tests := map[string]struct {
		story *story
		// want is what the error says; nothing for a story in which every promise is kept.
		want string
	}{
		"a life with a retry": {story: tell().write().
			reserve("1").pod("1", "").phase(v1alpha1.JobRunning).pod("1", corev1.PodFailed).release(v1alpha1.JobPending).
			reserve("2").pod("2", "").phase(v1alpha1.JobRunning).pod("2", corev1.PodSucceeded).release(v1alpha1.JobSucceeded).remove()},
		"a job as the API server makes it": {story: func() *story {
			s := tell()
			s.job.Status = v1alpha1.JobStatus{ObservedGeneration: -1, Phase: v1alpha1.JobPending}
			s.write()
			s.job.Status.ObservedGeneration = 1
			return s.phase(v1alpha1.JobPending)
		}()},
		"more than the quota":       {story: tell().reserve("3"), want: "exceeded quota team"},
		"borrowed":                  {story: tell().below("1", nil, nil).reserve("3")},
		"more than may be borrowed": {story: tell().below("1", nil, cores("1")).reserve("4"), want: "exceeded quota team"},
		"more than all have":        {story: tell().below("0", nil, nil).reserve("3"), want: "exceeded quota all"},
		"more than the node has":    {story: tell().node("1500m").reserve("2"), want: "took more of node n"},
		"all that the node has":     {story: tell().node("2").reserve("2")},
		"what is not lent":          {story: tell().below("2", cores("1"), nil).reserve("4"), want: "does not lend"},
		"settled, and then removed": {story: tell().ran().settle(5, "job").settle(5, "job").remove().settle(5)},
		"removed before":            {story: tell().ran().remove(), want: "before quota team settled"},
		"settled as too little":     {story: tell().ran().settle(4, "job"), want: "settled 4 GPU-seconds, and those that it settled used 5"},
		"settled twice":             {story: tell().ran().settle(5, "job").remove().settle(5).settle(10, "job"), want: "twice"},
		"forgotten":                 {story: tell().ran().settle(5, "job").settle(5), want: "for gone, which is there"},
		"a budget that is used up":  {story: tell().spent(v1alpha1.BudgetSuspend).reserve("1"), want: "budget daily of quota team"},
		"a quota that goes first":   {story: tell().reserve("1").removeQuota(), want: "quota team was removed while job train"},
		"one that goes last":        {story: tell().reserve("1").release(v1alpha1.JobSucceeded).removeQuota()},
		"one that should be by now": {story: tell().spends(-time.Minute).reserve("1"), want: "should have been used up"},
		"one that will be":          {story: tell().spends(time.Minute).reserve("1")},
		"one that is only told":     {story: tell().spent(v1alpha1.BudgetNotify).reserve("1")},
		"an attempt left out": {
			story: func() *story { s := tell(); s.job.Status.Attempt = 4; return s.reserve("1") }(), want: "reserved attempt 5 after 0",
		},
		"part of a gang": {
			story: func() *story { s, n := tell(), int32(2); s.job.Spec.Replicas = &n; return s.reserve("1") }(), want: "1 of 2 replicas",
		},
		"a pod before the reservation":       {story: tell().write().pod("1", "").reserve("1"), want: "without a reservation"},
		"a pod of another attempt":           {story: tell().reserve("1").pod("2", ""), want: "without a reservation"},
		"a pod of a job that never was":      {story: tell().pod("1", ""), want: "without a reservation"},
		"a release with a pod alive":         {story: tell().reserve("1").pod("1", "").release(v1alpha1.JobFailed), want: "while its pod pod-1 was alive"},
		"attempts that overlap":              {story: tell().reserve("1").pod("1", "").release(v1alpha1.JobPending).reserve("1"), want: "reserved attempt 2 while pod pod-1"},
		"a life after the end":               {story: tell().phase(v1alpha1.JobFailed).phase(v1alpha1.JobRunning), want: "was Failed and became Running"},
		"removed before the end":             {story: tell().reserve("1").remove(), want: "was removed while"},
		"a phase that the journal misses":    {story: func() *story { s := tell(); s.job.Status.Phase = v1alpha1.JobRunning; return s.write() }(), want: "without an entry"},
		"a transition that nobody could see": {story: func() *story { s := tell(); s.job.Status.Journal.Sequence = 1; return s.write() }(), want: "was never told"},
		"a transition told in two ways": {
			story: func() *story {
				s := tell().phase(v1alpha1.JobPending)
				s.job.Status.Journal.Entries[0].Reason = "Other"
				return s.write()
			}(), want: "transition 1 of job train was",
		},
		"a pod while its attempt is ended": {
			story: func() *story {
				s := tell().reserve("1")
				s.job.Status.Reservation.Ending = v1alpha1.JobReasonUserRequested
				return s.write().pod("1", "")
			}(), want: "while its attempt was being ended",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			expects(t, tc.story, tc.want)
		})
	}
}

func TestTransitionsAreThoseOfAllRevisions(t *testing.T) {
	s := tell().phase(v1alpha1.JobPending).phase(v1alpha1.JobRunning)
	s.job.Status.Journal.Recorded = 2
	s.job.Status.Journal.Trim()
	s.phase(v1alpha1.JobSucceeded)
	var got []string
	for _, transition := range Transitions(s.events, "job") {
		got = append(got, transition.Phase)
	}
	if want := "Pending Running Succeeded"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// expects checks a story, and fails unless what is told of it says what is wanted; nothing where that is empty.
func expects(t *testing.T, s *story, want string) {
	t.Helper()
	err := Check(s.events)
	if want == "" && err != nil {
		t.Error(err)
	}
	if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("got %v, want %q", err, want)
	}
}
