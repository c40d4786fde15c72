package scheduler

import (
	"context"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/scheduling"
)

// rounds are those of a scheduler that writes nothing.
type rounds struct {
	t     *testing.T
	shelf *shelf
	view  *view
	next  changes
}

// at is who starts in a round at the time, in which all is looked at that a quota is about.
func (r *rounds) at(now time.Time) (starts []string) {
	r.t.Helper()
	r.next.around = true
	if err := r.view.look(r.t.Context(), r.next.take(), now); err != nil {
		r.t.Fatal(err)
	}
	s := r.view.state(now)
	r.view.ask(s)
	decided := r.view.engine.Decide(now)
	for i := range decided.Starts {
		r.view.doubt(decided.Starts[i].Key, &r.next)
	}
	for _, d := range s.started(decided) {
		starts = append(starts, d.key)
	}
	return starts
}

// budgetRounds have a node of two cores, one of which is in use for an hour after midnight. "small" waits for one of them, under quota
// "other", for ten hours; "large" since earlier for so many, under quota "team", which has a budget.
func budgetRounds(t *testing.T, large string) *rounds {
	s := smallShelf()
	s.projects, s.jobs = nil, toolscache.NewStore(toolscache.MetaNamespaceKeyFunc)
	s.nodes["node"].Status.Allocatable["cpu"] = resource.MustParse("2")
	team, other := budgeted("team", "", platformv1.BudgetStartNothing, false), s.quotas[0]
	other.Name, team.Spec.Nominal = "other", other.Spec.Nominal
	s.quotas = []platformv1.Quota{*team, other}
	job := func(quota, name, cpu string, waits, lasts time.Duration) *platformv1.Job {
		cores, memory, seconds := resource.MustParse(cpu), resource.MustParse("1Gi"), int64(lasts/time.Second)
		j := &platformv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: quota, Name: name, UID: types.UID(name), ResourceVersion: name}}
		j.CreationTimestamp = metav1.NewTime(midnight.Add(-waits))
		j.Spec.SubmittedBy, j.Spec.LifeSpanSeconds = "ada", &seconds
		j.Spec.Resources = &platformv1.JobResources{CPU: &cores, Memory: &memory}
		return j
	}
	runs, began := job("other", "runs", "1", 2*time.Hour, 2*time.Hour), metav1.NewTime(midnight.Add(-time.Hour))
	runs.Status.Reservation = &platformv1.Reservation{
		Quota: "other", Cluster: "local", Time: metav1.NewMicroTime(began.Time), StartTime: &began, Nodes: []platformv1.NodeShare{{Node: "node", Replicas: 1}},
		Replica: platformv1.ReplicaResources{CPU: *runs.Spec.Resources.CPU, Memory: *runs.Spec.Resources.Memory},
	}
	for _, j := range []*platformv1.Job{runs, job("team", "large", large, time.Hour, 10*time.Hour), job("other", "small", "1", 30*time.Minute, 10*time.Hour)} {
		if err := s.jobs.Add(j); err != nil {
			t.Fatal(err)
		}
	}
	for _, q := range s.quotas {
		project := platformv1.Project{ObjectMeta: metav1.ObjectMeta{Name: q.Name}, Spec: platformv1.ProjectSpec{Quota: q.Name}}
		project.Status.Namespace = &platformv1.ProjectNamespace{Name: q.Name}
		s.projects = append(s.projects, project)
	}
	kept := func(context.Context) (toolscache.Store, error) { return s.jobs, nil }
	return &rounds{t: t, shelf: s, view: newView(s, kept, scheduling.New(scheduling.Defaults())), next: changes{batch: newBatch()}}
}

// unknownNow are the ways in which it is not known at midnight how a budget stands that was known before.
var unknownNow = map[string]func(*platformv1.Quota){
	"it is renewed": func(*platformv1.Quota) {},
	"it is raised":  func(q *platformv1.Quota) { *q.Spec.Budgets[0].GPUHours *= 2 },
	"it is new":     func(q *platformv1.Quota) { q.Status.Budgets = nil },
	"it would be used up by now": func(q *platformv1.Quota) {
		q.Status.Budgets[0].WindowEnd, q.Status.Budgets[0].ExpectedExhaustion = metav1.NewTime(midnight.Add(24*time.Hour)), &metav1.Time{Time: midnight}
	},
}

// TestWhoIsNotKnownToBePaidKeepsThePlace: for a moment, in which the status of the quota is to come, nobody takes what is kept.
func TestWhoIsNotKnownToBePaidKeepsThePlace(t *testing.T) {
	for name, change := range unknownNow {
		for large, starts := range map[string][]string{"2": nil, "1": {"large"}} {
			t.Run(name+", "+large, func(t *testing.T) {
				r := budgetRounds(t, large)
				if got := r.at(midnight.Add(-time.Second)); !slices.Equal(got, starts) {
					t.Fatalf("before midnight %v start, want %v", got, starts)
				}
				known := r.shelf.quotas[0].DeepCopy()
				change(&r.shelf.quotas[0])
				for passed := time.Duration(0); passed < unknownAtMost; passed += 10 * time.Second {
					if got := r.at(midnight.Add(passed)); got != nil {
						t.Fatalf("%v start %s after midnight", got, passed)
					}
				}
				known.Status.Budgets[0].WindowEnd = metav1.NewTime(midnight.Add(24 * time.Hour))
				known.DeepCopyInto(&r.shelf.quotas[0])
				if got := r.at(midnight.Add(unknownAtMost)); !slices.Equal(got, starts) {
					t.Errorf("once it is known %v start, want %v", got, starts)
				}
			})
		}
	}
}

// TestNobodyWaitsForABudgetThatIsNeverKnown: others than those who would be paid by it.
func TestNobodyWaitsForABudgetThatIsNeverKnown(t *testing.T) {
	r := budgetRounds(t, "1")
	r.shelf.quotas[0].Status.Budgets = nil
	if got := r.at(midnight); got != nil {
		t.Fatalf("%v start", got)
	}
	if s := r.view.state(midnight); s.again == 0 || s.again > unknownAtMost {
		t.Errorf("it is looked again in %s", s.again)
	}
	if got := r.at(midnight.Add(unknownAtMost)); !slices.Equal(got, []string{"small"}) {
		t.Errorf("after a while %v start, want the other one", got)
	}
	if why := r.view.waiting["large"].why(); why == nil || why.Reason != platformv1.JobReasonBudgetExhausted {
		t.Errorf("the job is told %+v", why)
	}
}

// TestNobodyGivesWayForABudgetThatIsNotKnown: what is unknown ends nothing.
func TestNobodyGivesWayForABudgetThatIsNotKnown(t *testing.T) {
	rounds := budgetRounds(t, "2")
	rounds.at(midnight.Add(-time.Second))
	r, displaced := &Reconciler{view: rounds.view}, []scheduling.Displacement{{Key: "runs", For: "large"}}
	for at, want := range map[time.Time]int{midnight.Add(-time.Second): 1, midnight: 0} {
		if got := r.displacements(t.Context(), rounds.view.state(at), displaced, at); len(got) != want {
			t.Errorf("at %s %d give way, want %d", at, len(got), want)
		}
	}
}

// A round decides as many starts as it writes. Those that are held are not written, and do not count.
func TestEnough(t *testing.T) {
	s := state{candidates: map[string]*candidate{"held": {held: true}, "free": {}}}
	enough := s.enough()
	for range 10 * startsPerRound {
		if enough(scheduling.Start{Key: "held"}) {
			t.Fatal("those that are held are enough")
		}
	}
	for i := range startsPerRound {
		if enough(scheduling.Start{Key: "free"}) != (i == startsPerRound-1) {
			t.Fatalf("%d are enough", i+1)
		}
	}
}
