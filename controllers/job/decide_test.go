package job

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/workload"
)

var t0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(seconds int) metav1.Time { return metav1.NewTime(t0.Add(time.Duration(seconds) * time.Second)) }

func waiting(change ...func(*platformv1.Job)) *platformv1.Job {
	j := &platformv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "train", Namespace: "vision", UID: types.UID("3f2a9c1d-0000"), CreationTimestamp: at(0), Generation: 1},
		Spec:       platformv1.JobSpec{Image: "soma.dev/busybox:1", SubmittedBy: "carol"},
	}
	for _, c := range change {
		c(j)
	}
	return j
}

func reserved(change ...func(*platformv1.Job)) *platformv1.Job {
	j := waiting()
	j.Status.Phase, j.Status.Reason, j.Status.Attempt = platformv1.JobPending, platformv1.JobReasonCreating, 1
	j.Status.Reservation = &platformv1.Reservation{
		Attempt: 1, Time: metav1.NewMicroTime(t0), Quota: "vision", Cluster: "local", Pool: "a100",
		Nodes: []platformv1.NodeShare{{Node: "n1", Replicas: 1}}, PricePerHour: "3.6", Currency: "EUR",
		Replica: platformv1.ReplicaResources{CPU: resource.MustParse("1"), Memory: resource.MustParse("1Gi"), GPUs: 1},
	}
	for _, c := range change {
		c(j)
	}
	return j
}

func running(change ...func(*platformv1.Job)) *platformv1.Job {
	return reserved(append([]func(*platformv1.Job){func(j *platformv1.Job) {
		start := at(1)
		j.Status.Phase, j.Status.StartTime, j.Status.Reservation.StartTime = platformv1.JobRunning, &start, &start
	}}, change...)...)
}

func retries(policy platformv1.RestartPolicy, n int32) func(*platformv1.Job) {
	return func(j *platformv1.Job) { j.Spec.Restart = &platformv1.Restart{Policy: policy, MaxRetries: &n} }
}

func lifeSpan(seconds int64) func(*platformv1.Job) {
	return func(j *platformv1.Job) { j.Spec.LifeSpanSeconds = &seconds }
}

func gang(n int32) func(*platformv1.Job) {
	return func(j *platformv1.Job) { j.Spec.Replicas = &n; j.Status.Reservation.Nodes[0].Replicas = n }
}

// pod of a rank of the first attempt.
func pod(rank int32, phase corev1.PodPhase, state corev1.ContainerState, change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: workload.PodName(waiting(), 1, rank)}}
	p.Spec.NodeName = "n1"
	p.Spec.Containers = []corev1.Container{{Name: workload.ContainerName, Image: "soma.dev/busybox:1",
		Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")}}}}
	p.Status.Phase = phase
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: workload.ContainerName, State: state}}
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: at(0)}}
	for _, c := range change {
		c(p)
	}
	return p
}

func runs(rank int32) *corev1.Pod {
	return pod(rank, corev1.PodRunning, corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: at(1)}})
}

func ended(rank, code int32, reason, words string) *corev1.Pod {
	phase := corev1.PodFailed
	if code == 0 {
		phase = corev1.PodSucceeded
	}
	return pod(rank, phase, corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: code, Reason: reason, Message: words, StartedAt: at(1), FinishedAt: at(11)}})
}

// takenAway has a pod deleted before its container's end by whom the reason says; by somebody where it is empty.
func takenAway(reason string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		deleted, grace := at(5+30), int64(30)
		p.DeletionTimestamp, p.DeletionGracePeriodSeconds = &deleted, &grace
		if reason != "" {
			p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{
				Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: reason, LastTransitionTime: at(5)})
		}
	}
}

// ending has an attempt been ended for a reason.
func ending(reason platformv1.JobReason) func(*platformv1.Job) {
	return func(j *platformv1.Job) { j.Status.Reservation.Ending = reason }
}

func waits(reason, message string) *corev1.Pod {
	return pod(0, corev1.PodPending, corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}})
}

func TestDecide(t *testing.T) {
	yes, second := true, int64(1)
	cancel := func(j *platformv1.Job) { j.Spec.Cancel, j.Spec.CancelledBy = &yes, "dave" }
	suspend := func(j *platformv1.Job) { j.Spec.Suspend = &yes }
	tests := map[string]struct {
		job  *platformv1.Job
		pods []*corev1.Pod
		now  int // seconds after the start
		// ending is whether the job's project is being deleted.
		ending bool
		// want is phase/reason, then what else is done: held, create, kill=N, remove.
		want string
		// words that the message must have.
		words string
	}{
		"nothing to say of a job that waits":     {job: waiting(), want: "/"},
		"cancelled while it waits":               {job: waiting(cancel), want: "Cancelled/UserRequested", words: "dave"},
		"suspended while it waits":               {job: waiting(suspend), want: "Suspended/Suspended"},
		"project deleted":                        {job: waiting(), ending: true, want: "Cancelled/ProjectDeleted"},
		"schedule timeout while it waits":        {job: waiting(func(j *platformv1.Job) { j.Spec.ScheduleTimeoutSeconds = &second }), now: 2, want: "Failed/ScheduleTimeout"},
		"stray pod of an earlier attempt":        {job: waiting(), pods: []*corev1.Pod{runs(0)}, want: "/ kill=1"},
		"reserved: make the pods":                {job: reserved(), want: "Pending/Creating held create"},
		"half of the pods made":                  {job: reserved(gang(2)), pods: []*corev1.Pod{runs(0)}, want: "Pending/Creating held create"},
		"runs":                                   {job: reserved(), pods: []*corev1.Pod{runs(0)}, now: 2, want: "Running/Running held"},
		"a gang runs when all run":               {job: reserved(gang(2)), pods: []*corev1.Pod{runs(0), runs(1)}, now: 2, want: "Running/Running held"},
		"success":                                {job: running(), pods: []*corev1.Pod{ended(0, 0, "Completed", "")}, now: 12, want: "Succeeded/Completed"},
		"success never seen running":             {job: reserved(), pods: []*corev1.Pod{ended(0, 0, "Completed", "")}, now: 12, want: "Succeeded/Completed"},
		"failure":                                {job: running(), pods: []*corev1.Pod{ended(0, 3, "Error", "boom")}, now: 12, want: "Failed/Error", words: "exit code 3: boom"},
		"out of memory":                          {job: running(), pods: []*corev1.Pod{ended(0, 137, "OOMKilled", "")}, now: 12, want: "Failed/OOMKilled", words: "1Gi"},
		"bad command":                            {job: reserved(), pods: []*corev1.Pod{ended(0, 128, "StartError", "exec: \"foo\": not found")}, now: 2, want: "Failed/ContainerCannotRun", words: "foo"},
		"one of a gang fails: the others end":    {job: running(gang(2)), pods: []*corev1.Pod{ended(0, 3, "Error", "boom"), runs(1)}, now: 12, want: "Running/Terminating held kill=1", words: "boom"},
		"one of a gang fails before all run":     {job: reserved(gang(2)), pods: []*corev1.Pod{ended(0, 3, "Error", "boom"), pod(1, corev1.PodPending, corev1.ContainerState{})}, now: 12, want: "Pending/Terminating held kill=1", words: "boom"},
		"gang: one is done, the other runs":      {job: running(gang(2)), pods: []*corev1.Pod{ended(0, 0, "", ""), runs(1)}, now: 12, want: "Running/Running held"},
		"image not found is tolerated":           {job: reserved(), pods: []*corev1.Pod{waits("ErrImagePull", "manifest unknown: not found")}, now: 5, want: "Pending/ImageNotFound held"},
		"image not found":                        {job: reserved(), pods: []*corev1.Pod{waits("ImagePullBackOff", "not found")}, now: 61, want: "Pending/Terminating held kill=1", words: "busybox"},
		"image forbidden":                        {job: reserved(), pods: []*corev1.Pod{waits("ErrImagePull", "pull access denied")}, now: 5, want: "Pending/ImageUnauthorized held"},
		"image name cannot be read: at once":     {job: reserved(), pods: []*corev1.Pod{waits("InvalidImageName", "")}, now: 1, want: "Pending/Terminating held kill=1"},
		"key of a secret is missing":             {job: reserved(), pods: []*corev1.Pod{waits("CreateContainerConfigError", "couldn't find key x in Secret vision/y")}, now: 5, want: "Pending/SecretMissing held"},
		"a quick start is not told step by step": {job: reserved(), pods: []*corev1.Pod{waits("ContainerCreating", "")}, now: 1, want: "Pending/Creating held"},
		"a slow start is told":                   {job: reserved(), pods: []*corev1.Pod{waits("ContainerCreating", "")}, now: 3, want: "Pending/ContainerCreating held"},
		"a key that was missing for too long":    {job: reserved(), pods: []*corev1.Pod{waits("CreateContainerConfigError", "couldn't find key x in Secret vision/y")}, now: 20, want: "Pending/Terminating held kill=1", words: "add it"},
		"a key that was missing: the job waits for it, though it is not restarted": {job: reserved(ending(platformv1.JobReasonSecretMissing)), now: 21, want: "Pending/SecretMissing"},
		"a disk that failed: back to the queue":                                    {job: reserved(ending(platformv1.JobReasonDiskUnavailable)), now: 121, want: "Pending/Queued"},
		"a network that failed: back to the queue":                                 {job: reserved(ending(platformv1.JobReasonContainerCreating)), now: 121, want: "Pending/Queued"},
		"drained while it starts: back to the queue":                               {job: reserved(), pods: []*corev1.Pod{pod(0, corev1.PodFailed, corev1.ContainerState{}, takenAway("EvictionByEvictionAPI"))}, now: 12, want: "Pending/Queued"},
		"drained: its pod is still there": {job: running(retries(platformv1.RestartOnFailure, 1)), pods: []*corev1.Pod{pod(0, corev1.PodRunning, runs(0).Status.ContainerStatuses[0].State,
			takenAway("EvictionByEvictionAPI"))}, now: 12, want: "Running/Running held"},
		"drained, and it ended with 0": {job: running(), pods: []*corev1.Pod{pod(0, corev1.PodSucceeded, ended(0, 0, "", "").Status.ContainerStatuses[0].State,
			takenAway("EvictionByEvictionAPI"))}, now: 12, want: "Failed/Evicted"},
		"node unreachable: it is told, and nothing follows while its pod may run": {job: running(retries(platformv1.RestartOnFailure, 1)), pods: []*corev1.Pod{pod(0, corev1.PodRunning,
			runs(0).Status.ContainerStatuses[0].State, takenAway("DeletionByTaintManager"))}, now: 900, want: "Running/Terminating held kill=1", words: "node n1 is lost"},
		"node unreachable: its pod may run, and it is told what is waited for": {job: running(retries(platformv1.RestartOnFailure, 1), ending(platformv1.JobReasonNodeLost)), pods: []*corev1.Pod{pod(0, corev1.PodRunning,
			runs(0).Status.ContainerStatuses[0].State, takenAway("DeletionByTaintManager"))}, now: 900, want: "Running/Creating held kill=1", words: "node n1 has not ended pod"},
		"node unreachable: its pod was removed without a word": {job: running(retries(platformv1.RestartOnFailure, 0), ending(platformv1.JobReasonNodeLost), lifeSpan(600)), now: 900, want: "Pending/BackOff", words: "at no cost"},
		"node lost": {job: running(), pods: []*corev1.Pod{pod(0, corev1.PodFailed, runs(0).Status.ContainerStatuses[0].State, takenAway("DeletionByPodGC"))}, now: 12, want: "Failed/NodeLost"},
		"node lost: tried again": {job: running(retries(platformv1.RestartOnFailure, 1)), pods: []*corev1.Pod{pod(0, corev1.PodFailed, runs(0).Status.ContainerStatuses[0].State,
			takenAway("DeletionByPodGC"))}, now: 12, want: "Pending/BackOff"},
		"node of one of a gang lost: the others end first": {job: running(gang(2), retries(platformv1.RestartOnFailure, 1)), pods: []*corev1.Pod{
			pod(0, corev1.PodFailed, runs(0).Status.ContainerStatuses[0].State, takenAway("DeletionByPodGC")), runs(1)}, now: 12, want: "Running/Terminating held kill=1"},
		"removed with its project":            {job: running(), pods: []*corev1.Pod{pod(0, corev1.PodSucceeded, ended(0, 0, "", "").Status.ContainerStatuses[0].State, takenAway(""))}, ending: true, now: 12, want: "Cancelled/ProjectDeleted"},
		"removed by somebody":                 {job: running(), pods: []*corev1.Pod{pod(0, corev1.PodSucceeded, ended(0, 0, "", "").Status.ContainerStatuses[0].State, takenAway(""))}, now: 12, want: "Failed/Collected"},
		"why pods cannot be made is kept":     {job: reserved(func(j *platformv1.Job) { j.Status.Message = "no route to host" }), now: 5, want: "Pending/Creating held create", words: "no route to host"},
		"cancelled while it starts":           {job: reserved(cancel), pods: []*corev1.Pod{waits("ContainerCreating", "")}, now: 1, want: "Pending/Terminating held kill=1"},
		"cancelled before its pods were made": {job: reserved(cancel), want: "Cancelled/UserRequested"},
		"cancelled after it had succeeded":    {job: running(cancel), pods: []*corev1.Pod{ended(0, 0, "", "")}, now: 12, want: "Succeeded/Completed"},
		"ending: pods are still there": {job: running(func(j *platformv1.Job) { j.Status.Reservation.Ending = platformv1.JobReasonUserRequested }),
			pods: []*corev1.Pod{runs(0)}, now: 12, want: "Running/Creating held kill=1"},
		"ending: pods are gone": {job: running(func(j *platformv1.Job) {
			j.Status.Reservation.Ending, j.Status.Reservation.EndingMessage = platformv1.JobReasonUserRequested, "cancelled by dave"
		}), now: 12, want: "Cancelled/UserRequested", words: "dave"},
		"suspended while it runs": {job: running(suspend), pods: []*corev1.Pod{runs(0)}, now: 3, want: "Running/Terminating held kill=1"},
		"suspended, pods gone": {job: running(suspend, func(j *platformv1.Job) { j.Status.Reservation.Ending = platformv1.JobReasonSuspended }),
			now: 3, want: "Suspended/Suspended"},
		"resumed":               {job: waiting(func(j *platformv1.Job) { j.Status.Phase = platformv1.JobSuspended }), want: "Pending/Queued"},
		"life span over":        {job: running(func(j *platformv1.Job) { j.Spec.LifeSpanSeconds = &second }), pods: []*corev1.Pod{runs(0)}, now: 3, want: "Running/Terminating held kill=1", words: "life span"},
		"a failure is retried":  {job: running(retries(platformv1.RestartOnFailure, 1)), pods: []*corev1.Pod{ended(0, 3, "Error", "boom")}, now: 12, want: "Pending/BackOff"},
		"the budget is used up": {job: running(retries(platformv1.RestartOnFailure, 0)), pods: []*corev1.Pod{ended(0, 3, "Error", "boom")}, now: 12, want: "Failed/Error"},
		"always: success is followed by another attempt": {job: running(retries(platformv1.RestartAlways, 0)), pods: []*corev1.Pod{ended(0, 0, "", "")}, now: 12, want: "Pending/Restarting"},
		"a pod vanished while it ran":                    {job: running(), now: 12, want: "Failed/NotFound"},
		"pods not bound: back to the queue": {job: reserved(func(j *platformv1.Job) { j.Status.Reservation.Ending = platformv1.JobReasonScheduling }), now: 61,
			want: "Pending/Queued"},
		"node took the place before it ran: back to the queue": {job: reserved(), now: 2, want: "Pending/Queued",
			pods: []*corev1.Pod{pod(0, corev1.PodFailed, corev1.ContainerState{}, func(p *corev1.Pod) { p.Status.Reason = "OutOfcpu"; p.Status.ContainerStatuses = nil })}},
		"evicted": {job: running(), now: 12, want: "Failed/Evicted", words: "low on resource",
			pods: []*corev1.Pod{pod(0, corev1.PodFailed, corev1.ContainerState{}, func(p *corev1.Pod) {
				p.Status.Reason, p.Status.Message = "Evicted", "The node was low on resource: memory"
			})}},
		"finished: kept for its time": {job: waiting(func(j *platformv1.Job) {
			finish := at(0)
			j.Status.Phase, j.Status.Reason, j.Status.FinishTime = platformv1.JobSucceeded, platformv1.JobReasonCompleted, &finish
		}), now: 100, want: "Succeeded/Completed"},
		"finished: time is over": {job: waiting(func(j *platformv1.Job) {
			finish, ttl := at(0), int32(10)
			j.Spec.TTLSecondsAfterFinished = &ttl
			j.Status.Phase, j.Status.Reason, j.Status.FinishTime = platformv1.JobSucceeded, platformv1.JobReasonCompleted, &finish
		}), now: 11, want: "Succeeded/Completed remove"},
		"the journal is full: the transition waits": {job: running(func(j *platformv1.Job) {
			for range platformv1.JournalCapacity {
				j.Status.Journal.Append(platformv1.Transition{Phase: "Pending"})
			}
			j.Status.Reason = platformv1.JobReasonRunning
		}), pods: []*corev1.Pod{ended(0, 0, "", "")}, now: 12, want: "Running/Running held"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			before := tc.job.DeepCopy()
			got := decide(facts{job: tc.job, pods: tc.pods, projectEnding: tc.ending, now: t0.Add(time.Duration(tc.now) * time.Second)})
			if text := describe(got); text != tc.want {
				t.Errorf("got %q, want %q", text, tc.want)
			}
			if !strings.Contains(got.status.Message, tc.words) {
				t.Errorf("message %q does not say %q", got.status.Message, tc.words)
			}
			if !equality.Semantic.DeepEqual(before, tc.job) {
				t.Error("the job that the decision was made from was changed")
			}
			phaseChanged := got.status.Phase != before.Status.Phase
			if appended := got.status.Journal.Sequence > before.Status.Journal.Sequence; phaseChanged && !appended {
				t.Error("a transition has no entry in the journal")
			}
		})
	}
}

func describe(p plan) string {
	text := string(p.status.Phase) + "/" + string(p.status.Reason)
	if p.status.Reservation != nil {
		text += " held"
	}
	if p.create {
		text += " create"
	}
	if len(p.kill) > 0 {
		text += fmt.Sprintf(" kill=%d", len(p.kill))
	}
	if p.remove {
		text += " remove"
	}
	return text
}

func TestAShortAttemptCounts(t *testing.T) {
	short := ended(0, 0, "Completed", "")
	short.Status.ContainerStatuses[0].State.Terminated.FinishedAt = at(1)
	span := int64(2)
	job := running(retries(platformv1.RestartAlways, 0), func(j *platformv1.Job) { j.Spec.LifeSpanSeconds, j.Status.RunSeconds = &span, 1 })
	got := decide(facts{job: job, pods: []*corev1.Pod{short}, now: t0.Add(2 * time.Second)})
	if got.status.RunSeconds != 2 || got.status.Phase != platformv1.JobSucceeded {
		t.Errorf("ran %d s, %s; a job that is always restarted would never end", got.status.RunSeconds, describe(got))
	}
}

func TestAttemptIsAccounted(t *testing.T) {
	got := decide(facts{job: running(), pods: []*corev1.Pod{ended(0, 0, "Completed", "")}, now: t0.Add(12 * time.Second)})
	if got.status.RunSeconds != 10 {
		t.Errorf("ran %d s, want 10", got.status.RunSeconds)
	}
	if got.status.Cost == nil || got.status.Cost.Amount != "0.010000" || got.status.Cost.Currency != "EUR" {
		t.Errorf("cost %+v, want 0.010000 EUR: 10 s at 3.6 an hour", got.status.Cost)
	}
	if len(got.status.Attempts) != 1 || got.status.Attempts[0].Node != "n1" || got.status.Attempts[0].Currency != "EUR" || *got.status.ExitCode != 0 {
		t.Errorf("attempts %+v", got.status.Attempts)
	}
}

// Nothing is used on a node after it was given up, however long it takes until its pods are known to be gone.
func TestALostNodeCostsNothingFurther(t *testing.T) {
	unreachable := pod(0, corev1.PodRunning, runs(0).Status.ContainerStatuses[0].State, takenAway("DeletionByTaintManager"))
	job := running(retries(platformv1.RestartOnFailure, 0), lifeSpan(3600))
	workload.SetConditions(&job.Status, 1, at(1).Time)
	const lost, gone = 601, 3 * 3600
	for _, look := range []int{lost, lost + 60} {
		job.Status = decide(facts{job: job, pods: []*corev1.Pod{unreachable}, now: at(look).Time}).status
	}
	got := decide(facts{job: job, now: at(gone).Time})
	if describe(got) != "Pending/BackOff" || got.status.RunSeconds != lost-1 || got.status.Cost == nil || got.status.Cost.Amount != "0.600000" {
		t.Errorf("%s, ran %d s at the cost of %+v; want 600 s, and that it goes on", describe(got), got.status.RunSeconds, got.status.Cost)
	}
	if end := got.status.Attempts[0].FinishTime; !end.Time.Equal(at(lost).Time) {
		t.Errorf("the attempt ended at %s, want when its node was given up", end)
	}
}

// An attempt that never ran ends when its pods are gone, though the job has not been ready since it was submitted.
func TestALostNodeOfAnAttemptThatNeverRan(t *testing.T) {
	job := reserved(retries(platformv1.RestartOnFailure, 0), ending(platformv1.JobReasonNodeLost))
	workload.SetConditions(&job.Status, 1, at(-100).Time)
	got := decide(facts{job: job, now: at(900).Time})
	if end := got.status.Attempts[0].FinishTime; !end.Time.Equal(at(900).Time) {
		t.Errorf("the attempt ended at %s", end)
	}
}

// The history may look at a job only after its end: until then the object itself keeps where it ran and what it held.
func TestPlacementOutlivesTheReservation(t *testing.T) {
	job := running(func(j *platformv1.Job) { j.Status.Reservation.Replica.GPUModel = "A100" })
	want := job.Status.Reservation.DeepCopy()
	tests := map[string][]*corev1.Pod{
		"ended":                {ended(0, 0, "Completed", "")},
		"its pod was removed":  nil,
		"it ended with errors": {ended(0, 3, "Error", "")},
	}
	for name, pods := range tests {
		t.Run(name, func(t *testing.T) {
			got := decide(facts{job: job, pods: pods, now: t0.Add(12 * time.Second)})
			if got.status.Reservation != nil {
				t.Fatal("the reservation is still held")
			}
			placement := got.status.Placement()
			if placement.Node != "n1" || placement.Cluster != want.Cluster || placement.Pool != want.Pool ||
				placement.PricePerHour != want.PricePerHour || !equality.Semantic.DeepEqual(placement.Replica, &want.Replica) {
				t.Errorf("want the placement of %+v, got %+v", want, placement)
			}
		})
	}
}

func TestAContainerThatNeverStartedDidNotRun(t *testing.T) {
	never := ended(0, 128, "StartError", "not found")
	never.Status.ContainerStatuses[0].State.Terminated.StartedAt = metav1.Unix(0, 0)
	got := decide(facts{job: reserved(), pods: []*corev1.Pod{never}, now: t0.Add(12 * time.Second)})
	if got.status.StartTime != nil || got.status.RunSeconds != 0 || got.status.Cost != nil {
		t.Errorf("started %v, ran %d s, cost %v", got.status.StartTime, got.status.RunSeconds, got.status.Cost)
	}
}

// A job that has to give way goes back to its place, at no cost; what was asked of it meanwhile is done next.
func TestGivingWay(t *testing.T) {
	displaced := func(j *platformv1.Job) {
		since := at(-90)
		j.Status.Reservation.DisplacedFor, j.Status.Reservation.QueuedSince = "vision/other", &since
		j.Status.Reservation.Ending = platformv1.JobReasonPreempted
	}
	got := decide(facts{job: running(displaced), pods: []*corev1.Pod{runs(0)}, now: at(50).Time})
	if describe(got) != "Running/Creating held kill=1" {
		t.Errorf("while its pod ends: %s", describe(got))
	}
	got = decide(facts{job: running(displaced, timeout(60)), pods: []*corev1.Pod{ended(0, 137, "Error", "")}, now: at(50).Time})
	queue := got.status.Queue
	if describe(got) != "Pending/Preempted" || queue == nil || !queue.Since.Time.Equal(at(-90).Time) || !queue.Displaced.Time.Equal(at(50).Time) {
		t.Errorf("when its pod has ended: %s, %+v", describe(got), queue)
	}
	if got.status.Retries != 0 || got.status.RetryTime != nil || len(got.status.Attempts) != 1 {
		t.Errorf("it costs retries: %+v", got.status)
	}
	again := waiting(timeout(60), func(j *platformv1.Job) { j.Status = got.status })
	if next := decide(facts{job: again, now: at(60).Time}); next.again != 50*time.Second {
		t.Errorf("its time to start again is over in %s, want 50 s", next.again)
	}
}

// Nothing is owed to a job whose turn was over: it waits anew, since it was told so.
func TestWhoseTurnWasOver(t *testing.T) {
	for name, told := range map[string]int{"a turn": 40, "another one needs its place": -90} {
		since := at(told)
		job := running(ending(platformv1.JobReasonPreempted), func(j *platformv1.Job) {
			j.Status.Reservation.QueuedSince, j.Status.Reservation.DisplacedFor = &since, "vision/other"
		})
		got := decide(facts{job: job, pods: []*corev1.Pod{ended(0, 137, "Error", "")}, now: at(50).Time})
		queue := got.status.Queue
		if describe(got) != "Pending/Preempted" || queue == nil || !queue.Since.Time.Equal(since.Time) || (queue.Displaced == nil) != (told > 0) {
			t.Errorf("%s: %s, its place is %+v", name, describe(got), queue)
		}
	}
}

// A job whose time is not now goes back to its place as one that gave way does; one that must not go on at all is over.
func TestWithdrawn(t *testing.T) {
	tests := map[platformv1.JobReason]string{
		platformv1.JobReasonBudgetExhausted: "Pending/BudgetExhausted", platformv1.JobReasonEnergyWindow: "Pending/EnergyWindow",
		platformv1.JobReasonQuotaExhausted: "Cancelled/QuotaExhausted",
	}
	for reason, want := range tests {
		since := at(-90)
		job := running(ending(reason), retries(platformv1.RestartAlways, 3), func(j *platformv1.Job) { j.Status.Reservation.QueuedSince = &since })
		got := decide(facts{job: job, pods: []*corev1.Pod{ended(0, 137, "Error", "")}, now: at(50).Time})
		if describe(got) != want || got.status.Retries != 0 || got.status.RetryTime != nil {
			t.Errorf("%s: %s, %+v", reason, describe(got), got.status)
		}
		if queue := got.status.Queue; got.status.Phase == platformv1.JobPending && (queue == nil || !queue.Since.Time.Equal(since.Time)) {
			t.Errorf("%s: its place is %+v", reason, queue)
		}
		if last := got.status.Attempts[0]; last.Reason != reason || last.Quota != "vision" {
			t.Errorf("%s: the attempt is %+v", reason, last)
		}
	}
}
