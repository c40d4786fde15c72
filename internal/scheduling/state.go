// Package scheduling decides which waiting jobs start now, and on which nodes. It is pure: the state of the world goes in,
// decisions come out, and the same state gives the same decisions.
package scheduling

import (
	"time"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// Amounts are integers in the smallest unit that matters, so that sums are exact: thousandths of a core, bytes, GPUs.
type Amounts struct {
	MilliCPU int64
	Memory   int64
	GPUs     int64
}

// Plus is the sum of both.
func (a Amounts) Plus(b Amounts) Amounts {
	return Amounts{a.MilliCPU + b.MilliCPU, a.Memory + b.Memory, a.GPUs + b.GPUs}
}

// Minus is the difference of both. It may be negative, as when a node shrank under its pods.
func (a Amounts) Minus(b Amounts) Amounts {
	return Amounts{a.MilliCPU - b.MilliCPU, a.Memory - b.Memory, a.GPUs - b.GPUs}
}

// Times is n times the amounts.
func (a Amounts) Times(n int64) Amounts {
	return Amounts{a.MilliCPU * n, a.Memory * n, a.GPUs * n}
}

// Fits reports whether the amounts are within free.
func (a Amounts) Fits(free Amounts) bool {
	return a.MilliCPU <= free.MilliCPU && a.Memory <= free.Memory && a.GPUs <= free.GPUs
}

// count is how many times the amounts fit into free.
func (a Amounts) count(free Amounts) int64 {
	n := int64(1 << 30)
	for _, pair := range [][2]int64{{a.MilliCPU, free.MilliCPU}, {a.Memory, free.Memory}, {a.GPUs, free.GPUs}} {
		if pair[0] > 0 {
			n = min(n, pair[1]/pair[0])
		}
	}
	return max(n, 0)
}

// Node is one node on which jobs may start.
type Node struct {
	Name     string
	Pool     string
	GPUModel string
	// Allocatable is what the node can give to pods at all.
	Allocatable Amounts
	// Free is what it can still give: Allocatable less all pods on it and all reservations for it.
	Free Amounts
	// GPUOnly nodes take no jobs without GPUs.
	GPUOnly bool
	// Pods is how many more pods the node takes.
	Pods int64
}

// Quota is what a quota grants and what is held of it.
type Quota struct {
	Name    string
	Nominal Limits
	PerUser Limits
	// Held is what reservations under the quota hold, and the same by user.
	Held  Usage
	Users map[string]*Usage
}

// Limits are upper bounds. A bound that is nil does not exist.
type Limits struct {
	MilliCPU, Memory, GPUs, Jobs *int64
	// Models bounds the GPUs of single models.
	Models map[string]int64
	// OnlyModels reports that GPUs of models that are not listed may not be used.
	OnlyModels bool
}

// Usage is what reservations hold.
type Usage struct {
	Amounts
	Jobs   int64
	Models map[string]int64
}

// Add counts a job's reservation in.
func (u *Usage) Add(amounts Amounts, model string) {
	u.Amounts = u.Plus(amounts)
	u.Jobs++
	if amounts.GPUs > 0 && model != "" {
		if u.Models == nil {
			u.Models = map[string]int64{}
		}
		u.Models[model] += amounts.GPUs
	}
}

// Waiting is a job that wants to start.
type Waiting struct {
	// Key tells the job from all others; it is the last word in the order.
	Key      string
	Priority platformv1.JobPriority
	// Since is when the job began to wait.
	Since time.Time
	User  string
	// Quota that the job counts against. Nil with a Refusal where there is none.
	Quota *Quota
	// Refusal is why the job cannot start whatever is free: it is passed on as the decision.
	Refusal *Refusal
	// Replica is what each replica asks for, Model the GPU model that it wants; any will do where it is empty.
	Replica  Amounts
	Model    string
	Replicas int64
}

// Refusal is why a job does not start.
type Refusal struct {
	Reason  platformv1.JobReason
	Message string
}

// Placement is where a job starts.
type Placement struct {
	Pool  string
	Model string
	Nodes []Share
}

// Share is a number of replicas on a node.
type Share struct {
	Node     string
	Replicas int64
}

// Decision is what becomes of a waiting job: a placement, or a refusal and the position in the queue.
type Decision struct {
	Key       string
	Placement *Placement
	Refusal   *Refusal
	Position  int32
}
