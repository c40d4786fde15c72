package scheduling

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// depth is how many things happen in each story: with 3 jobs, 2 nodes and 2 quotas that lend to each other, all stories of
// that length are some ten thousands.
const depth = 7

// TestEveryStory plays everything that can happen in a small world, in every order. At no moment is anything given away
// twice, a gang in part, a quota exceeded, or somebody displaced for nothing; and in the end everything has run.
func TestEveryStory(t *testing.T) {
	for name, o := range map[string]Options{
		"patient":   {Patience: time.Minute, Urgency: 5 * time.Second, Renewal: 5 * time.Second},
		"impatient": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			played := 0
			var tell func(path []string)
			tell = func(path []string) {
				s := play(t, o, path)
				played++
				if len(path) == depth {
					s.everythingRuns()
					return
				}
				for _, next := range s.events() {
					tell(append(path[:len(path):len(path)], next))
				}
			}
			tell(nil)
			t.Logf("%d stories", played)
		})
	}
}

// smallStory is the small world in a story.
type smallStory struct {
	*testing.T
	path      []string
	engine    *Engine
	model     *model
	now       time.Time
	submitted map[string]bool
	displaced map[string]bool
}

func smallJobs() map[string]Waiting {
	small := job("small", 1, under("a"), lasts(time.Minute))
	small.Priority, small.Preemptible = -1, true
	large := job("large", 1, under("b"), replicas(3), lasts(time.Hour))
	large.Priority = 1
	return map[string]Waiting{"small": small, "gang": job("gang", 1, under("b"), replicas(2)), "large": large}
}

func play(t *testing.T, o Options, path []string) *smallStory {
	s := &smallStory{T: t, path: path, engine: New(o), model: newModel(), now: start, submitted: map[string]bool{}, displaced: map[string]bool{}}
	anybody := Preemption{LowerPriority: AnyVictims, Reclaim: AnyVictims}
	a, b := child("a", "all", 2), child("b", "all", 2)
	a.Lending.GPUs, a.Preemption, b.Preemption = limit(1), anybody, anybody
	for _, q := range []Quota{gpuQuota("all", 0), a, b} {
		s.model.quotas[q.Name] = q
		s.engine.SetQuota(q)
	}
	for _, name := range []string{"n1", "n2"} {
		s.happens("back " + name)
	}
	for _, event := range path {
		s.now = s.now.Add(20 * time.Second)
		s.happens(event)
		s.decide()
	}
	return s
}

// Fatalf tells the story.
func (s *smallStory) Fatalf(format string, args ...any) {
	s.Helper()
	s.T.Fatalf("%s: %s", strings.Join(s.path, ", "), fmt.Sprintf(format, args...))
}

// events are what can happen next.
func (s *smallStory) events() []string {
	var all []string
	for _, key := range sortedKeys(smallJobs()) {
		if !s.submitted[key] {
			all = append(all, "submit "+key)
		}
	}
	for _, key := range sortedKeys(s.model.running) {
		all = append(all, "end "+key)
	}
	for _, key := range sortedKeys(s.model.waiting) {
		all = append(all, "cancel "+key)
	}
	if _, there := s.model.nodes["n2"]; there {
		return append(all, "lose n2")
	}
	return append(all, "back n2")
}

func (s *smallStory) happens(event string) {
	what, key, _ := strings.Cut(event, " ")
	switch what {
	case "submit":
		w := smallJobs()[key]
		w.Since = s.now
		s.submitted[key] = true
		s.model.waiting[key] = w
		s.engine.SetWaiting(w)
	case "cancel":
		delete(s.model.waiting, key)
		s.engine.RemoveWaiting(key)
	case "end":
		delete(s.model.running, key)
		s.engine.RemoveRunning(key)
		if s.displaced[key] { // it goes back to its place
			delete(s.displaced, key)
			w := smallJobs()[key]
			w.Since = start
			s.model.waiting[key] = w
			s.engine.SetWaiting(w)
		}
	case "lose":
		delete(s.model.nodes, key)
		s.engine.RemoveNode(key)
	case "back":
		n := gpuNode(key, "A100", 2)
		s.model.nodes[key] = n
		s.engine.SetNode(n)
	}
}

func (s *smallStory) decide() {
	d := s.engine.Decide(s.now)
	s.model.check(s, d.Starts, s.now)
	expectReasons(s, s.engine, s.model)
	for _, v := range d.Displaced {
		if _, runs := s.model.running[v.Key]; !runs || s.displaced[v.Key] {
			s.Fatalf("%s is displaced and does not run, or is displaced already", v.Key)
		}
		if _, waits := s.model.waiting[v.For]; !waits {
			s.Fatalf("%s is displaced for %s, which does not wait", v.Key, v.For)
		}
		s.displaced[v.Key] = true
		r := s.model.running[v.Key]
		r.Ending = true
		s.model.running[v.Key] = r
	}
}

// everythingRuns lets time pass and jobs end, until all have run.
func (s *smallStory) everythingRuns() {
	if _, there := s.model.nodes["n2"]; !there {
		s.happens("back n2")
	}
	for range 20 {
		s.now = s.now.Add(2 * time.Minute)
		s.decide()
		if len(s.model.running) == 0 {
			break
		}
		s.happens("end " + sortedKeys(s.model.running)[0])
	}
	if len(s.model.waiting) > 0 || len(s.model.running) > 0 {
		s.Fatalf("%v wait and %v run in the end", sortedKeys(s.model.waiting), sortedKeys(s.model.running))
	}
}
