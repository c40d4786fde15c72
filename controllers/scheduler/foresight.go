package scheduler

import (
	"fmt"
	"runtime/debug"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/scheduling"
)

const (
	// forecastPause is the least time between the beginnings of two forecasts, which tell so many starts of those that influence each other, and
	// no further ahead.
	forecastPause  = 10 * time.Second
	forecastStarts = 1000
	forecastAhead  = 30 * 24 * time.Hour
	// forecastShare is how many times as long as the last forecast took is from its beginning to that of the next one at least.
	forecastShare = 10
)

// foresight is when jobs start at the latest. It is worked out beside the rounds: of what has many thousand jobs it takes longer than who
// waits for a start should wait.
type foresight struct {
	// expected are the starts that the last forecast told, by UID; nil before the first.
	expected map[string]time.Time
	// begun is when a forecast was last begun, took how long the last one took. It comes from coming while that is not nil.
	begun  time.Time
	took   time.Duration
	coming chan map[string]time.Time
}

// look takes a forecast that has come, and begins one where it is time and somebody waits for the engine. It returns how soon there is
// more to take; zero for not now.
func (f *foresight) look(engine *scheduling.Engine, asked int, now time.Time) (again time.Duration) {
	if f.coming != nil {
		select {
		case f.expected = <-f.coming:
			f.coming, f.took = nil, now.Sub(f.begun)
			if f.begun.IsZero() {
				f.took = 0 // the clock was set back since
			}
		default:
			return tellPause
		}
	}
	if asked == 0 || now.Sub(f.begun) < max(forecastPause, forecastShare*f.took) {
		return 0
	}
	future, coming := engine.Future(), make(chan map[string]time.Time, 1)
	f.begun, f.coming = now, coming
	go func() { coming <- foretell(future, now) }()
	return tellPause
}

// foretell plays ahead. What goes wrong with it stops no round: nothing is expected then.
func foretell(future *scheduling.Future, now time.Time) (expected map[string]time.Time) {
	defer func() {
		if wrong := recover(); wrong != nil {
			expected = map[string]time.Time{}
			ctrl.Log.Error(fmt.Errorf("%v", wrong), "nobody can be told when jobs start", "controller", "scheduler", "stack", string(debug.Stack()))
		}
	}()
	return future.Forecast(now, forecastStarts, forecastAhead)
}

// of is when the job starts at the latest; zero where that cannot be told. Before the first forecast it is what the job was told.
func (f *foresight) of(job *platformv1.Job) time.Time {
	if told := job.Status.Queue; f.expected == nil && told != nil && told.ExpectedStart != nil {
		return told.ExpectedStart.Time
	}
	return f.expected[string(job.UID)]
}
