package accounting

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// maxUncounted is how many currencies are named that do not count.
const maxUncounted = 4

// Window is the period in which a time lies: from one midnight in UTC to another. A week begins on Monday.
func Window(period v1alpha1.BudgetPeriod, at time.Time) (start, end time.Time) {
	day := midnight(at)
	switch period {
	case v1alpha1.BudgetDay:
		return day, day.AddDate(0, 0, 1)
	case v1alpha1.BudgetWeek:
		start = day.AddDate(0, 0, -(int(day.Weekday())+6)%7)
		return start, start.AddDate(0, 0, 7)
	default:
		start = day.AddDate(0, 0, 1-day.Day())
		return start, start.AddDate(0, 1, 0)
	}
}

// Runner is a job that runs and uses something as long as it does.
type Runner struct {
	// GPUs and PerHour are those of all replicas together.
	GPUs     int64
	PerHour  v1alpha1.Price
	Currency string
	// Until is when its life span ends; zero where it has none.
	Until time.Time
}

// RunnerOf is a job that runs as one that uses something; nil where it does not run.
func RunnerOf(job *v1alpha1.Job) *Runner {
	held := job.Status.Reservation
	if held == nil || held.StartTime == nil {
		return nil
	}
	r := &Runner{GPUs: Held(held).GPUs, PerHour: held.PricePerHour, Currency: held.Currency}
	if span := job.Spec.LifeSpanSeconds; span != nil {
		r.Until = second(held.StartTime.Time).Add(time.Duration(*span-job.Status.RunSeconds) * time.Second)
	}
	return r
}

// LimitOf is what a budget grants, and in which unit.
func LimitOf(b *v1alpha1.Budget) (limit v1alpha1.BudgetAmount, unit string) {
	if b.Money != nil {
		limit = inMillionths(millionths(string(b.Money.Amount)))
		return v1alpha1.BudgetAmount(strings.TrimRight(strings.TrimRight(string(limit), "0"), ".")), b.Money.Currency
	}
	hours := big.NewInt(0)
	if b.GPUHours != nil {
		hours.SetInt64(*b.GPUHours)
	}
	return v1alpha1.BudgetAmount(hours.String()), v1alpha1.BudgetUnitGPUHours
}

// Known reports whether a status tells how the budget stands, and not how another one of its name stood, or this one at an earlier time.
func Known(b *v1alpha1.Budget, status *v1alpha1.BudgetStatus, now time.Time) bool {
	return Describes(status, b) && Current(status, now)
}

// Current reports whether a status can be of now: its period is not over, nor has the time come at which it will have to tell that all is
// used. After a while in which nobody looked, it may have.
func Current(status *v1alpha1.BudgetStatus, now time.Time) bool {
	expected := status.ExpectedExhaustion
	return now.Before(status.WindowEnd.Time) && (expected == nil || now.Before(expected.Time))
}

// Describes reports whether a status is of this budget as it is now.
func Describes(status *v1alpha1.BudgetStatus, b *v1alpha1.Budget) bool {
	limit, unit := LimitOf(b)
	return status.Name == b.Name && status.Period == b.Period && status.Limit == limit && status.Unit == unit
}

// Hinders is why no job starts under a quota by a budget of it now: it is used up, or it is not known how it stands, which takes a moment
// where it is new, or was just renewed. It is empty where jobs may start. status is nil where there is none.
func Hinders(quota string, b *v1alpha1.Budget, status *v1alpha1.BudgetStatus, now time.Time) string {
	known := status != nil && Known(b, status, now)
	if b.Action == v1alpha1.BudgetNotify || known && status.ExhaustedTime == nil {
		return ""
	}
	if !known {
		return fmt.Sprintf("how much of %s is used is not known yet", InWords(quota, b))
	}
	return fmt.Sprintf("%s is used up; it is renewed %s", InWords(quota, b), Moment(status.WindowEnd.Time))
}

// InWords names a budget of a quota for a person.
func InWords(quota string, b *v1alpha1.Budget) string {
	limit, unit := LimitOf(b)
	return fmt.Sprintf("quota %s's budget %q of %s %s", quota, b.Name, limit, unit)
}

// StatusOf is the status of the budget of a name; nil where there is none.
func StatusOf(all []v1alpha1.BudgetStatus, name string) *v1alpha1.BudgetStatus {
	for i := range all {
		if all[i].Name == name {
			return &all[i]
		}
	}
	return nil
}

// Assess says how a budget stands: by what was used in the present period, by what runs, and by how it stood before. What was
// reached stays reached for the rest of the period, unless the budget is changed. Next is when it stands differently if nothing
// happens.
func Assess(b *v1alpha1.Budget, before *v1alpha1.BudgetStatus, used Usage, runners []Runner, now time.Time) (status v1alpha1.BudgetStatus, next time.Time) {
	now = second(now)
	start, end := Window(b.Period, now)
	limit, unit := LimitOf(b)
	status = v1alpha1.BudgetStatus{
		Name: b.Name, Period: b.Period, Limit: limit, Unit: unit, WindowStart: metav1.NewTime(start), WindowEnd: metav1.NewTime(end),
	}
	if before != nil && before.WindowStart.Equal(&status.WindowStart) && Describes(before, b) {
		status.Warned, status.ExhaustedTime = before.Warned, before.ExhaustedTime
	}
	course := newCourse(unit, used, runners, now, end)
	target := hours(limit)
	status.Used, status.Forecast = inHours(course.used), inHours(course.at(end))
	next = end
	if status.ExhaustedTime == nil {
		switch when := course.reaches(target); {
		case when.IsZero():
		case when.After(now):
			expected := metav1.NewTime(when)
			status.ExpectedExhaustion, next = &expected, when
		default:
			exhausted := metav1.NewTime(now)
			status.ExhaustedTime = &exhausted
		}
	}
	for _, percent := range b.Warnings {
		if percent <= status.Warned {
			continue
		}
		part := new(big.Rat).Mul(target, big.NewRat(int64(percent), 100))
		switch when := course.reaches(part); {
		case when.IsZero():
		case when.After(now):
			if when.Before(next) {
				next = when
			}
		default:
			status.Warned = percent
		}
	}
	if b.Money != nil {
		status.Uncounted = uncounted(used, unit)
	}
	return status, next
}

// uncounted are the currencies other than the budget's own in which something was used.
func uncounted(used Usage, unit string) []string {
	var others []string
	for currency := range used.PriceSeconds {
		if currency != unit {
			others = append(others, currency)
		}
	}
	slices.Sort(others)
	return others[:min(len(others), maxUncounted)]
}

// course is how what a budget counts grows: by so much each second until runners end. It is in GPU-seconds, or in price per hour
// times seconds.
type course struct {
	from, end time.Time
	used      *big.Rat
	runners   []flow
}

// flow is what one runner adds each second until it ends.
type flow struct {
	rate  *big.Rat
	until time.Time
}

func newCourse(unit string, used Usage, runners []Runner, now, end time.Time) course {
	c := course{from: now, end: end, used: new(big.Rat)}
	if unit == v1alpha1.BudgetUnitGPUHours {
		c.used.SetInt64(used.GPUSeconds)
	} else if amount := used.PriceSeconds[unit]; amount != nil {
		c.used.SetFrac(amount, big.NewInt(million))
	}
	for i := range runners {
		r := &runners[i]
		f := flow{rate: new(big.Rat), until: end}
		switch {
		case unit == v1alpha1.BudgetUnitGPUHours:
			f.rate.SetInt64(r.GPUs)
		case r.Currency == unit:
			f.rate = parse(r.PerHour)
		}
		if !r.Until.IsZero() && r.Until.Before(end) {
			f.until = r.Until
		}
		if f.rate.Sign() > 0 && f.until.After(now) {
			c.runners = append(c.runners, f)
		}
	}
	slices.SortFunc(c.runners, func(a, b flow) int { return a.until.Compare(b.until) })
	return c
}

// at is what will have been used by then.
func (c *course) at(when time.Time) *big.Rat {
	sum := new(big.Rat).Set(c.used)
	for _, f := range c.runners {
		until := f.until
		if when.Before(until) {
			until = when
		}
		sum.Add(sum, new(big.Rat).Mul(f.rate, seconds(c.from, until)))
	}
	return sum
}

// reaches is the first second at which so much has been used; zero where that is not within the period.
func (c *course) reaches(target *big.Rat) time.Time {
	sum, rate, at := new(big.Rat).Set(c.used), new(big.Rat), c.from
	if sum.Cmp(target) >= 0 {
		return c.from
	}
	for _, f := range c.runners {
		rate.Add(rate, f.rate)
	}
	for _, f := range c.runners {
		after := new(big.Rat).Add(sum, new(big.Rat).Mul(rate, seconds(at, f.until)))
		if after.Cmp(target) >= 0 {
			missing := new(big.Rat).Sub(target, sum)
			return at.Add(time.Duration(ceil(missing.Quo(missing, rate))) * time.Second)
		}
		sum, at = after, f.until
		rate.Sub(rate, f.rate)
	}
	return time.Time{}
}

func seconds(from, to time.Time) *big.Rat {
	return new(big.Rat).SetInt64(int64(to.Sub(from) / time.Second))
}

// ceil is the least whole number that is not below a positive one.
func ceil(r *big.Rat) int64 {
	whole, rest := new(big.Int).QuoRem(r.Num(), r.Denom(), new(big.Int))
	if rest.Sign() > 0 {
		return whole.Int64() + 1
	}
	return whole.Int64()
}

// hours are so many hours in seconds, be it of GPUs or of prices.
func hours(amount v1alpha1.BudgetAmount) *big.Rat {
	return new(big.Rat).Mul(parse(v1alpha1.Price(amount)), new(big.Rat).SetInt64(secondsPerHour))
}

// inHours writes such seconds as hours.
func inHours(seconds *big.Rat) v1alpha1.BudgetAmount {
	return v1alpha1.BudgetAmount(format(new(big.Rat).Quo(seconds, new(big.Rat).SetInt64(secondsPerHour))))
}

// Moment is when a budget is renewed, as people are told.
func Moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// Share is the part of a budget that is used, by its status: 1 where it is all of it.
func Share(status *v1alpha1.BudgetStatus) float64 {
	limit := parse(v1alpha1.Price(status.Limit))
	if limit.Sign() == 0 {
		return 0
	}
	share, _ := new(big.Rat).Quo(parse(v1alpha1.Price(status.Used)), limit).Float64()
	return share
}
