package cli

import (
	"fmt"
	"time"

	"github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/util/duration"
)

// parseDuration reads a duration such as 90s, 30m, 12h, 1d, 2w or 1d12h; 0 needs no unit.
func parseDuration(text string) (time.Duration, error) {
	d, err := model.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration; write 90s, 30m, 12h, 1d or 1d12h", text)
	}
	return time.Duration(d), nil
}

// parseSeconds reads a duration as whole seconds.
func parseSeconds(text string) (int64, error) {
	d, err := parseDuration(text)
	if err != nil {
		return 0, err
	}
	if d%time.Second != 0 {
		return 0, fmt.Errorf("%q is not a whole number of seconds", text)
	}
	return int64(d / time.Second), nil
}

// parseTime reads a point in time: a date, a date and time, or how long ago it was.
func parseTime(text string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04", time.DateTime, time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	d, err := parseDuration(text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is not a time; write 2026-02-28, 2026-02-28T09:30:00Z, or how long ago: 2h, 7d", text)
	}
	return now.Add(-d), nil
}

// ago is how long something is past, for people; "" where it never was.
func ago(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return duration.HumanDuration(now.Sub(t))
}

// elapsed is the time between two points, up to now where the second is not there yet; "" where the first is not.
func elapsed(from, to, now time.Time) string {
	if from.IsZero() {
		return ""
	}
	if to.IsZero() {
		to = now
	}
	return duration.HumanDuration(to.Sub(from))
}
