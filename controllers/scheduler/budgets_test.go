package scheduler

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

var (
	midday   = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	midnight = midday.Add(12 * time.Hour)
)

// budgeted is a quota with a daily budget of 10 GPU-hours, of which the status tells.
func budgeted(name, parent string, action platformv1.BudgetAction, exhausted bool) *platformv1.Quota {
	hours := int64(10)
	q := &platformv1.Quota{ObjectMeta: metav1.ObjectMeta{Name: name}}
	q.Spec.Parent = parent
	q.Spec.Budgets = []platformv1.Budget{{Name: "daily", Period: platformv1.BudgetDay, GPUHours: &hours, Action: action}}
	q.Status.Budgets = []platformv1.BudgetStatus{{
		Name: "daily", Period: platformv1.BudgetDay, Limit: "10", Unit: platformv1.BudgetUnitGPUHours, WindowEnd: metav1.NewTime(midnight),
	}}
	if exhausted {
		q.Status.Budgets[0].ExhaustedTime = &metav1.Time{Time: midday}
	}
	return q
}

func worldOf(quotas ...*platformv1.Quota) *world {
	w := &world{quotas: map[string]*platformv1.Quota{}}
	for _, q := range quotas {
		w.quotas[q.Name] = q
	}
	w.gatherBudgets()
	return w
}

func holder(uid, quota, ending string) *platformv1.Job {
	job := &platformv1.Job{ObjectMeta: metav1.ObjectMeta{UID: types.UID(uid)}}
	job.Status.Reservation = &platformv1.Reservation{Quota: quota, Ending: platformv1.JobReason(ending)}
	return job
}

func TestBudgets(t *testing.T) {
	plain := func(name, parent string) *platformv1.Quota {
		return &platformv1.Quota{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: platformv1.QuotaSpec{Parent: parent}}
	}
	unknown := func(change func(*platformv1.BudgetStatus)) *platformv1.Quota {
		q := budgeted("team", "", platformv1.BudgetCancel, true)
		change(&q.Status.Budgets[0])
		return q
	}
	tests := map[string]struct {
		world *world
		now   time.Time
		// waits is what a job under the quota team is told that waits, ends what one that runs is ended for.
		waits, ends string
	}{
		"none":                         {world: worldOf(plain("team", ""))},
		"some is left":                 {world: worldOf(budgeted("team", "", platformv1.BudgetCancel, false))},
		"used up, and only told":       {world: worldOf(budgeted("team", "", platformv1.BudgetNotify, true))},
		"used up, nothing starts":      {world: worldOf(budgeted("team", "", platformv1.BudgetStartNothing, true)), waits: "renewed 2026-11-29 00:00 UTC"},
		"used up, what runs waits":     {world: worldOf(budgeted("team", "", platformv1.BudgetSuspend, true)), waits: "is used up", ends: "BudgetExhausted"},
		"used up, what runs is over":   {world: worldOf(budgeted("team", "", platformv1.BudgetCancel, true)), waits: "is used up", ends: "QuotaExhausted"},
		"above":                        {world: worldOf(plain("team", "root"), budgeted("root", "", platformv1.BudgetSuspend, true)), waits: "quota root's budget", ends: "BudgetExhausted"},
		"both, the harder counts":      {world: worldOf(budgeted("team", "root", platformv1.BudgetSuspend, true), budgeted("root", "", platformv1.BudgetCancel, true)), waits: "quota team's", ends: "QuotaExhausted"},
		"below":                        {world: worldOf(plain("team", ""), budgeted("below", "team", platformv1.BudgetCancel, true))},
		"in a circle":                  {world: worldOf(plain("team", "root"), plain("root", "team"))},
		"renewed, and not known yet":   {world: worldOf(budgeted("team", "", platformv1.BudgetCancel, true)), now: midnight, waits: "not known yet"},
		"until the last second":        {world: worldOf(budgeted("team", "", platformv1.BudgetCancel, true)), now: midnight.Add(-time.Second), waits: "used up", ends: "QuotaExhausted"},
		"would be used up by now":      {world: worldOf(unknown(func(s *platformv1.BudgetStatus) { s.ExhaustedTime, s.ExpectedExhaustion = nil, s.ExhaustedTime })), waits: "not known yet"},
		"would be used up in a second": {world: worldOf(unknown(func(s *platformv1.BudgetStatus) { s.ExhaustedTime, s.ExpectedExhaustion = nil, s.ExhaustedTime })), now: midday.Add(-time.Second)},
		"new":                          {world: worldOf(unknown(func(s *platformv1.BudgetStatus) { s.Name = "other" })), waits: "not known yet"},
		"raised, and not known yet":    {world: worldOf(unknown(func(s *platformv1.BudgetStatus) { s.Limit = "5" })), waits: "not known yet"},
		"of another period until then": {world: worldOf(unknown(func(s *platformv1.BudgetStatus) { s.Period = platformv1.BudgetWeek })), waits: "not known yet"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			now := tc.now
			if now.IsZero() {
				now = midday
			}
			refusal := tc.world.unpaid("team", nil, now).refusal
			if (refusal == nil) != (tc.waits == "") || refusal != nil && !strings.Contains(refusal.Message, tc.waits) {
				t.Errorf("a job that waits is told %+v, want %q", refusal, tc.waits)
			}
			got := ""
			for _, w := range withdrawals(map[string]*platformv1.Job{"a": holder("a", "team", "")}, tc.world, now) {
				got = string(w.Reason)
			}
			if got != tc.ends {
				t.Errorf("a job that runs is ended for %q, want %q", got, tc.ends)
			}
		})
	}
}

func TestWithdrawalsAreInOrderAndOnce(t *testing.T) {
	w := worldOf(budgeted("team", "", platformv1.BudgetCancel, true))
	running := map[string]*platformv1.Job{"gone": {}}
	for i, ending := range []string{"", "Preempted", "", "QuotaExhausted", ""} {
		uid := fmt.Sprint(9 - i)
		running[uid] = holder(uid, "team", ending)
	}
	running["other"] = holder("other", "other", "")
	var got []string
	for _, withdrawn := range withdrawals(running, w, midday) {
		got = append(got, string(withdrawn.job.UID))
	}
	if fmt.Sprint(got) != "[5 7 9]" {
		t.Errorf("withdrawn are %v", got)
	}
}

func TestRenewal(t *testing.T) {
	week := budgeted("week", "", platformv1.BudgetSuspend, true)
	week.Status.Budgets[0].WindowEnd = metav1.NewTime(midnight.Add(24 * time.Hour))
	told := budgeted("told", "", platformv1.BudgetNotify, true)
	told.Status.Budgets[0].WindowEnd = metav1.NewTime(midday.Add(time.Minute))
	w := worldOf(week, told, budgeted("day", "", platformv1.BudgetSuspend, true))
	for now, want := range map[time.Time]time.Duration{midday: 12 * time.Hour, midnight: 24 * time.Hour, midnight.Add(24 * time.Hour): 0} {
		if got := w.renewal(now); got != want {
			t.Errorf("at %s it is looked at again in %s, want %s", now, got, want)
		}
	}
}

// Only what decides on starts and ends asks for a round.
func TestNewsOfBudgets(t *testing.T) {
	tests := map[string]struct {
		change func(*platformv1.Quota)
		want   bool
	}{
		"what is used":     {func(q *platformv1.Quota) { q.Status.Budgets[0].Used = "5.000000"; q.Status.Budgets[0].Warned = 50 }, false},
		"all is used":      {func(q *platformv1.Quota) { q.Status.Budgets[0].ExhaustedTime = &metav1.Time{Time: midday} }, true},
		"it is used later": {func(q *platformv1.Quota) { q.Status.Budgets[0].ExpectedExhaustion = &metav1.Time{Time: midday} }, true},
		"it is renewed":    {func(q *platformv1.Quota) { q.Status.Budgets[0].WindowEnd = metav1.NewTime(midday) }, true},
		"it is not known":  {func(q *platformv1.Quota) { q.Status.Budgets = nil }, true},
		"there is none":    {func(q *platformv1.Quota) { q.Spec.Budgets = nil }, true},
		"it is only told":  {func(q *platformv1.Quota) { q.Spec.Budgets[0].Action = platformv1.BudgetNotify }, true},
		"something else":   {func(q *platformv1.Quota) { q.Status.WaitingJobs = 7 }, false},
		"what was settled": {func(q *platformv1.Quota) { q.Status.Settling = []types.UID{"a"} }, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			before, after := budgeted("team", "", platformv1.BudgetSuspend, false), budgeted("team", "", platformv1.BudgetSuspend, false)
			tc.change(after)
			if got := budgetsChanged(event.UpdateEvent{ObjectOld: before, ObjectNew: after}); got != tc.want {
				t.Errorf("it is news: %t", got)
			}
		})
	}
}
