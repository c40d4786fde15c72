package accounting

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// moment reads a time of November 2026: day, hour, minute, second.
func moment(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse("2006-01-02 15:04:05", "2026-11-"+text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func when(at time.Time) *metav1.Time { return &metav1.Time{Time: at} }

// attempt ran under the quota team on 2 GPUs, at 3.6 EUR an hour.
func attempt(from, to time.Time) v1alpha1.Attempt {
	return v1alpha1.Attempt{
		Quota: "team", StartTime: when(from), FinishTime: when(to), PricePerHour: "3.600000", Currency: "EUR",
		Replica: &v1alpha1.ReplicaResources{GPUs: 2},
	}
}

// told are days in words.
func told(days []v1alpha1.DayUsage) string {
	var words []string
	for _, day := range days {
		text := fmt.Sprintf("%s: %d", strings.TrimPrefix(day.Date, "2026-11-"), day.GPUSeconds)
		for _, c := range day.Costs {
			text += fmt.Sprintf(" %s %s", c.PriceSeconds, c.Currency)
		}
		words = append(words, text)
	}
	return strings.Join(words, ", ")
}

func TestDaysOf(t *testing.T) {
	now := moment(t, "28 12:00:00")
	job := func(change func(*v1alpha1.Job)) *v1alpha1.Job {
		j := &v1alpha1.Job{}
		change(j)
		return j
	}
	ran := func(from, to string) func(*v1alpha1.Job) {
		return func(j *v1alpha1.Job) {
			j.Status.Attempts = append(j.Status.Attempts, attempt(moment(t, from), moment(t, to)))
		}
	}
	replicas := int32(3)
	tests := map[string]struct {
		job  *v1alpha1.Job
		want string
	}{
		"nothing":         {job(func(*v1alpha1.Job) {}), ""},
		"within a day":    {job(ran("27 10:00:00", "27 11:00:00")), "27: 7200 12960.000000 EUR"},
		"over a midnight": {job(ran("26 23:59:50", "27 00:00:20")), "26: 20 36.000000 EUR, 27: 40 72.000000 EUR"},
		"over several days": {job(ran("25 23:00:00", "28 01:00:00")),
			"25: 7200 12960.000000 EUR, 26: 172800 311040.000000 EUR, 27: 172800 311040.000000 EUR, 28: 7200 12960.000000 EUR"},
		"until midnight":     {job(ran("26 23:00:00", "27 00:00:00")), "26: 7200 12960.000000 EUR"},
		"less than a second": {job(ran("27 10:00:00", "27 10:00:00")), "27: 2 3.600000 EUR"},
		"by replicas":        {job(func(j *v1alpha1.Job) { ran("27 10:00:00", "27 10:00:01")(j); j.Spec.Replicas = &replicas }), "27: 6 3.600000 EUR"},
		"never ran": {job(func(j *v1alpha1.Job) {
			ran("27 10:00:00", "27 10:00:01")(j)
			j.Status.Attempts[0].StartTime = nil
		}), ""},
		"under another quota": {job(func(j *v1alpha1.Job) {
			ran("27 10:00:00", "27 10:00:01")(j)
			j.Status.Attempts[0].Quota = "other"
		}), ""},
		"while it runs": {job(func(j *v1alpha1.Job) {
			j.Status.Reservation = &v1alpha1.Reservation{
				Quota: "team", StartTime: when(moment(t, "28 11:59:00")), Replica: v1alpha1.ReplicaResources{GPUs: 1},
				Nodes: []v1alpha1.NodeShare{{Replicas: 2}},
			}
		}), "28: 120"},
		"before it runs": {job(func(j *v1alpha1.Job) {
			j.Status.Reservation = &v1alpha1.Reservation{Quota: "team", Nodes: []v1alpha1.NodeShare{{Replicas: 1}}, Replica: v1alpha1.ReplicaResources{GPUs: 1}}
		}), ""},
		"in the currency that each was priced in": {job(func(j *v1alpha1.Job) {
			ran("27 10:00:00", "27 10:00:01")(j)
			ran("27 11:00:00", "27 11:00:01")(j)
			j.Status.Attempts[0].Currency = "CHF"
			j.Status.Cost = &v1alpha1.Cost{Amount: "1", Currency: "USD"}
		}), "27: 4 3.600000 CHF 3.600000 EUR"},
		"earlier": {job(func(j *v1alpha1.Job) {
			ran("27 10:00:00", "27 10:00:01")(j)
			j.Status.Earlier = []v1alpha1.EarlierUsage{
				{Quota: "team", DayUsage: v1alpha1.DayUsage{Date: "2026-11-20", GPUSeconds: 7}}, {Quota: "other", DayUsage: v1alpha1.DayUsage{Date: "2026-11-21", GPUSeconds: 9}},
			}
		}), "20: 7, 27: 2 3.600000 EUR"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := told(Merge(nil, DaysOf(tc.job, "team", now), now)); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if (len(Quotas(tc.job)) > 0) != (tc.want != "" || name == "under another quota") {
				t.Errorf("quotas are %v", Quotas(tc.job))
			}
		})
	}
}

func TestMerge(t *testing.T) {
	now := moment(t, "28 12:00:00")
	days := []v1alpha1.DayUsage{
		{Date: "2026-11-27", GPUSeconds: 1, Costs: []v1alpha1.PriceSeconds{{Currency: "EUR", PriceSeconds: "0.000001"}}}, {Date: "2026-10-19", GPUSeconds: 5},
	}
	more := []v1alpha1.DayUsage{
		{Date: "2026-11-27", GPUSeconds: 2, Costs: []v1alpha1.PriceSeconds{{Currency: "EUR", PriceSeconds: "999999999999.999999"}, {Currency: "CHF", PriceSeconds: "1"}}},
		{Date: "2026-10-20", GPUSeconds: 4},
	}
	got := Merge(days, more, now)
	if want := "2026-10-20: 4, 27: 3 1.000000 CHF 1000000000000.000000 EUR"; told(got) != want {
		t.Errorf("got %q, want %q", told(got), want)
	}
	sum := Between(got, moment(t, "01 00:00:00"), moment(t, "28 00:00:00"))
	if sum.GPUSeconds != 3 || sum.PriceSeconds["EUR"].String() != "1000000000000000000" {
		t.Errorf("in November: %+v", sum)
	}
	if none := Between(got, moment(t, "28 00:00:00"), moment(t, "29 00:00:00")); !none.none() {
		t.Errorf("on the 28th: %+v", none)
	}
}

// What attempts used is the same whether the status shows them or not.
func TestForget(t *testing.T) {
	now := moment(t, "28 12:00:00")
	shown, hidden := &v1alpha1.Job{}, &v1alpha1.Job{}
	for i := range 30 {
		a := attempt(now.Add(time.Duration(i-40)*7*time.Hour), now.Add(time.Duration(i-39)*7*time.Hour))
		a.Quota, a.Currency = []string{"team", "other"}[i%2], []string{"EUR", "EUR", "USD"}[i%3]
		shown.Status.Attempts = append(shown.Status.Attempts, a)
		hidden.Status.Earlier = Forget(hidden.Status.Earlier, &a, 1, now)
	}
	for _, quota := range []string{"team", "other"} {
		if a, b := told(Merge(nil, DaysOf(shown, quota, now), now)), told(Merge(nil, DaysOf(hidden, quota, now), now)); a != b || a == "" {
			t.Errorf("shown %q, hidden %q", a, b)
		}
	}
	for i := range 200 {
		a := attempt(now, now.Add(time.Hour))
		a.Quota = fmt.Sprint("team", i)
		hidden.Status.Earlier = Forget(hidden.Status.Earlier, &a, 1, now)
	}
	if n := len(hidden.Status.Earlier); n != maxEarlier {
		t.Errorf("%d entries, want %d", n, maxEarlier)
	}
}

func TestFinal(t *testing.T) {
	job := &v1alpha1.Job{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &metav1.Time{}}, Status: v1alpha1.JobStatus{Phase: v1alpha1.JobFailed}}
	if !Final(job) {
		t.Error("a job that ended and is deleted is not final")
	}
	for name, change := range map[string]func(*v1alpha1.Job){
		"kept": func(j *v1alpha1.Job) { j.DeletionTimestamp = nil }, "running": func(j *v1alpha1.Job) { j.Status.Phase = v1alpha1.JobRunning },
		"held": func(j *v1alpha1.Job) { j.Status.Reservation = &v1alpha1.Reservation{} },
	} {
		other := job.DeepCopy()
		if change(other); Final(other) {
			t.Errorf("a job that is %s is final", name)
		}
	}
}
