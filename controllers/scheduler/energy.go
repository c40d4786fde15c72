package scheduler

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/energy"
	"github.com/soma-platform/soma/internal/scheduling"
)

// windows are how energy schedules stand at a time, by the names of cluster and schedule. Those are missing of which nobody can
// tell: what is unknown starts nothing and ends nothing.
type windows map[string]map[string]energy.Window

// windowsOf works out how the schedules of clusters stand.
func windowsOf(clusters []*platformv1.Cluster, now time.Time) windows {
	all := windows{}
	for _, c := range clusters {
		// Of a time zone that is not known the cluster's own status tells.
		if of, err := energy.Windows(c.Spec.Energy, now); err == nil {
			all[c.Name] = of
		}
	}
	return all
}

// next is when the first of them opens or closes; zero where none does.
func (w windows) next() (first time.Time) {
	for _, of := range w {
		for _, window := range of {
			if !window.Until.IsZero() && (first.IsZero() || window.Until.Before(first)) {
				first = window.Until
			}
		}
	}
	return first
}

// sum adds what decides on starts.
func (w windows) sum(add func(parts ...string)) {
	for cluster, of := range w {
		for name, window := range of {
			add("window", cluster, name, strconv.FormatBool(window.Open), window.Until.UTC().String())
		}
	}
}

// due reports whether time alone has changed the world since it was read.
func (w *world) due(now time.Time) bool {
	if w == nil {
		return false
	}
	next := w.windows.next()
	return !next.IsZero() && !now.Before(next)
}

// changes is in how long time alone changes the world; zero where it does not.
func (w *world) changes(now time.Time) time.Duration {
	next := w.windows.next()
	if next.IsZero() {
		return 0
	}
	return max(next.Sub(now), pause)
}

// energySchedule is the schedule that a job is bound to; nil where it is to none.
func energySchedule(job *platformv1.Job, cluster *platformv1.Cluster) (*platformv1.EnergySchedule, *scheduling.Refusal) {
	name := job.Spec.EnergySchedule
	if name == "" {
		return nil, nil
	}
	schedule := energy.Find(cluster.Spec.Energy, name)
	if schedule == nil {
		there := cmp.Or(strings.Join(energy.Names(cluster.Spec.Energy), ", "), "none")
		return nil, &scheduling.Refusal{
			Reason:  platformv1.JobReasonEnergyScheduleNotFound,
			Message: fmt.Sprintf("cluster %q has no energy schedule %q; it has: %s", cluster.Name, name, there),
		}
	}
	return schedule, nil
}

// closed is why a job that is bound to an energy schedule does not start now; nil where it may.
func (w *world) closed(job *platformv1.Job, cluster *platformv1.Cluster) *scheduling.Refusal {
	name := job.Spec.EnergySchedule
	window, known := w.windows[cluster.Name][name]
	switch {
	case name == "" || window.Open:
		return nil
	case known:
		return &scheduling.Refusal{Reason: platformv1.JobReasonEnergyWindow, Message: closedWords(name, cluster.Name, window)}
	}
	return &scheduling.Refusal{Reason: platformv1.JobReasonEnergyWindow, Message: fmt.Sprintf(
		"nobody can tell when energy schedule %q of cluster %q is open: its time zone is not known; an administrator has to correct it, see `soma cluster status`",
		name, cluster.Name)}
}

// closes is when a job on the cluster has made its pause, as the energy schedule that it is bound to has closed; zero where that is
// not known to be open, or never closes.
func (w *world) closes(job *platformv1.Job, cluster string) time.Time {
	window := w.windows[cluster][job.Spec.EnergySchedule]
	if !window.Open || window.Until.IsZero() {
		return time.Time{}
	}
	return window.Until.Add(margin(job))
}

// windowOver says why a running job that is bound to an energy schedule makes a pause: its schedule has closed. One that is not
// there any more, or of which nobody can tell, ends nothing.
func windowOver(w *world, job *platformv1.Job, _ time.Time) *scheduling.Refusal {
	name := job.Spec.EnergySchedule
	if name == "" {
		return nil
	}
	cluster := job.Status.Reservation.Cluster
	window, known := w.windows[cluster][name]
	if !known || window.Open {
		return nil
	}
	return &scheduling.Refusal{Reason: platformv1.JobReasonEnergyWindow, Message: closedWords(name, cluster, window)}
}

func closedWords(schedule, cluster string, window energy.Window) string {
	words := fmt.Sprintf("energy schedule %q of cluster %q is closed", schedule, cluster)
	if window.Until.IsZero() {
		return words
	}
	return words + window.Until.Format(" until Mon 2006-01-02 15:04 MST")
}
