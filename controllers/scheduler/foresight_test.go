package scheduler

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/scheduling"
)

func TestForesight(t *testing.T) {
	one := int64(1000)
	engine := scheduling.New(scheduling.Defaults())
	engine.SetQuota(scheduling.Quota{Name: "q", Nominal: scheduling.Limits{MilliCPU: &one}})
	engine.SetNode(scheduling.Node{Name: "n", Allocatable: scheduling.Amounts{MilliCPU: 1000, Memory: 1, Pods: 9}})
	replica := scheduling.Amounts{MilliCPU: 1000, Memory: 1}
	end := now.Add(time.Hour)
	engine.SetRunning(scheduling.Running{Key: "r", Quota: "q", User: "u", Replica: replica, Nodes: []scheduling.Share{{Node: "n", Replicas: 1}}, Start: now, End: end})
	engine.SetWaiting(scheduling.Waiting{Key: "job", Quota: "q", User: "u", Since: now, Request: scheduling.Request{Replica: replica, Replicas: 1}})
	engine.Decide(now)

	job, other := &platformv1.Job{}, &platformv1.Job{}
	job.UID, other.UID = "job", "other"
	told := metav1.NewTime(now.Add(time.Minute))
	other.Status.Queue = &platformv1.QueueStatus{ExpectedStart: &told}
	f := &foresight{}
	if again := f.look(engine, 0, now); again != 0 || f.coming != nil {
		t.Errorf("nobody waits, and it is looked for %s", again)
	}
	if again := f.look(engine, 1, now); again != tellPause || !f.of(job).IsZero() || !f.of(other).Equal(told.Time) {
		t.Errorf("looked at again after %s; before anything is known, %s and %s are expected", again, f.of(job), f.of(other))
	}
	f.coming <- <-f.coming // it has come
	if again := f.look(engine, 1, now.Add(2*time.Second)); again != 0 || !f.of(job).Equal(end) || !f.of(other).IsZero() {
		t.Errorf("looked at again after %s; %s and %s are expected", again, f.of(job), f.of(other))
	}
	if f.look(engine, 1, now.Add(19*time.Second)); f.coming != nil {
		t.Error("a forecast that takes 2 s is made more often than every 20")
	}
	if f.look(engine, 1, now.Add(20*time.Second)); f.coming == nil {
		t.Error("no other forecast is made")
	}
}

// Who can never start is not told a start that was foretold when it could.
func TestNobodyExpectsTheImpossible(t *testing.T) {
	engine := scheduling.New(scheduling.Defaults())
	engine.SetQuota(scheduling.Quota{Name: "q"})
	r := &Reconciler{engine: engine, aside: aside{}, foresight: foresight{expected: map[string]time.Time{"job": now.Add(time.Hour)}}}
	job := &platformv1.Job{}
	job.UID = "job"
	s := state{waiting: []*candidate{{job: job, quota: "q"}}}
	for _, nodes := range []int64{1, 0} { // as large as that it would wait for another
		engine.RemoveRunning("r")
		engine.SetNode(scheduling.Node{Name: "n", Allocatable: scheduling.Amounts{MilliCPU: 1000 * nodes, Memory: 1, Pods: 9}})
		replica := scheduling.Amounts{MilliCPU: 1000, Memory: 1}
		engine.SetRunning(scheduling.Running{Key: "r", Quota: "q", Replica: replica, Nodes: []scheduling.Share{{Node: "n", Replicas: 1}}, Start: now})
		engine.SetWaiting(scheduling.Waiting{Key: "job", Quota: "q", Since: now, Request: scheduling.Request{Replica: replica, Replicas: 1}})
		engine.Decide(now)
		if told := r.waits(s, nil, now); len(told) != 1 || told[0].expected.IsZero() != (nodes == 0) {
			t.Errorf("of %d nodes, told %+v", nodes, told)
		}
	}
}

// That many short jobs start elsewhere first keeps nobody from being told when theirs does.
func TestForesightOfSeveralQueues(t *testing.T) {
	for short, want := range map[int]int{90: 90, 150: 150, 1500: forecastStarts} {
		engine, replica := scheduling.New(scheduling.Defaults()), scheduling.Amounts{MilliCPU: 1000, Memory: 1}
		ask := func(key, quota string, span time.Duration) {
			engine.SetWaiting(scheduling.Waiting{
				Key: key, Quota: quota, User: "u", Since: now, Span: span, Request: scheduling.Request{Replica: replica, Replicas: 1, Pools: []string{quota}},
			})
		}
		for name, end := range map[string]time.Duration{"short": time.Minute, "long": time.Hour} {
			engine.SetQuota(scheduling.Quota{Name: name})
			engine.SetNode(scheduling.Node{Name: name, Pool: name, Allocatable: scheduling.Amounts{MilliCPU: 1000, Memory: 1, Pods: 9}})
			engine.SetRunning(scheduling.Running{
				Key: "on-" + name, Quota: name, User: "u", Replica: replica, Nodes: []scheduling.Share{{Node: name, Replicas: 1}}, Start: now, End: now.Add(end),
			})
		}
		for i := range short {
			ask(fmt.Sprint("short-", i), "short", time.Second)
		}
		ask("long", "long", time.Hour)
		engine.Decide(now)
		if expected := foretell(engine.Future(), now); !expected["long"].Equal(now.Add(time.Hour)) || len(expected) != want+1 {
			t.Errorf("with %d short jobs %d starts are told; of the long one, %s", short, len(expected), expected["long"])
		}
	}
}

// What goes wrong in a forecast stops nobody.
func TestAForecastThatFails(t *testing.T) {
	if expected := foretell(nil, now); expected == nil || len(expected) != 0 {
		t.Errorf("expected: %v", expected)
	}
}
