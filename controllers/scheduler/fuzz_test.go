package scheduler

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/scheduling"
	"github.com/soma-platform/soma/internal/testing/corpus"
	"github.com/soma-platform/soma/internal/testing/promises"
)

// FuzzSpec turns bytes into quotas, presets, nodes and jobs as people write them, and into what happens to them, and has all of it
// read, decided on and reserved as the scheduler does. Nothing panics, nothing is given away twice, and what starts is what its
// spec asks for. `make test-fuzz` looks for bytes for which that is not so; without it, the corpus alone is played.
func FuzzSpec(f *testing.F) {
	corpus.Add(f, 100, 32<<10)
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) {
		s := newSpecs(t)
		for range rapid.IntRange(4, 20).Draw(t, "steps") {
			s.happens()
			s.round()
		}
		if err := promises.Check(s.events); err != nil {
			t.Fatal(err)
		}
	}))
}

// specs is a world of objects, and what the scheduler knows of it.
type specs struct {
	*rapid.T
	*shelf
	view *view
	now  time.Time
	// changed is what happened since the last round, events all that ever did.
	changed batch
	events  []promises.Event
	version int64
}

func newSpecs(t *rapid.T) *specs {
	s := &specs{T: t, shelf: &shelf{jobs: toolscache.NewStore(toolscache.MetaNamespaceKeyFunc), nodes: map[string]*corev1.Node{}}, now: now, changed: newBatch()}
	for i := range rapid.IntRange(2, 5).Draw(t, "quotas") {
		s.quotas = append(s.quotas, drawQuota(t, i))
		s.tell(promises.Event{Quota: s.quotas[i].DeepCopy()})
	}
	for i := range 3 {
		s.projects = append(s.projects, drawProject(t, i, len(s.quotas)))
	}
	s.clusters = []platformv1.Cluster{drawCluster(t)}
	for i := range rapid.IntRange(2, 5).Draw(t, "nodes") {
		s.setNode(drawNode(t, i))
	}
	kept := func(context.Context) (toolscache.Store, error) { return s.jobs, nil }
	s.view = newView(s.shelf, kept, scheduling.New(scheduling.Options{Patience: time.Minute, Urgency: time.Second}))
	return s
}

func (s *specs) tell(e promises.Event) {
	s.version++
	e.Revision = s.version
	s.events = append(s.events, e)
}

func (s *specs) setNode(node *corev1.Node) {
	s.nodes[node.Name] = node
	s.changed.addNodes([]string{node.Name})
	s.tell(promises.Event{Node: node})
}

// write is a new version of a job.
func (s *specs) write(job *platformv1.Job) {
	job.ResourceVersion = fmt.Sprint(s.version + 1)
	if err := s.jobs.Update(job); err != nil {
		s.Fatal(err)
	}
	s.changed.jobs[client.ObjectKeyFromObject(job)] = struct{}{}
	s.tell(promises.Event{Job: job})
}

// those are the jobs that are, or are not, running, in order.
func (s *specs) those(running bool) []*platformv1.Job {
	var all []*platformv1.Job
	for _, key := range slices.Sorted(slices.Values(s.jobs.ListKeys())) {
		o, _, _ := s.jobs.GetByKey(key)
		if job := o.(*platformv1.Job); !job.Status.Phase.Finished() && (job.Status.Reservation != nil) == running { //nolint:forcetypeassert // there is nothing else
			all = append(all, job)
		}
	}
	return all
}

// happens is what people, nodes and jobs do before the next round.
func (s *specs) happens() {
	s.now = s.now.Add(time.Duration(rapid.IntRange(1, 100).Draw(s.T, "seconds")) * time.Second)
	switch rapid.IntRange(0, 7).Draw(s.T, "what") {
	case 0:
		s.setNode(drawNode(s.T, rapid.IntRange(0, 5).Draw(s.T, "node")))
	case 1:
		i := rapid.IntRange(0, len(s.quotas)-1).Draw(s.T, "quota")
		generation := s.quotas[i].Generation + 1
		s.quotas = slices.Clone(s.quotas)
		s.quotas[i] = drawQuota(s.T, i)
		s.quotas[i].Generation, s.changed.around = generation, true
		s.tell(promises.Event{Quota: s.quotas[i].DeepCopy()})
	case 2:
		generation := s.clusters[0].Generation + 1
		s.clusters = []platformv1.Cluster{drawCluster(s.T)}
		s.clusters[0].Generation, s.changed.around = generation, true
	case 3, 4:
		if running := s.those(true); len(running) > 0 {
			job := rapid.SampledFrom(running).Draw(s.T, "ends").DeepCopy()
			job.Status.Reservation, job.Status.Phase = nil, platformv1.JobSucceeded
			job.Status.Journal.Append(platformv1.Transition{Phase: string(platformv1.JobSucceeded)})
			s.write(job)
		}
	default:
		for range rapid.IntRange(1, 3).Draw(s.T, "jobs") {
			s.write(drawJob(s.T, s.version, s.now))
		}
	}
}

// round is one of the scheduler's, whose writes all come to be.
func (s *specs) round() {
	if err := s.view.look(s.Context(), s.changed, s.now); err != nil {
		s.Fatal(err)
	}
	s.changed = newBatch()
	state := s.view.state(s.now)
	s.view.ask(state)
	decided := s.view.engine.Decide(s.now)
	for _, d := range state.started(decided) {
		c := state.candidates[d.key]
		if c == nil || c.why() != nil || c.job.Status.Reservation != nil {
			s.Fatalf("%s starts and was not asked for: %+v", d.key, c)
		}
		job := c.job.DeepCopy()
		status, err := reserve(c, d.placement, s.now)
		if err != nil {
			s.Fatal(err)
		}
		job.Status = status
		s.asked(job)
		s.write(job)
	}
	for _, d := range decided.Displaced {
		job, other := s.view.running[d.Key], state.candidates[d.For]
		if job == nil || other == nil || job.Status.Reservation.Ending != "" {
			s.Fatalf("%s gives way to %s: %v, %v", d.Key, d.For, job, other)
		}
		job = job.DeepCopy()
		job.Status = displace(job, d, other.job, s.now)
		s.write(job)
	}
	for uid, c := range state.candidates {
		reason, _ := s.view.engine.Reason(uid)
		starts := slices.ContainsFunc(decided.Starts, func(d scheduling.Start) bool { return d.Key == uid })
		if why := c.why(); !starts && reason == "" && (why == nil || why.Reason == "" || why.Message == "") {
			s.Fatalf("%s waits and nobody says why", uid)
		}
	}
}

// asked fails where a job that starts is given something else than its spec says.
func (s *specs) asked(job *platformv1.Job) {
	spec, got, cluster := &job.Spec, job.Status.Reservation, &s.clusters[0]
	want, gpus := s.resources(spec), int32(0)
	var models []string
	if want.GPU != nil {
		gpus, models = want.GPU.Count, want.GPU.Models
		if want.GPU.Model != "" {
			models = []string{want.GPU.Model}
		}
	}
	if got.Replica.CPU.Cmp(*want.CPU) != 0 || got.Replica.Memory.Cmp(*want.Memory) != 0 || got.Replica.GPUs != gpus {
		s.Fatalf("it asks for %v and is given %+v", want, got.Replica)
	}
	if gpus > 0 && len(models) > 0 && !slices.Contains(models, got.Replica.GPUModel) {
		s.Fatalf("it takes %v and is given %s", models, got.Replica.GPUModel)
	}
	if spec.SuspendRequested() || spec.CancelRequested() || spec.Cluster != "" && spec.Cluster != got.Cluster || got.Cluster != cluster.Name {
		s.Fatalf("it should not run, or not on %s: %+v", got.Cluster, spec)
	}
	placement, count, domains := ptr.Deref(spec.Placement, platformv1.Placement{}), int32(0), map[string]bool{}
	for _, share := range got.Nodes {
		count += share.Replicas
		node := s.nodes[share.Node]
		domains[node.Labels[rackLabel]] = true
		switch pool := node.Labels[platformv1.LabelPool]; {
		case want.CPU.Cmp(*node.Status.Allocatable.Cpu()) > 0 || want.Memory.Cmp(*node.Status.Allocatable.Memory()) > 0:
			s.Fatalf("it asks for %s cores and %s of memory, and is given %s of %v", want.CPU, want.Memory, node.Name, node.Status.Allocatable)
		case node.Spec.Unschedulable:
			s.Fatalf("it was given %s, which is cordoned", node.Name)
		case pool != got.Pool, len(placement.Pools) > 0 && !slices.Contains(placement.Pools, pool):
			s.Fatalf("it takes pools %v and is given %s of %s, as one of %s", placement.Pools, node.Name, pool, got.Pool)
		case node.Labels[platformv1.LabelSpot] == "true" && !ptr.Deref(placement.Spot, false):
			s.Fatalf("it was given %s, which may be taken away", node.Name)
		case gpus > 0 && node.Labels[platformv1.LabelGPUModel] != got.Replica.GPUModel:
			s.Fatalf("it was given %s of %s, which has others", got.Replica.GPUModel, node.Name)
		}
	}
	if count != ptr.Deref(spec.Replicas, 1) {
		s.Fatalf("it asks for %d replicas and is given %d", ptr.Deref(spec.Replicas, 1), count)
	}
	if placement.Within == rack && count > 1 && (len(domains) > 1 || domains[""]) {
		s.Fatalf("it is to be in one rack and is in %v", domains)
	}
}

// resources are those of one replica, of the job's own words or of its preset.
func (s *specs) resources(spec *platformv1.JobSpec) platformv1.JobResources {
	if own := spec.Resources; own != nil && own.CPU != nil {
		return *own
	}
	for _, preset := range s.clusters[0].Spec.Presets {
		if spec.Preset == "" || spec.Preset == preset.Name {
			return platformv1.JobResources{CPU: &preset.CPU, Memory: &preset.Memory, GPU: preset.GPU}
		}
	}
	s.Fatalf("preset %q does not exist", spec.Preset)
	return platformv1.JobResources{}
}
