package scheduling

import (
	"cmp"
	"fmt"
	"slices"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// Decide goes through the waiting jobs in their order and starts every one that its quota and the nodes have room for.
// What it places it takes from the quotas and nodes of the state, so that one call never gives the same thing twice.
func Decide(waiting []*Waiting, nodes []*Node) []Decision {
	Order(waiting)
	engine := engine{nodes: sorted(nodes), full: map[shape]bool{}}
	decisions := make([]Decision, 0, len(waiting))
	position := int32(0)
	for _, job := range waiting {
		decision := engine.decide(job)
		if decision.Refusal != nil {
			position++
			decision.Position = position
		}
		decisions = append(decisions, decision)
	}
	return decisions
}

// Order sorts waiting jobs: higher priority first, then those who wait longer, then by key.
func Order(waiting []*Waiting) {
	slices.SortFunc(waiting, func(a, b *Waiting) int {
		return cmp.Or(cmp.Compare(rank(b.Priority), rank(a.Priority)), a.Since.Compare(b.Since), cmp.Compare(a.Key, b.Key))
	})
}

func rank(priority platformv1.JobPriority) int {
	switch priority {
	case platformv1.PriorityHigh:
		return 1
	case platformv1.PriorityLow:
		return -1
	default:
		return 0
	}
}

// shape is all of a job that matters to where it can be placed.
type shape struct {
	replica  Amounts
	model    string
	replicas int64
}

type engine struct {
	nodes []*Node
	// full remembers the shapes that found no place in this round: nothing is given back within a round, so the next job of
	// the same shape finds none either.
	full map[shape]bool
}

func (e *engine) decide(job *Waiting) Decision {
	if job.Refusal != nil {
		return refused(job, *job.Refusal)
	}
	models := e.models(job)
	if refusal := e.impossible(job, models); refusal != nil {
		return refused(job, *refusal)
	}
	var verdict *Refusal
	for _, model := range models {
		if refusal := job.Quota.check(job, model); refusal != nil {
			verdict = better(verdict, refusal)
			continue
		}
		if placement := e.place(job, model); placement != nil {
			job.Quota.Hold(job.User, job.total(), placement.Model)
			return Decision{Key: job.Key, Placement: placement}
		}
		verdict = better(verdict, &Refusal{platformv1.JobReasonQueued, e.busy(job, model)})
	}
	return refused(job, *verdict)
}

// better keeps the verdict that is nearer to a start: waiting for others before waiting for quota before never.
func better(a, b *Refusal) *Refusal {
	order := []platformv1.JobReason{platformv1.JobReasonQueued, platformv1.JobReasonQuotaExceeded}
	index := func(r *Refusal) int {
		if i := slices.Index(order, r.Reason); i >= 0 {
			return i
		}
		return len(order)
	}
	if a == nil || index(b) < index(a) {
		return b
	}
	return a
}

func refused(job *Waiting, refusal Refusal) Decision {
	return Decision{Key: job.Key, Refusal: &refusal}
}

func (w *Waiting) total() Amounts { return w.Replica.Times(w.Replicas) }

// models are the GPU models that the job would take, one try each; a job without GPUs has the one empty model.
func (e *engine) models(job *Waiting) []string {
	if job.Replica.GPUs == 0 || job.Model != "" {
		return []string{job.Model}
	}
	var models []string
	for _, node := range e.nodes {
		if node.Allocatable.GPUs > 0 && !slices.Contains(models, node.GPUModel) {
			models = append(models, node.GPUModel)
		}
	}
	slices.Sort(models)
	if len(models) == 0 {
		return []string{""}
	}
	return models
}

// impossible tells a job that no amount of waiting would start from one that waits for others.
func (e *engine) impossible(job *Waiting, models []string) *Refusal {
	for _, model := range models {
		slots := int64(0)
		for _, node := range e.nodes {
			if node.takes(job, model) {
				slots += min(job.Replica.count(node.Allocatable), job.Replicas)
			}
		}
		if slots >= job.Replicas {
			return nil
		}
	}
	return &Refusal{platformv1.JobReasonUnschedulable, e.whyImpossible(job)}
}

func (e *engine) whyImpossible(job *Waiting) string {
	if len(e.nodes) == 0 {
		return "the cluster has no node on which a job can start"
	}
	largest, matching, slots := Amounts{}, 0, int64(0)
	for _, node := range e.nodes {
		if job.Replica.GPUs > 0 && job.Model != "" && node.GPUModel != job.Model {
			continue
		}
		matching++
		largest = Amounts{max(largest.MilliCPU, node.Allocatable.MilliCPU), max(largest.Memory, node.Allocatable.Memory), max(largest.GPUs, node.Allocatable.GPUs)}
		slots += job.Replica.count(node.Allocatable)
	}
	if matching == 0 {
		return fmt.Sprintf("no node has GPUs of the model %q", job.Model)
	}
	if slots > 0 {
		return fmt.Sprintf("%d replicas start together, and the cluster has room for %d even when it is empty", job.Replicas, slots)
	}
	return fmt.Sprintf("a replica asks for %s; the largest that a node can give is %s", describe(job.Replica), describe(largest))
}

func (e *engine) busy(job *Waiting, model string) string {
	free := int64(0)
	for _, node := range e.nodes {
		if node.takes(job, model) {
			free += node.slots(job)
		}
	}
	if job.Replicas > 1 {
		return fmt.Sprintf("waiting for others to end: there is room for %d of %d replicas, which start together", free, job.Replicas)
	}
	what := describe(job.Replica)
	if model != "" {
		what += " of " + model
	}
	return "waiting for others to end: no node has " + what + " free"
}

func describe(a Amounts) string {
	text := fmt.Sprintf("%g cpu, %.4g GiB memory", float64(a.MilliCPU)/1000, float64(a.Memory)/(1<<30))
	if a.GPUs > 0 {
		text += fmt.Sprintf(", %d GPUs", a.GPUs)
	}
	return text
}
