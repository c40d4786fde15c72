package job

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// A job whose energy window is over goes back to its place, at no cost, with what it drew and caused until then.
func TestAnEnergyWindowIsOver(t *testing.T) {
	since := at(-90)
	job := running(retries(platformv1.RestartNever, 0), ending(platformv1.JobReasonEnergyWindow), func(j *platformv1.Job) {
		r := j.Status.Reservation
		r.EndingMessage, r.QueuedSince = "it is closed", &since
		r.Energy = &platformv1.AttemptEnergy{Schedule: "night", Watts: 3600, PricePerKWh: "0.20", CO2GramsPerKWh: new(int32(500))}
		j.Status.Energy = &platformv1.JobEnergy{WattHours: "2.000000", CO2Grams: "1.000000"}
	})
	if got := describe(decide(facts{job: job, pods: []*corev1.Pod{runs(0)}, now: at(50).Time})); got != "Running/Creating held kill=1" {
		t.Errorf("while its pod ends: %s", got)
	}
	got := decide(facts{job: job, pods: []*corev1.Pod{ended(0, 143, "Error", "")}, now: at(50).Time})
	status := got.status
	if describe(got) != "Pending/EnergyWindow" || status.Message != "it is closed" || !status.Queue.Since.Equal(&since) ||
		!status.Queue.Displaced.Equal(new(metav1.NewTime(at(50).Time))) {
		t.Errorf("when its pod has ended: %s, %q, %+v", describe(got), status.Message, status.Queue)
	}
	if status.Retries != 0 || len(status.Failures) != 0 || status.RetryTime != nil {
		t.Errorf("it costs retries: %+v", status)
	}
	if e := status.Energy; e == nil || *e != (platformv1.JobEnergy{WattHours: "12.000000", CO2Grams: "6.000000"}) {
		t.Errorf("it drew %+v", e)
	}
	attempt := status.Attempts[0]
	if attempt.Reason != platformv1.JobReasonEnergyWindow || attempt.Energy == nil || attempt.Energy.Schedule != "night" {
		t.Errorf("the attempt is told as %+v", attempt)
	}
}

// What was done before it was told to end is not done again; what ended well because it was told to has not been done.
func TestDoneAsItHasToEnd(t *testing.T) {
	done := func(change ...func(*corev1.Pod)) *corev1.Pod {
		return pod(0, corev1.PodSucceeded, ended(0, 0, "", "").Status.ContainerStatuses[0].State, change...)
	}
	displaced := func(j *platformv1.Job) { j.Status.Reservation.DisplacedFor = "vision/other" }
	tests := map[string]struct {
		job  *platformv1.Job
		pods []*corev1.Pod
		want string
	}{
		"done":                       {running(ending(platformv1.JobReasonEnergyWindow)), []*corev1.Pod{done()}, "Succeeded/Completed"},
		"done, for another":          {running(ending(platformv1.JobReasonPreempted), displaced), []*corev1.Pod{done()}, "Succeeded/Completed"},
		"told to end, and it did":    {running(ending(platformv1.JobReasonEnergyWindow)), []*corev1.Pod{done(takenAway(""))}, "Pending/EnergyWindow"},
		"done by one of two":         {running(gang(2), ending(platformv1.JobReasonEnergyWindow)), []*corev1.Pod{done(), ended(1, 143, "Error", "")}, "Pending/EnergyWindow"},
		"done, as it is suspended":   {running(ending(platformv1.JobReasonSuspended)), []*corev1.Pod{done()}, "Succeeded/Completed"},
		"done, as the budget ends":   {running(ending(platformv1.JobReasonQuotaExhausted)), []*corev1.Pod{done()}, "Succeeded/Completed"},
		"over budget for ever":       {running(ending(platformv1.JobReasonQuotaExhausted), retries(platformv1.RestartAlways, 0)), []*corev1.Pod{done()}, "Cancelled/QuotaExhausted"},
		"suspended for ever":         {running(ending(platformv1.JobReasonSuspended), retries(platformv1.RestartAlways, 0)), []*corev1.Pod{done()}, "Suspended/Suspended"},
		"done, as its life ends":     {running(ending(platformv1.JobReasonLifeSpanEnded), lifeSpan(11)), []*corev1.Pod{done()}, "Succeeded/Completed"},
		"done, and its life ended":   {running(ending(platformv1.JobReasonLifeSpanEnded), lifeSpan(10), retries(platformv1.RestartAlways, 0)), []*corev1.Pod{done()}, "Succeeded/Completed"},
		"done, as its start is late": {reserved(ending(platformv1.JobReasonScheduleTimeout)), []*corev1.Pod{done()}, "Succeeded/Completed"},
		"suspended, and it ends":     {running(ending(platformv1.JobReasonSuspended)), []*corev1.Pod{done(takenAway(""))}, "Suspended/Suspended"},
		"over budget, and it ends":   {running(ending(platformv1.JobReasonQuotaExhausted)), []*corev1.Pod{done(takenAway(""))}, "Cancelled/QuotaExhausted"},
		"suspended, one of two done": {running(gang(2), ending(platformv1.JobReasonSuspended)), []*corev1.Pod{done(), ended(1, 143, "Error", "")}, "Suspended/Suspended"},
		"done, and its project gone": {running(ending(platformv1.JobReasonProjectDeleted)), []*corev1.Pod{done()}, "Cancelled/ProjectDeleted"},
		"done, and cancelled before": {running(ending(platformv1.JobReasonUserRequested)), []*corev1.Pod{done()}, "Cancelled/UserRequested"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := describe(decide(facts{job: test.job, pods: test.pods, now: at(50).Time})); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
