package scheduling

import (
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// restarted is an engine that was told all that the other one knows.
func restarted(e *Engine) *Engine {
	now := e.Future()
	now.options = e.options
	return now.engine()
}

// anew are the ways in which an engine begins anew.
var anew = map[string]func(*Engine) *Engine{
	"a quota changes": func(e *Engine) *Engine {
		e.SetQuota(gpuQuota("another", 1))
		return e
	},
	"a forecast":     restarted,
	"another engine": takenOver,
}

// takenOver is an engine that was told what there is, as that of a manager whose predecessor has ended.
func takenOver(e *Engine) *Engine {
	now := e.Future()
	now.options, now.kept = e.options, nil
	other := now.engine()
	other.TakeOver()
	return other
}

// overtaken is a world in which a large job waits, and a small one that would go before it by fair share does so too.
func overtaken() *Engine {
	e := New(Options{Patience: 5 * time.Minute, Renewal: 5 * time.Second})
	tell(e, gpuQuota("all", 0), child("heavy", "all", 6), child("light", "all", 6), gpuNode("a", "A100", 8),
		runs("r", "a", 2, 16*time.Minute, func(r *Running) { r.Quota = "heavy" }), job("large", 8, under("heavy"), lasts(time.Hour)))
	e.Decide(start.Add(6 * time.Minute))
	tell(e, job("small", 1, under("light"), after(6*time.Minute), lasts(48*time.Hour)))
	return e
}

// Who is kept a place is so too where the tree of quotas changes, or another manager takes over.
func TestReservationsOutliveTheTree(t *testing.T) {
	for name, begin := range anew {
		t.Run(name, func(t *testing.T) {
			e := overtaken()
			want := map[string]string{"large": queued(), "small": queued()}
			if diff := cmp.Diff(want, outcome(e, e.Decide(start.Add(6*time.Minute)))); diff != "" {
				t.Fatal(diff)
			}
			e = begin(e)
			if diff := cmp.Diff(want, outcome(e, e.Decide(start.Add(7*time.Minute)))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Neither are others given what somebody gave way for.
func TestWhatOthersGaveWayForIsKeptAnew(t *testing.T) {
	ways := maps.Clone(anew)
	ways["it is edited"] = func(e *Engine) *Engine {
		tell(e, job("high", 4, priority(1), lasts(time.Hour)))
		return e
	}
	for name, begin := range ways {
		t.Run(name, func(t *testing.T) {
			e := New(Options{Renewal: time.Hour})
			low := runs("low", "a", 4, 0, of("wide", -1))
			tell(e, gpuNode("a", "A100", 4), with(wide(), policy(Preemption{LowerPriority: AnyVictims})), low, job("high", 4, priority(1)))
			if d := e.Decide(start); len(d.Displaced) != 1 {
				t.Fatal("nobody gives way")
			}
			tell(e, job("older", 3, priority(1), after(-time.Hour)))
			e = begin(e)
			e.Decide(start.Add(time.Second))
			e.RemoveRunning("low")
			if diff := cmp.Diff(map[string]string{"older": queued(), "high": "a"}, outcome(e, e.Decide(start.Add(2*time.Second)))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A forecast keeps what is kept.
func TestForecastOfWhoIsOvertaken(t *testing.T) {
	e := overtaken()
	now := start.Add(6 * time.Minute)
	e.Decide(now)
	want := map[string]time.Time{"large": start.Add(16 * time.Minute), "small": start.Add(76 * time.Minute)}
	if diff := cmp.Diff(want, e.Future().Forecast(now, 10, 24*time.Hour)); diff != "" {
		t.Error(diff)
	}
}

// Who gives way comes back to its place, before those that came later.
func TestForecastOfWhoGivesWay(t *testing.T) {
	e := New(Options{Renewal: 5 * time.Second})
	older := runs("low", "a", 8, 5*time.Hour, of("wide", 0), func(r *Running) { r.Since = start.Add(-2 * time.Hour) })
	tell(e, gpuNode("a", "A100", 8), with(wide(), policy(Preemption{LowerPriority: AnyVictims})), older)
	tell(e, job("next", 8, lasts(time.Hour), after(-time.Hour)), job("high", 8, lasts(time.Hour), priority(1)))
	// The one that runs has a minute to end, and an hour of its six behind it, all of which it begins again.
	gone := start.Add(time.Minute)
	want := map[string]time.Time{"high": gone, "next": gone.Add(7 * time.Hour)}
	if diff := cmp.Diff(want, e.Future().Forecast(start, 10, 24*time.Hour)); diff != "" {
		t.Error(diff)
	}
}
