package accounting

import (
	"cmp"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/soma-platform/soma/api/v1alpha1"
)

const (
	// keptDays is how many days of usage are kept: more than the longest period of a budget has.
	keptDays = 40
	// maxCurrencies is how many currencies of a day are told apart, and how many others of a job.
	maxCurrencies = 4
	// maxEarlier bounds the entries of what attempts of a job used that its status does not show any more.
	maxEarlier = 96

	secondsPerHour = 3600
	million        = 1_000_000
)

// Usage is what was used in a stretch of time. It is exact. The zero value is nothing, ready for use.
type Usage struct {
	// GPUSeconds is the sum of seconds, each times the GPUs held.
	GPUSeconds int64
	// PriceSeconds are, by currency, the sums of seconds, each times the price per hour, in millionths: prices have no more than
	// six decimals.
	PriceSeconds map[string]*big.Int
}

// Add adds another usage.
func (u *Usage) Add(other Usage) {
	u.GPUSeconds += other.GPUSeconds
	for currency, amount := range other.PriceSeconds {
		u.price(currency, amount)
	}
}

func (u *Usage) price(currency string, amount *big.Int) {
	if amount.Sign() == 0 {
		return
	}
	if u.PriceSeconds == nil {
		u.PriceSeconds = map[string]*big.Int{}
	}
	if u.PriceSeconds[currency] == nil {
		u.PriceSeconds[currency] = new(big.Int)
	}
	u.PriceSeconds[currency].Add(u.PriceSeconds[currency], amount)
}

// none reports whether it is nothing.
func (u *Usage) none() bool { return u.GPUSeconds == 0 && len(u.PriceSeconds) == 0 }

// Stretch is a time through which an attempt of a job held something that budgets count.
type Stretch struct {
	// Quota that the attempt counts against.
	Quota string
	// From and To are whole seconds, in UTC.
	From, To time.Time
	// GPUs is the number of all replicas together.
	GPUs int64
	// PerHour is the price of all replicas together, empty where there is none.
	PerHour  v1alpha1.Price
	Currency string
}

// Within is what was used of it from one time to another, which are whole seconds.
func (s *Stretch) Within(from, to time.Time) Usage {
	if s.From.After(from) {
		from = s.From
	}
	if s.To.Before(to) {
		to = s.To
	}
	var u Usage
	seconds := int64(to.Sub(from) / time.Second)
	if seconds <= 0 {
		return u
	}
	u.GPUSeconds = s.GPUs * seconds
	if s.priced() {
		price := millionths(string(s.PerHour))
		u.price(s.Currency, price.Mul(price, big.NewInt(seconds)))
	}
	return u
}

func (s *Stretch) priced() bool { return s.PerHour != "" && s.Currency != "" }

// Stretches are when a job used what budgets count, as far as its status shows the attempts. A running attempt goes on until
// now. One that ran counts for a second at least.
func Stretches(job *v1alpha1.Job, now time.Time) []Stretch {
	var all []Stretch
	for i := range job.Status.Attempts {
		if s, ran := stretch(&job.Status.Attempts[i], job.Spec.ReplicaCount()); ran {
			all = append(all, s)
		}
	}
	if held := job.Status.Reservation; held != nil && held.StartTime != nil {
		s := Stretch{Quota: held.Quota, From: second(held.StartTime.Time), To: second(now), PerHour: held.PricePerHour, Currency: held.Currency}
		s.GPUs = Held(held).GPUs
		all = append(all, s)
	}
	return slices.DeleteFunc(all, func(s Stretch) bool { return s.GPUs == 0 && !s.priced() })
}

// stretch is when an attempt that has ended ran, and whether it did.
func stretch(a *v1alpha1.Attempt, replicas int32) (Stretch, bool) {
	if a.Quota == "" || a.StartTime == nil || a.FinishTime == nil {
		return Stretch{}, false
	}
	s := Stretch{Quota: a.Quota, From: second(a.StartTime.Time), To: second(a.FinishTime.Time), PerHour: a.PricePerHour, Currency: a.Currency}
	if !s.To.After(s.From) {
		s.To = s.From.Add(time.Second)
	}
	if a.Replica != nil {
		s.GPUs = int64(a.Replica.GPUs) * int64(replicas)
	}
	return s, true
}

func second(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// Quotas are those against which what the job used so far counts.
func Quotas(job *v1alpha1.Job) []string {
	used := map[string]bool{}
	for _, s := range Stretches(job, time.Time{}) {
		used[s.Quota] = true
	}
	for i := range job.Status.Earlier {
		used[job.Status.Earlier[i].Quota] = true
	}
	return slices.Sorted(maps.Keys(used))
}

// Final reports whether nothing that the job used changes any more, and the job is about to go.
func Final(job *v1alpha1.Job) bool {
	return job.DeletionTimestamp != nil && job.Status.Phase.Finished() && job.Status.Reservation == nil
}

// DaysOf is what a job used under a quota, day by day.
func DaysOf(job *v1alpha1.Job, quota string, now time.Time) []v1alpha1.DayUsage {
	var days []v1alpha1.DayUsage
	for i := range job.Status.Earlier {
		if e := &job.Status.Earlier[i]; e.Quota == quota {
			days = append(days, e.DayUsage)
		}
	}
	oldest := midnight(now).AddDate(0, 0, 1-keptDays)
	for _, s := range Stretches(job, now) {
		if s.Quota == quota {
			days = append(days, s.days(oldest)...)
		}
	}
	return days
}

// days splits a stretch at midnights. Days before the oldest are left out.
func (s *Stretch) days(oldest time.Time) []v1alpha1.DayUsage {
	var all []v1alpha1.DayUsage
	day := midnight(s.From)
	if day.Before(oldest) {
		day = oldest
	}
	for ; day.Before(s.To); day = day.AddDate(0, 0, 1) {
		u := s.Within(day, day.AddDate(0, 0, 1))
		if !u.none() {
			all = append(all, u.on(day.Format(time.DateOnly)))
		}
	}
	return all
}

func midnight(t time.Time) time.Time {
	year, month, day := t.UTC().Date()
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// on is the usage as that of a day.
func (u *Usage) on(date string) v1alpha1.DayUsage {
	day := v1alpha1.DayUsage{Date: date, GPUSeconds: u.GPUSeconds}
	for _, currency := range slices.Sorted(maps.Keys(u.PriceSeconds)) {
		if len(day.Costs) < maxCurrencies {
			day.Costs = append(day.Costs, v1alpha1.PriceSeconds{Currency: currency, PriceSeconds: inMillionths(u.PriceSeconds[currency])})
		}
	}
	return day
}

// UsageOf is what was used on a day.
func UsageOf(day *v1alpha1.DayUsage) Usage {
	u := Usage{GPUSeconds: day.GPUSeconds}
	for _, c := range day.Costs {
		u.price(c.Currency, millionths(string(c.PriceSeconds)))
	}
	return u
}

// millionths reads a decimal number with no more than six decimals, which the API server has checked; an empty one is zero.
func millionths(decimal string) *big.Int {
	whole, fraction, _ := strings.Cut(decimal, ".")
	number, ok := new(big.Int).SetString(whole+(fraction + "000000")[:decimals], 10)
	if !ok {
		return new(big.Int)
	}
	return number
}

// inMillionths writes a number of millionths as a decimal number.
func inMillionths(number *big.Int) v1alpha1.BudgetAmount {
	return v1alpha1.BudgetAmount(new(big.Rat).SetFrac(number, big.NewInt(million)).FloatString(decimals))
}

// Between is what was used on the days from one midnight to another.
func Between(days []v1alpha1.DayUsage, from, to time.Time) Usage {
	var u Usage
	first, end := from.UTC().Format(time.DateOnly), to.UTC().Format(time.DateOnly)
	for i := range days {
		if days[i].Date >= first && days[i].Date < end {
			u.Add(UsageOf(&days[i]))
		}
	}
	return u
}

// Merge adds days to others: each date once, the oldest first, and no older ones than any budget reaches from now.
func Merge(days, more []v1alpha1.DayUsage, now time.Time) []v1alpha1.DayUsage {
	sums := map[string]*Usage{}
	for _, list := range [][]v1alpha1.DayUsage{days, more} {
		for i := range list {
			if sums[list[i].Date] == nil {
				sums[list[i].Date] = &Usage{}
			}
			sums[list[i].Date].Add(UsageOf(&list[i]))
		}
	}
	oldest := midnight(now).AddDate(0, 0, 1-keptDays).Format(time.DateOnly)
	var merged []v1alpha1.DayUsage
	for _, date := range slices.Sorted(maps.Keys(sums)) {
		if date >= oldest {
			merged = append(merged, sums[date].on(date))
		}
	}
	return merged[max(0, len(merged)-keptDays):]
}

// Forget adds an attempt that a job's status does not show any more to what such attempts used.
func Forget(earlier []v1alpha1.EarlierUsage, a *v1alpha1.Attempt, replicas int32, now time.Time) []v1alpha1.EarlierUsage {
	s, ran := stretch(a, replicas)
	if !ran || s.GPUs == 0 && !s.priced() {
		return earlier
	}
	oldest := midnight(now).AddDate(0, 0, 1-keptDays)
	byQuota := map[string][]v1alpha1.DayUsage{s.Quota: s.days(oldest)}
	for i := range earlier {
		byQuota[earlier[i].Quota] = append(byQuota[earlier[i].Quota], earlier[i].DayUsage)
	}
	var all []v1alpha1.EarlierUsage
	for quota, days := range byQuota {
		for _, day := range Merge(nil, days, now) {
			all = append(all, v1alpha1.EarlierUsage{Quota: quota, DayUsage: day})
		}
	}
	slices.SortFunc(all, func(a, b v1alpha1.EarlierUsage) int {
		return cmp.Or(cmp.Compare(a.Date, b.Date), cmp.Compare(a.Quota, b.Quota))
	})
	return all[max(0, len(all)-maxEarlier):]
}
