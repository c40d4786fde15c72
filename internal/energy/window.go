// Package energy tells when the schedules of a cluster's energy are open, and what energy costs then. It is pure: the time is an
// argument, and the rules of time zones are part of the program.
package energy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // images of programs have no rules of time zones

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// ahead is for how many days windows are worked out. A schedule that closes at all does so within a week; a second one is for
// where clocks that are set forward leave that time out.
const ahead = 15

// Window is how a schedule stands at a time.
type Window struct {
	// Open reports that jobs that are bound to the schedule may run.
	Open bool
	// Until is when that changes, in the cluster's time zone; zero where it never does.
	Until time.Time
}

// Windows are how the schedules of a cluster stand at a time, by name. The error is that of a time zone that nobody knows, for a
// person; nothing can be told then.
func Windows(energy *platformv1.Energy, now time.Time) (map[string]Window, error) {
	if energy == nil {
		return nil, nil
	}
	location, err := Location(energy)
	if err != nil {
		return nil, err
	}
	windows := make(map[string]Window, len(energy.Schedules))
	for i := range energy.Schedules {
		windows[energy.Schedules[i].Name] = window(energy.Schedules[i].Periods, now.In(location))
	}
	return windows, nil
}

// Location is the time zone of the schedules. The error, for a person, is that nobody knows it.
func Location(energy *platformv1.Energy) (*time.Location, error) {
	if energy == nil {
		return time.UTC, nil
	}
	location, err := time.LoadLocation(energy.TimeZone) // UTC where it is empty
	if err != nil || energy.TimeZone == "Local" {       // which is another one on each machine
		return nil, fmt.Errorf("there is no time zone %q: spec.energy.timeZone is a name such as \"Europe/Berlin\" or \"UTC\"", energy.TimeZone)
	}
	return location, nil
}

// span is a time from its begin to before its end.
type span struct{ begin, end time.Time }

// window is how a schedule of the periods stands at a time, whose location is that of the periods.
func window(periods []platformv1.EnergyPeriod, now time.Time) Window {
	horizon := now.AddDate(0, 0, ahead)
	for _, s := range spans(periods, now) {
		switch {
		case !s.end.After(now): // over
		case s.begin.After(now):
			return Window{Until: s.begin}
		case s.end.After(horizon):
			return Window{Open: true}
		default:
			return Window{Open: true, Until: s.end}
		}
	}
	return Window{} // not one period begins for so long: there is none
}

// spans are the times in which the periods are open, from before now until the horizon is past, in order. Between two of them
// is a time in which none is.
func spans(periods []platformv1.EnergyPeriod, now time.Time) []span {
	var all []span
	// What is open now began no earlier than the day before; the last days are for those that reach beyond the horizon.
	for day := -2; day <= ahead+2; day++ {
		date := time.Date(now.Year(), now.Month(), now.Day()+day, 0, 0, 0, 0, time.UTC)
		for i := range periods {
			if s := on(&periods[i], date, now.Location()); s.end.After(s.begin) {
				all = append(all, s)
			}
		}
	}
	slices.SortFunc(all, func(a, b span) int { return a.begin.Compare(b.begin) })
	var joined []span
	for _, s := range all {
		if n := len(joined); n > 0 && !s.begin.After(joined[n-1].end) {
			if s.end.After(joined[n-1].end) {
				joined[n-1].end = s.end
			}
			continue
		}
		joined = append(joined, s)
	}
	return joined
}

// on is when a period is open that begins on a date; never where it begins on other days.
func on(period *platformv1.EnergyPeriod, date time.Time, location *time.Location) span {
	if len(period.Weekdays) > 0 && !slices.Contains(period.Weekdays, platformv1.Weekday(date.Weekday().String())) {
		return span{}
	}
	begin, end := timeOfDay(period.Start), timeOfDay(period.End)
	if end <= begin {
		end += 24 * time.Hour
	}
	return span{reached(date.Add(begin), location), reached(date.Add(end), location)}
}

// timeOfDay is "HH:MM" as a duration since midnight. The API server has checked it.
func timeOfDay(clock string) time.Duration {
	hours, rest, _ := strings.Cut(clock, ":")
	hour, _ := strconv.Atoi(hours)
	minute, _ := strconv.Atoi(rest)
	return time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute
}

// reached is when the clocks of a location first show a date and time, here given in UTC, or a later one: times that are left out
// as clocks are set forward are reached at that moment, and those that come twice when they come first.
func reached(shown time.Time, location *time.Location) time.Time {
	at := time.Date(shown.Year(), shown.Month(), shown.Day(), shown.Hour(), shown.Minute(), 0, 0, location)
	begin, end := at.ZoneBounds()
	switch difference := onClock(at).Sub(shown); {
	case difference > 0: // left out, and at is after that
		return begin
	case difference < 0: // left out, and at is before
		return end
	case begin.IsZero():
		return at
	}
	// Where the clocks were set back by so much shortly before, they may have shown it already.
	back := offset(begin.Add(-1)) - offset(begin)
	if earlier := at.Add(-back); back > 0 && earlier.Before(begin) {
		return earlier
	}
	return at
}

// onClock is what clocks in the location of a time show then, as if it were UTC.
func onClock(t time.Time) time.Time { return t.UTC().Add(offset(t)) }

// offset is by how much clocks in the location of a time are ahead of UTC then.
func offset(t time.Time) time.Duration {
	_, seconds := t.Zone()
	return time.Duration(seconds) * time.Second
}
