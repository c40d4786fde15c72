package scheduling

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model is a slow and plain account of what the engine should know: the world is a few maps, and every sum is made anew.
type model struct {
	quotas  map[string]Quota
	nodes   map[string]Node
	running map[string]Running
	waiting map[string]Waiting
}

func newModel() *model {
	return &model{quotas: map[string]Quota{}, nodes: map[string]Node{}, running: map[string]Running{}, waiting: map[string]Waiting{}}
}

// engine is a new engine that is told of the model's world.
func (m *model) engine(o Options) *Engine {
	e := New(o)
	for _, name := range sortedKeys(m.quotas) {
		e.SetQuota(m.quotas[name])
	}
	for _, name := range sortedKeys(m.nodes) {
		e.SetNode(m.nodes[name])
	}
	for _, key := range sortedKeys(m.running) {
		e.SetRunning(m.running[key])
	}
	for _, key := range sortedKeys(m.waiting) {
		e.SetWaiting(m.waiting[key])
	}
	return e
}

// start moves a job from those that wait to those that run.
func (m *model) start(s Start, now time.Time) {
	w := m.waiting[s.Key]
	delete(m.waiting, s.Key)
	r := Running{
		Key: w.Key, Quota: w.Quota, User: w.User, Priority: w.Priority, Preemptible: w.Preemptible, Replica: w.Replica, Model: s.Model,
		Nodes: s.Nodes, Start: now,
	}
	if w.Span > 0 {
		r.End = now.Add(w.Span)
	}
	if w.Until.After(now) && (r.End.IsZero() || w.Until.Before(r.End)) {
		r.End = w.Until
	}
	m.running[s.Key] = r
}

// What quotas count, by name; the GPUs of a model go by that of the model.
const (
	ofCPU    = "cpu"
	ofMemory = "memory"
	ofGPUs   = "gpus"
	ofJobs   = "jobs"
)

func isModel(of string) bool { return !slices.Contains([]string{ofCPU, ofMemory, ofGPUs, ofJobs}, of) }

// counts is what a job counts for.
func counts(total Amounts, model string) map[string]int64 {
	all := map[string]int64{ofCPU: total.MilliCPU, ofMemory: total.Memory, ofGPUs: total.GPUs, ofJobs: 1}
	if total.GPUs > 0 {
		all[model] = total.GPUs
	}
	return all
}

func countedOf(r Running, of string) int64 {
	total := Amounts{}
	for _, s := range r.Nodes {
		total = total.Plus(r.Replica.Times(s.Replicas))
	}
	return counts(total, r.Model)[of]
}

func says(l *Limits, of string) *int64 {
	switch of {
	case ofCPU:
		return l.MilliCPU
	case ofMemory:
		return l.Memory
	case ofGPUs:
		return l.GPUs
	case ofJobs:
		return l.Jobs
	}
	if n, listed := l.Models[of]; listed {
		return &n
	}
	return nil
}

// own is what a quota has without those below it: of a model that it does not name what those above it have, and nothing where it
// names all that it has.
func (m *model) own(name, of string) int64 {
	q := m.quotas[name]
	said := says(&q.Nominal, of)
	switch {
	case said != nil:
		return *said
	case of == ofGPUs && q.Nominal.OnlyModels:
		return q.Nominal.allModels()
	case isModel(of) && (q.Nominal.OnlyModels || q.Parent != ""):
		return 0
	}
	return unlimited
}

// The bounds of the tree, straight from their definition in the documentation of Kueue's cohorts: what a quota may
// use is what it has left of what it does not lend, and what its parent may use beyond that, within the borrowing limit.
func (m *model) subtree(name, of string) int64 {
	sum := m.own(name, of)
	for _, child := range m.quotas {
		if child.Parent == name {
			sum += min(m.subtree(child.Name, of), orUnlimited(says(&child.Lending, of)))
		}
	}
	return sum
}

func orUnlimited(n *int64) int64 {
	if n == nil {
		return unlimited
	}
	return *n
}

func (m *model) local(name, of string) int64 {
	q := m.quotas[name]
	if q.Parent == "" {
		return 0
	}
	return max(0, m.subtree(name, of)-orUnlimited(says(&q.Lending, of)))
}

func (m *model) used(name, of string) int64 {
	sum := int64(0)
	for _, r := range m.running {
		if r.Quota == name {
			sum += countedOf(r, of)
		}
	}
	for _, child := range m.quotas {
		if child.Parent == name {
			sum += max(0, m.used(child.Name, of)-m.local(child.Name, of))
		}
	}
	return sum
}

func (m *model) available(name, of string) int64 {
	q := m.quotas[name]
	if q.Parent == "" {
		return m.subtree(name, of) - m.used(name, of)
	}
	local := max(0, m.local(name, of)-m.used(name, of))
	fromParent := m.available(q.Parent, of)
	if borrows := says(&q.Borrowing, of); borrows != nil {
		stored := m.subtree(name, of) - m.local(name, of)
		usedThere := max(0, m.used(name, of)-m.local(name, of))
		fromParent = min(fromParent, stored-usedThere+*borrows)
	}
	return local + max(0, fromParent)
}

// within reports whether a quota is another or below it.
func (m *model) within(name, above string) bool {
	for ; name != ""; name = m.quotas[name].Parent {
		if name == above {
			return true
		}
	}
	return false
}

// heldUnder is what the jobs under a quota and below it hold: of all users, or of one.
func (m *model) heldUnder(name, of, user string) int64 {
	sum := int64(0)
	for _, r := range m.running {
		if m.within(r.Quota, name) && (user == "" || r.User == user) {
			sum += countedOf(r, of)
		}
	}
	return sum
}

// allows fails where a job that is about to start takes more than the quota and those above it let it have.
func (m *model) allows(t failer, w Waiting, asks map[string]int64) {
	for _, of := range sortedKeys(asks) {
		n := asks[of]
		if n == 0 {
			continue
		}
		if of != ofJobs && n > m.available(w.Quota, of) {
			t.Fatalf("%s takes %d of %s of %s, which may use %d", w.Key, n, of, w.Quota, m.available(w.Quota, of))
		}
		for name := w.Quota; name != ""; name = m.quotas[name].Parent {
			q := m.quotas[name]
			if held := m.heldUnder(name, ofJobs, ""); of == ofJobs && q.Nominal.Jobs != nil && held+n > *q.Nominal.Jobs {
				t.Fatalf("%s starts beside %d jobs in %s, of %d", w.Key, held, name, *q.Nominal.Jobs)
			}
			if most, held := says(&q.PerUser, of), m.heldUnder(name, of, w.User); most != nil && held+n > *most {
				t.Fatalf("%s takes %d of %s beside %d that %s holds in %s, of %d", w.Key, n, of, held, w.User, name, *most)
			}
		}
	}
}

// failer is what checks fail with.
type failer interface {
	Fatalf(format string, args ...any)
}

// check fails where something is given away twice, a gang is not whole, or a start is not within the quotas.
func (m *model) check(t failer, starts []Start, now time.Time) {
	for _, s := range starts {
		w, waits := m.waiting[s.Key]
		if !waits {
			t.Fatalf("%s starts and does not wait", s.Key)
		}
		placed := int64(0)
		for _, share := range s.Nodes {
			placed += share.Replicas
		}
		if placed != w.Replicas {
			t.Fatalf("%s: %d of %d replicas placed", s.Key, placed, w.Replicas)
		}
		if len(w.Models) > 0 && !slices.Contains(w.Models, s.Model) {
			t.Fatalf("%s starts on %q, and takes %v", s.Key, s.Model, w.Models)
		}
		racks := map[string]bool{}
		for _, share := range s.Nodes {
			n := m.nodes[share.Node]
			if n.Spot && !w.Spot || len(w.Pools) > 0 && !slices.Contains(w.Pools, n.Pool) {
				t.Fatalf("%s starts on %+v; spot: %t, pools: %v", s.Key, n, w.Spot, w.Pools)
			}
			if racks[strings.Join(n.Domains[:min(len(n.Domains), w.Within)], "/")] = true; w.Within > 0 && len(racks) > 1 {
				t.Fatalf("%s starts in %v, and wants one", s.Key, racks)
			}
		}
		m.allows(t, w, counts(w.Replica.Times(placed), s.Model))
		m.start(s, now)
	}
	free := map[string]Amounts{}
	for name, n := range m.nodes {
		free[name] = n.Allocatable.Minus(n.Foreign)
	}
	for _, r := range m.running {
		for _, s := range r.Nodes {
			free[s.Node] = free[s.Node].Minus(r.Replica.Times(s.Replicas))
		}
	}
	for _, s := range starts {
		for _, share := range s.Nodes {
			asked := m.running[s.Key].Replica
			if is := m.nodes[share.Node].GPUModel; asked.GPUs > 0 && is != s.Model {
				t.Fatalf("%s was given GPUs of %s on %s, which has %s", s.Key, s.Model, share.Node, is)
			}
			if left := free[share.Node]; asked.GPUs > 0 && left.GPUs < 0 || left.MilliCPU < 0 || left.Memory < 0 {
				t.Fatalf("node %s was given away twice: %+v is left", share.Node, left)
			}
		}
	}
}

// Draws of the world's parts.

func drawQuotas(t *rapid.T) []Quota {
	n := rapid.IntRange(1, 5).Draw(t, "quotas")
	quotas := make([]Quota, n)
	optional := func(name string) *int64 {
		if rapid.Bool().Draw(t, name+" set") {
			return limit(rapid.Int64Range(0, 8).Draw(t, name))
		}
		return nil
	}
	for i := range quotas {
		q := gpuQuota(fmt.Sprintf("q%d", i), rapid.Int64Range(0, 12).Draw(t, "nominal"))
		if i > 0 {
			if parent := rapid.IntRange(-1, i-1).Draw(t, "parent"); parent >= 0 {
				q.Parent = fmt.Sprintf("q%d", parent)
				q.Borrowing.GPUs, q.Lending.GPUs = optional("borrowing"), optional("lending")
				q.Borrowing.Models, q.Lending.Models = drawModels(t, "borrowing", 4), drawModels(t, "lending", 4)
			}
		}
		if q.Nominal.Models = drawModels(t, "nominal", 3); q.Nominal.Models != nil && rapid.Bool().Draw(t, "only models") {
			q.Nominal.GPUs, q.Nominal.OnlyModels = nil, true
		}
		if rapid.IntRange(0, 3).Draw(t, "few cores") == 0 {
			q.Nominal.MilliCPU = limit(rapid.Int64Range(0, 12).Draw(t, "cores") * 1000)
		}
		if rapid.IntRange(0, 3).Draw(t, "few jobs") == 0 {
			q.Nominal.Jobs = limit(rapid.Int64Range(0, 6).Draw(t, "running jobs"))
		}
		q.Weight = rapid.Int64Range(1, 3).Draw(t, "weight")
		if rapid.Bool().Draw(t, "per user") {
			q.PerUser = Limits{GPUs: optional("GPUs per user"), Jobs: optional("jobs per user"), Models: drawModels(t, "per user", 4)}
			if cores := optional("cores per user"); cores != nil {
				q.PerUser.MilliCPU = limit(1000 * *cores)
			}
		}
		if rapid.Bool().Draw(t, "preempts") {
			q.Preemption = Preemption{
				LowerPriority: Victims(rapid.IntRange(0, 2).Draw(t, "lower priority")), Reclaim: Victims(rapid.IntRange(0, 2).Draw(t, "reclaim")),
				Quantum: rapid.SampledFrom([]time.Duration{0, time.Minute}).Draw(t, "quantum"), MinRun: rapid.SampledFrom([]time.Duration{0, 2 * time.Minute}).Draw(t, "safe for"),
			}
		}
		quotas[i] = q
	}
	return quotas
}

// drawModels are bounds on the GPUs of models, once in so many times; nil for none.
func drawModels(t *rapid.T, name string, times int) map[string]int64 {
	var all map[string]int64
	for _, model := range []string{"A100", "H100"} {
		if rapid.IntRange(1, times).Draw(t, name+" of "+model) == 1 {
			if all == nil {
				all = map[string]int64{}
			}
			all[model] = rapid.Int64Range(0, 8).Draw(t, model)
		}
	}
	return all
}

func drawNode(t *rapid.T, name string) Node {
	model := rapid.SampledFrom([]string{"A100", "H100"}).Draw(t, "model")
	n := gpuNode(name, model, rapid.Int64Range(1, 8).Draw(t, "gpus"), rapid.SampledFrom([]string{"rack-1", "rack-2"}).Draw(t, "rack"))
	n.Spot = rapid.IntRange(0, 4).Draw(t, "spot node") == 0
	return n
}

func drawJob(t *rapid.T, key string, quotas []Quota, now time.Time) Waiting {
	w := job(key, rapid.Int64Range(0, 4).Draw(t, "job gpus"), replicas(rapid.Int64Range(1, 3).Draw(t, "replicas")))
	w.Replica.MilliCPU = rapid.SampledFrom([]int64{500, 1000, 4000}).Draw(t, "job cores")
	w.Quota = rapid.SampledFrom(quotas).Draw(t, "quota").Name
	w.User = rapid.SampledFrom([]string{"carol", "dave"}).Draw(t, "user")
	w.Priority = rapid.IntRange(-1, 1).Draw(t, "priority")
	w.Since = now
	w.Span = rapid.SampledFrom([]time.Duration{0, time.Minute, time.Hour}).Draw(t, "span")
	w.Preemptible = rapid.Bool().Draw(t, "preemptible")
	w.Avoid = rapid.SampledFrom([]string{"", "n0", "n1"}).Draw(t, "avoid")
	w.Spot = rapid.Bool().Draw(t, "spot")
	w.Pools = rapid.SampledFrom([][]string{nil, nil, {"A100"}, {"H100", "A100"}}).Draw(t, "pools")
	w.Within = rapid.SampledFrom([]int{0, 0, 1}).Draw(t, "within")
	w.Overdue = rapid.IntRange(0, 4).Draw(t, "overdue") == 0
	if rapid.IntRange(0, 4).Draw(t, "until a time") == 0 {
		w.Until = now.Add(time.Duration(rapid.IntRange(1, 60).Draw(t, "until")) * time.Minute)
	}
	if w.Replica.GPUs > 0 {
		w.Models = rapid.SampledFrom([][]string{nil, {"A100"}, {"H100", "A100"}}).Draw(t, "models")
	}
	return w
}

// life draws a world and what happens in it, step by step, and calls after each decision.
func life(t *rapid.T, o Options, decided func(e *Engine, m *model, d Decisions, now time.Time)) {
	lifeBy(t, o, func(e *Engine, _ *model, now time.Time) Decisions { return e.Decide(now) }, decided)
}

// lifeInParts is a life in which no more than so many start at a time. It calls after the last part of the decisions.
func lifeInParts(t *rapid.T, o Options, decided func(e *Engine, m *model, d Decisions, now time.Time)) {
	most := rapid.SampledFrom([]int{1, 2, 1000}).Draw(t, "at a time")
	lifeBy(t, o, func(e *Engine, m *model, now time.Time) Decisions {
		for {
			started := 0
			d := e.DecideSome(now, func(Start) bool { started++; return started == most })
			if started < most {
				return d
			}
			m.displace(t, d)
			m.check(t, d.Starts, now)
		}
	}, decided)
}

func lifeBy(t *rapid.T, o Options, decide func(e *Engine, m *model, now time.Time) Decisions, decided func(e *Engine, m *model, d Decisions, now time.Time)) {
	m := newModel()
	quotas := drawQuotas(t)
	for _, q := range quotas {
		m.quotas[q.Name] = q
	}
	for i := range rapid.IntRange(1, 4).Draw(t, "nodes") {
		n := drawNode(t, fmt.Sprintf("n%d", i))
		m.nodes[n.Name] = n
	}
	e := m.engine(o)
	now := start
	for step := range rapid.IntRange(1, 25).Draw(t, "steps") {
		now = now.Add(time.Duration(rapid.IntRange(1, 100).Draw(t, "seconds")) * time.Second)
		switch rapid.IntRange(0, 10).Draw(t, "what") {
		case 0: // a node comes or changes
			name := fmt.Sprintf("n%d", rapid.IntRange(0, 4).Draw(t, "node"))
			n, there := m.nodes[name]
			if there && rapid.Bool().Draw(t, "others") {
				n.Foreign.GPUs = rapid.Int64Range(0, n.Allocatable.GPUs).Draw(t, "of others")
			} else {
				n = drawNode(t, name)
			}
			m.nodes[n.Name] = n
			e.SetNode(n)
		case 1: // a node goes
			name := fmt.Sprintf("n%d", rapid.IntRange(0, 4).Draw(t, "node"))
			delete(m.nodes, name)
			e.RemoveNode(name)
		case 2: // a quota changes
			q := rapid.SampledFrom(quotas).Draw(t, "which")
			q.Nominal.GPUs = limit(rapid.Int64Range(0, 12).Draw(t, "new nominal"))
			m.quotas[q.Name] = q
			e.SetQuota(q)
		case 3, 4, 5: // a job ends
			if len(m.running) > 0 {
				key := rapid.SampledFrom(sortedKeys(m.running)).Draw(t, "ends")
				delete(m.running, key)
				e.RemoveRunning(key)
			}
		case 6: // a job is cancelled
			if len(m.waiting) > 0 {
				key := rapid.SampledFrom(sortedKeys(m.waiting)).Draw(t, "cancelled")
				delete(m.waiting, key)
				e.RemoveWaiting(key)
			}
		case 7: // more is known of when a job ends
			if len(m.running) > 0 {
				key := rapid.SampledFrom(sortedKeys(m.running)).Draw(t, "which")
				r := m.running[key]
				r.Ending = rapid.Bool().Draw(t, "ending")
				if r.End = (time.Time{}); rapid.Bool().Draw(t, "known") {
					r.End = now.Add(time.Duration(rapid.IntRange(-100, 1000).Draw(t, "left")) * time.Second)
				}
				m.running[key] = r
				e.SetRunning(r)
			}
		default: // jobs come
			for i := range rapid.IntRange(1, 3).Draw(t, "jobs") {
				w := drawJob(t, fmt.Sprintf("j%d-%d", step, i), quotas, now)
				m.waiting[w.Key] = w
				e.SetWaiting(w)
			}
		}
		d := decide(e, m, now)
		m.displace(t, d)
		decided(e, m, d, now)
	}
}

// displace marks jobs that give way. It fails where one does not run, is being ended already, or gives way to nobody who waits.
func (m *model) displace(t failer, d Decisions) {
	for _, v := range d.Displaced {
		r, runs := m.running[v.Key]
		if _, waits := m.waiting[v.For]; !runs || r.Ending || !waits {
			t.Fatalf("%s gives way to %s; runs: %t, is being ended: %t, the other waits: %t", v.Key, v.For, runs, r.Ending, waits)
		}
		r.Ending = true
		m.running[v.Key] = r
	}
}

// drawOptions are those of an engine that holds others back at once or later, and works that out always or now and then.
func drawOptions(t *rapid.T) Options {
	draw := func(name string) time.Duration {
		return rapid.SampledFrom([]time.Duration{0, 5 * time.Second, 2 * time.Minute}).Draw(t, name)
	}
	return Options{Patience: draw("patience"), Urgency: draw("urgency"), Renewal: draw("renewal"), MaxAge: draw("age")}
}

// An engine that was told what changed, step by step, gives nothing away twice and exceeds no quota; it never leaves a job
// waiting that an engine which is told everything anew would start; and every waiting job has a reason.
func TestNothingIsForgotten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := Options{Reservations: -1}
		lifeInParts(t, o, func(e *Engine, m *model, d Decisions, now time.Time) {
			m.check(t, d.Starts, now)
			if again := m.engine(o).Decide(now); len(again.Starts) > 0 {
				t.Fatalf("%s waits, and a new engine starts it", again.Starts[0].Key)
			}
			expectReasons(t, e, m)
		})
	})
}

// The same with reservations, where who is held back for whom depends on what was decided before.
func TestReservationsGiveNothingAwayTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := drawOptions(t)
		lifeInParts(t, o, func(e *Engine, m *model, d Decisions, now time.Time) {
			m.check(t, d.Starts, now)
			expectReasons(t, e, m)
			if len(e.heads) > 0 {
				return
			}
			if again := m.engine(o).Decide(now); len(again.Starts) > 0 {
				t.Fatalf("%s waits for nobody, and a new engine starts it", again.Starts[0].Key)
			}
		})
	})
}

// A reservation leaves to others no more than there is beside what it is for, once those have ended of whom it says so, whatever
// starts and ends meanwhile. Of nodes it leaves exactly that.
func TestReservationsLeaveWhatThereIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lifeInParts(t, drawOptions(t), func(e *Engine, m *model, d Decisions, now time.Time) {
			m.check(t, d.Starts, now)
			for _, head := range e.heads {
				expectLeft(t, e, head)
			}
			expectNobodyCouldStart(t, e, now)
		})
	})
}

// expectNobodyCouldStart looks at all that wait beside what is kept for others.
func expectNobodyCouldStart(t failer, e *Engine, now time.Time) {
	for _, q := range e.queues {
		for c := range q.blocked {
			if c.ready != nil { // it is looked at next
				continue
			}
			kept := e.dropReservation(c)
			found := e.try(c, now)
			if kept != nil {
				e.keep(c, kept)
			}
			if found.shares != nil {
				t.Fatalf("%s waits and could start: %s", c.first().Key, e.Message(c.first().Key))
			}
		}
	}
}

func expectLeft(t failer, e *Engine, head *class) {
	kept := head.reservation
	w := whatIf{engine: e, class: head}
	defer w.undo()
	for r := range kept.gone {
		w.release(r)
	}
	e.hold(kept.job)
	defer e.release(kept.job)
	for _, b := range kept.bounds {
		if room := b.room(); b.left > room {
			t.Fatalf("%s leaves %d of dimension %d in %s, where there are %d", head.first().Key, b.left, b.of, b.queue.Name, room)
		}
	}
	for _, h := range kept.holds {
		if h.left != h.on.free {
			t.Fatalf("%s leaves %+v of %s, where there are %+v", head.first().Key, h.left, h.on.Name, h.on.free)
		}
	}
}

func expectReasons(t failer, e *Engine, m *model) {
	for key := range m.waiting {
		if reason, position := e.Reason(key); reason == "" || position < 1 || e.Message(key) == "" {
			t.Fatalf("%s waits and nobody says why", key)
		}
	}
}

// What was tried out leaves no trace in the ledger.
func TestTheLedgerIsTheSumOfWhatRuns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lifeInParts(t, Options{}, func(e *Engine, m *model, d Decisions, now time.Time) {
			m.check(t, d.Starts, now)
			expectLedger(t, e, m)
		})
	})
}

func expectLedger(t failer, e *Engine, m *model) {
	fresh := m.engine(Options{})
	fresh.rebuild()
	for name, q := range e.queues {
		for d := range firstModel {
			if got, want := q.used.at(d), fresh.queues[name].used.at(d); got != want {
				t.Fatalf("quota %s uses %d of dimension %d, want %d", name, got, d, want)
			}
		}
	}
	for name, n := range e.nodes {
		if n.free != fresh.nodes[name].free {
			t.Fatalf("node %s has %+v free, want %+v", name, n.free, fresh.nodes[name].free)
		}
		if !n.drained.Equal(fresh.nodes[name].drained) {
			t.Fatalf("node %s is empty by %s, want %s", name, n.drained, fresh.nodes[name].drained)
		}
		if !slices.Contains(n.group.bucket(n).items, n) {
			t.Fatalf("node %s is not where it is looked for", name)
		}
	}
}

// A use fits exactly where it is within what the quota may use.
func TestSlackIsWhatIsAvailable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		life(t, Options{Reservations: -1}, func(e *Engine, m *model, d Decisions, now time.Time) {
			m.check(t, d.Starts, now)
			for name, q := range e.queues {
				available := m.available(name, ofGPUs)
				for n := max(1, available-2); n < available+3; n++ {
					left, _ := q.slack("nobody", use{dimGPUs, n})
					if q.users != nil && n > q.bounds[dimGPUs].user {
						continue
					}
					tooMuchForUser := false
					for at := q; at != nil; at = at.parent {
						tooMuchForUser = tooMuchForUser || at.users != nil && n > at.bounds[dimGPUs].user
					}
					if !tooMuchForUser && (left >= 0) != (n <= available) {
						t.Fatalf("%d of %s: %d left, %d available", n, name, left, available)
					}
				}
			}
		})
	})
}

// The order in which the world is listed does not matter.
func TestOrderOfListingDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		quotas := drawQuotas(t)
		m := newModel()
		for _, q := range quotas {
			m.quotas[q.Name] = q
		}
		for i := range 3 {
			n := drawNode(t, fmt.Sprintf("n%d", i))
			m.nodes[n.Name] = n
		}
		for i := range rapid.IntRange(1, 12).Draw(t, "jobs") {
			w := drawJob(t, fmt.Sprintf("j%02d", i), quotas, start)
			m.waiting[w.Key] = w
		}
		one := New(Options{})
		backwards := New(Options{})
		nodes, jobs, names := sortedKeys(m.nodes), sortedKeys(m.waiting), sortedKeys(m.quotas)
		for _, key := range jobs {
			one.SetWaiting(m.waiting[key])
		}
		for _, key := range nodes {
			one.SetNode(m.nodes[key])
		}
		for _, key := range names {
			one.SetQuota(m.quotas[key])
		}
		for _, keys := range [][]string{nodes, jobs, names} {
			slices.Reverse(keys)
		}
		for _, key := range names {
			backwards.SetQuota(m.quotas[key])
		}
		for _, key := range nodes {
			backwards.SetNode(m.nodes[key])
		}
		for _, key := range jobs {
			backwards.SetWaiting(m.waiting[key])
		}
		if a, b := fmt.Sprint(one.Decide(start).Starts), fmt.Sprint(backwards.Decide(start).Starts); a != b {
			t.Fatalf("the order of listing changed the decisions:\n%s\n%s", a, b)
		}
	})
}
