package scheduler

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/scheduling"
)

// night is 22:00 of a Monday.
var night = time.Date(2026, 3, 2, 22, 0, 0, 0, time.UTC)

// withEnergy is a world with one cluster, whose energy schedule "night" is open from 22:00 to 06:00.
func withEnergy(zone string, now time.Time) *world {
	cluster := &platformv1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "local"}}
	cluster.Spec.Energy = &platformv1.Energy{TimeZone: zone, Schedules: []platformv1.EnergySchedule{
		{Name: "night", Periods: []platformv1.EnergyPeriod{{Start: "22:00", End: "06:00"}}},
		{Name: "always", Periods: []platformv1.EnergyPeriod{{Start: "00:00", End: "24:00"}}},
	}}
	w := &world{clusters: []*platformv1.Cluster{cluster}}
	w.windows = windowsOf(w.clusters, now)
	return w
}

// runningIn is a job that is bound to a schedule and runs on a cluster.
func runningIn(cluster, schedule string) *platformv1.Job {
	job := &platformv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "train", UID: "train"}}
	job.Spec.EnergySchedule = schedule
	job.Status.Reservation = &platformv1.Reservation{Cluster: cluster}
	return job
}

func TestEnergySchedulesDecideOnStartsAndEnds(t *testing.T) {
	closed := `energy schedule "night" of cluster "local" is closed until Mon 2026-03-02 22:00 UTC`
	tests := map[string]struct {
		zone, schedule string
		now            time.Time
		// waits is why a job that waits does not start, ends why one that runs makes a pause; empty where it does not.
		waits, ends string
	}{
		"bound to none":              {schedule: "", now: night.Add(-time.Hour)},
		"before the window":          {schedule: "night", now: night.Add(-time.Microsecond), waits: "EnergyWindow: " + closed, ends: "EnergyWindow: " + closed},
		"as the window begins":       {schedule: "night", now: night},
		"just before the window end": {schedule: "night", now: night.Add(8*time.Hour - time.Microsecond)},
		"as the window ends": {schedule: "night", now: night.Add(8 * time.Hour),
			waits: `EnergyWindow: energy schedule "night" of cluster "local" is closed until Tue 2026-03-03 22:00 UTC`,
			ends:  `EnergyWindow: energy schedule "night" of cluster "local" is closed until Tue 2026-03-03 22:00 UTC`},
		"always open":                         {schedule: "always", now: night.Add(-time.Hour)},
		"no such schedule: what runs goes on": {schedule: "noon", now: night, waits: `EnergyScheduleNotFound: cluster "local" has no energy schedule "noon"; it has: night, always`},
		"nobody knows: what runs goes on":     {zone: "Nowhere", schedule: "night", now: night, waits: "EnergyWindow: nobody can tell when"},
	}
	said := func(r *scheduling.Refusal) string {
		if r == nil {
			return ""
		}
		return string(r.Reason) + ": " + r.Message
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w, job := withEnergy(test.zone, test.now), runningIn("local", test.schedule)
			_, why := energySchedule(job, w.clusters[0])
			if why == nil {
				why = w.closed(job, w.clusters[0])
			}
			if got := said(why); !strings.HasPrefix(got, test.waits) || (got == "") != (test.waits == "") {
				t.Errorf("it waits, as %q, want %q", got, test.waits)
			}
			var got string
			for _, over := range withdrawals(map[string]*platformv1.Job{"train": job}, w, test.now) {
				got = said(&over.Refusal)
			}
			if got != test.ends {
				t.Errorf("it is ended, as %q, want %q", got, test.ends)
			}
		})
	}
}

func TestWhatIsNotThereEndsNothing(t *testing.T) {
	noon := night.Add(-10 * time.Hour)
	ending := runningIn("local", "night")
	ending.Status.Reservation.Ending = platformv1.JobReasonUserRequested
	for name, job := range map[string]*platformv1.Job{"on a cluster that is gone": runningIn("far", "night"), "that is being ended": ending} {
		if over := withdrawals(map[string]*platformv1.Job{"train": job}, withEnergy("", noon), noon); len(over) > 0 {
			t.Errorf("a job %s is ended, as %+v", name, over)
		}
	}
}

// The world changes with the time: when a schedule opens or closes it is read again, and everything judged anew.
func TestTimeChangesTheWorld(t *testing.T) {
	w := withEnergy("", night.Add(-time.Minute))
	if w.due(night.Add(-time.Microsecond)) || !w.due(night) {
		t.Error("the world is not due as the window begins")
	}
	if left := w.changes(night.Add(-time.Minute)); left != time.Minute {
		t.Errorf("it is looked at again after %s", left)
	}
	if left := w.changes(night); left != pause {
		t.Errorf("it is looked at again after %s, though it is late already", left)
	}
	if w.sum() == withEnergy("", night).sum() {
		t.Error("a window that begins changes nothing")
	}
	if w.sum() != withEnergy("", night.Add(-time.Hour)).sum() {
		t.Error("time in which nothing begins changes the world")
	}
	none := &world{}
	if none.due(night) || none.changes(night) != 0 || (*world)(nil).due(night) {
		t.Error("a world without schedules changes with the time")
	}
}

func TestAPauseIsNoGivingWay(t *testing.T) {
	displaced := metav1.NewTime(night.Add(-3 * time.Hour))
	ran := func(reason platformv1.JobReason) platformv1.Attempt {
		return platformv1.Attempt{Reason: reason, StartTime: &displaced, Node: "n1"}
	}
	gaveWay, pause, budget := ran(platformv1.JobReasonPreempted), ran(platformv1.JobReasonEnergyWindow), ran(platformv1.JobReasonBudgetExhausted)
	neverRan := platformv1.Attempt{Reason: platformv1.JobReasonContainerCreating}
	tests := map[string]struct {
		attempts []platformv1.Attempt
		ahead    bool
	}{
		"gave way":                          {[]platformv1.Attempt{gaveWay}, true},
		"gave way, and could not start":     {[]platformv1.Attempt{gaveWay, neverRan}, true},
		"made a pause":                      {[]platformv1.Attempt{gaveWay, pause}, false},
		"made a pause, and could not start": {[]platformv1.Attempt{pause, neverRan, neverRan}, false},
		"its budget is used up":             {[]platformv1.Attempt{budget}, false},
		"gave way after a pause":            {[]platformv1.Attempt{pause, gaveWay}, true},
		"its node was lost after a pause":   {[]platformv1.Attempt{pause, ran(platformv1.JobReasonNodeLost)}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			job := &platformv1.Job{}
			job.Status.Queue, job.Status.Attempts = &platformv1.QueueStatus{Displaced: &displaced}, test.attempts
			c := &candidate{job: job}
			(&world{}).setOverdue(c, night)
			if c.overdue != test.ahead {
				t.Errorf("it goes ahead of others: %t", c.overdue)
			}
		})
	}
	for _, attempt := range []platformv1.Attempt{gaveWay, pause, budget} {
		job := &platformv1.Job{}
		job.Status.Attempts = []platformv1.Attempt{attempt}
		if avoided := lately(job); avoided != "" {
			t.Errorf("after %s it avoids %q", attempt.Reason, avoided)
		}
	}
}

func TestAReservationTellsOfEnergy(t *testing.T) {
	w := withEnergy("", night)
	cluster := w.clusters[0]
	cluster.Spec.Prices = &platformv1.Prices{Currency: "EUR"}
	cluster.Spec.Energy.PricePerKWh, cluster.Spec.Energy.Schedules[0].PricePerKWh = "0.50", "0.20"
	cluster.Spec.Presets = []platformv1.Preset{{
		Name: "small", PricePerHour: "1", PowerWatts: 500, CPU: resource.MustParse("1"), Memory: resource.MustParse("1Gi"),
	}}
	c := &candidate{job: runningIn("", "night"), cluster: cluster, schedule: &cluster.Spec.Energy.Schedules[0]}
	c.job.Spec.Replicas, c.job.Status.Reservation = ptr.To[int32](3), nil
	status, err := reserve(c, &scheduling.Placement{Nodes: []scheduling.Share{{Node: "n", Replicas: 3}}}, night)
	if err != nil {
		t.Fatal(err)
	}
	got := status.Reservation
	if got.PricePerHour != "3.300000" || got.Energy == nil || *got.Energy != (platformv1.AttemptEnergy{Schedule: "night", Watts: 1500, PricePerKWh: "0.20"}) {
		t.Errorf("an hour costs %s, and it draws %+v", got.PricePerHour, got.Energy)
	}
}
