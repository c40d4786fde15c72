package accounting

import (
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/soma-platform/soma/api/v1alpha1"
)

func TestWindow(t *testing.T) {
	tests := map[string]struct {
		period         v1alpha1.BudgetPeriod
		at, start, end string
	}{
		"a day":                       {v1alpha1.BudgetDay, "2026-11-28T17:00:00Z", "2026-11-28", "2026-11-29"},
		"a day, elsewhere":            {v1alpha1.BudgetDay, "2026-11-28T23:30:00-08:00", "2026-11-29", "2026-11-30"},
		"a day begins at midnight":    {v1alpha1.BudgetDay, "2026-11-28T00:00:00Z", "2026-11-28", "2026-11-29"},
		"a week, on a Saturday":       {v1alpha1.BudgetWeek, "2026-11-28T17:00:00Z", "2026-11-23", "2026-11-30"},
		"a week, on its Monday":       {v1alpha1.BudgetWeek, "2026-11-23T00:00:00Z", "2026-11-23", "2026-11-30"},
		"a week, on its Sunday":       {v1alpha1.BudgetWeek, "2026-11-29T23:59:59Z", "2026-11-23", "2026-11-30"},
		"a week over the year's end":  {v1alpha1.BudgetWeek, "2027-01-01T00:00:00Z", "2026-12-28", "2027-01-04"},
		"a month of 30 days":          {v1alpha1.BudgetMonth, "2026-11-28T17:00:00Z", "2026-11-01", "2026-12-01"},
		"a month of 31 days, its 31.": {v1alpha1.BudgetMonth, "2026-12-31T23:59:59Z", "2026-12-01", "2027-01-01"},
		"February":                    {v1alpha1.BudgetMonth, "2026-02-28T12:00:00Z", "2026-02-01", "2026-03-01"},
		"February of a leap year":     {v1alpha1.BudgetMonth, "2028-02-29T12:00:00Z", "2028-02-01", "2028-03-01"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			at, err := time.Parse(time.RFC3339, tc.at)
			if err != nil {
				t.Fatal(err)
			}
			start, end := Window(tc.period, at)
			if got := start.Format(time.RFC3339) + " " + end.Format(time.RFC3339); got != tc.start+"T00:00:00Z "+tc.end+"T00:00:00Z" {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestAssess(t *testing.T) {
	now := moment(t, "28 12:00:00") // half of the day is left
	gpus := func(hours int64) v1alpha1.Budget {
		return v1alpha1.Budget{Name: "b", Period: v1alpha1.BudgetDay, GPUHours: &hours, Warnings: []int32{80, 50}}
	}
	money := v1alpha1.Budget{Name: "b", Period: v1alpha1.BudgetDay, Money: &v1alpha1.Money{Amount: "10.0", Currency: "EUR"}, Warnings: []int32{50}}
	used := func(hours int64) Usage { return Usage{GPUSeconds: hours * 3600} }
	costs := func(millionths int64) Usage {
		return Usage{PriceSeconds: map[string]*big.Int{"EUR": big.NewInt(millionths * 3600), "CHF": big.NewInt(1), "USD": big.NewInt(1)}}
	}
	tests := map[string]struct {
		budget  v1alpha1.Budget
		before  v1alpha1.BudgetStatus
		used    Usage
		runners []Runner
		// want is "used forecast unit, warned, exhausted since, expected, next", the times as hours and minutes of the day.
		want string
	}{
		"nothing":           {budget: gpus(10), want: "0.000000 0.000000 GPU-hours, 0, -, -, 00:00:00"},
		"a warning":         {budget: gpus(10), used: used(5), want: "5.000000 5.000000 GPU-hours, 50, -, -, 00:00:00"},
		"the highest of":    {budget: gpus(10), used: used(9), want: "9.000000 9.000000 GPU-hours, 80, -, -, 00:00:00"},
		"not quite":         {budget: gpus(10), used: Usage{GPUSeconds: 36000 - 1}, want: "9.999722 9.999722 GPU-hours, 80, -, -, 00:00:00"},
		"all":               {budget: gpus(10), used: used(10), want: "10.000000 10.000000 GPU-hours, 80, 12:00:00, -, 00:00:00"},
		"warns when it may": {budget: gpus(10), used: used(4), runners: []Runner{{GPUs: 1}}, want: "4.000000 16.000000 GPU-hours, 0, -, 18:00:00, 13:00:00"},
		"then the next":     {budget: gpus(10), used: used(5), runners: []Runner{{GPUs: 1}}, want: "5.000000 17.000000 GPU-hours, 50, -, 17:00:00, 15:00:00"},
		"then all": {budget: gpus(10), used: used(9), runners: []Runner{{GPUs: 1}, {GPUs: 1}},
			want: "9.000000 33.000000 GPU-hours, 80, -, 12:30:00, 12:30:00"},
		"to the second, rounded up": {budget: gpus(10), used: used(9), runners: []Runner{{GPUs: 7}},
			want: "9.000000 93.000000 GPU-hours, 80, -, 12:08:35, 12:08:35"},
		"a life span that ends before": {budget: gpus(10), used: used(9), runners: []Runner{{GPUs: 1, Until: now.Add(30 * time.Minute)}},
			want: "9.000000 9.500000 GPU-hours, 80, -, -, 00:00:00"},
		"one after the other": {budget: gpus(10), used: used(9), runners: []Runner{{GPUs: 1, Until: now.Add(20 * time.Minute)}, {GPUs: 1}},
			want: "9.000000 21.333333 GPU-hours, 80, -, 12:40:00, 12:40:00"},
		"just when one ends": {budget: gpus(10), used: used(9), runners: []Runner{{GPUs: 2, Until: now.Add(30 * time.Minute)}},
			want: "9.000000 10.000000 GPU-hours, 80, -, 12:30:00, 12:30:00"},
		"a life span that is over": {budget: gpus(10), used: used(9), runners: []Runner{{GPUs: 2, Until: now.Add(-time.Minute)}},
			want: "9.000000 9.000000 GPU-hours, 80, -, -, 00:00:00"},
		"stays reached": {budget: gpus(10), used: used(4),
			before: v1alpha1.BudgetStatus{Limit: "10", Warned: 80, ExhaustedTime: when(moment(t, "28 11:00:00"))},
			want:   "4.000000 4.000000 GPU-hours, 80, 11:00:00, -, 00:00:00"},
		"unless it was raised": {budget: gpus(20), used: used(10),
			before: v1alpha1.BudgetStatus{Limit: "10", Warned: 80, ExhaustedTime: when(moment(t, "28 11:00:00"))},
			want:   "10.000000 10.000000 GPU-hours, 50, -, -, 00:00:00"},
		"or was renewed": {budget: gpus(10), used: used(0),
			before: v1alpha1.BudgetStatus{Limit: "10", WindowStart: *when(moment(t, "27 00:00:00")), Warned: 80, ExhaustedTime: when(moment(t, "27 11:00:00"))},
			want:   "0.000000 0.000000 GPU-hours, 0, -, -, 00:00:00"},
		"money": {budget: money, used: costs(9_000_000), runners: []Runner{{PerHour: "3", Currency: "EUR"}, {PerHour: "1000", Currency: "USD"}},
			want: "9.000000 45.000000 EUR, 50, -, 12:20:00, 12:20:00, not CHF USD"},
		"money, to the second": {budget: money, used: costs(9_999_999), runners: []Runner{{PerHour: "3", Currency: "EUR"}},
			want: "9.999999 45.999999 EUR, 50, -, 12:00:01, 12:00:01, not CHF USD"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			before := tc.before
			if before.Limit != "" {
				before.Name, before.Period, before.Unit = "b", v1alpha1.BudgetDay, v1alpha1.BudgetUnitGPUHours
				if before.WindowStart.IsZero() {
					before.WindowStart = *when(moment(t, "28 00:00:00"))
				}
			}
			s, next := Assess(&tc.budget, &before, tc.used, tc.runners, now.Add(900*time.Millisecond))
			clock := func(at time.Time) string { return at.UTC().Format(time.TimeOnly) }
			since, expected := "-", "-"
			if s.ExhaustedTime != nil {
				since = clock(s.ExhaustedTime.Time)
			}
			if s.ExpectedExhaustion != nil {
				expected = clock(s.ExpectedExhaustion.Time)
			}
			got := fmt.Sprintf("%s %s %s, %d, %s, %s, %s", s.Used, s.Forecast, s.Unit, s.Warned, since, expected, clock(next))
			if len(s.Uncounted) > 0 {
				got += fmt.Sprint(", not ", s.Uncounted[0], " ", s.Uncounted[1])
			}
			if got != tc.want {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
			if !Known(&tc.budget, &s, now) || Known(&tc.budget, &s, s.WindowEnd.Time) {
				t.Error("it is not known for its period alone")
			}
		})
	}
}

func TestLimitOf(t *testing.T) {
	hours := int64(1000)
	for want, b := range map[string]v1alpha1.Budget{
		"1000 GPU-hours": {GPUHours: &hours}, "100 EUR": {Money: &v1alpha1.Money{Amount: "100.00", Currency: "EUR"}},
		"0.5 EUR": {Money: &v1alpha1.Money{Amount: "0.5", Currency: "EUR"}},
	} {
		if limit, unit := LimitOf(&b); fmt.Sprint(limit, " ", unit) != want {
			t.Errorf("got %s %s, want %s", limit, unit, want)
		}
	}
	if share := Share(&v1alpha1.BudgetStatus{Limit: "10", Used: "2.500000"}); share != 0.25 {
		t.Errorf("2.5 of 10 are %v", share)
	}
}
