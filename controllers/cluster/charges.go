package cluster

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// evidence is one job that failed on a node.
type evidence struct {
	job, user string
	reason    v1alpha1.JobReason
	// sure reports that what it failed of lies with the node.
	sure bool
}

// charge is what speaks against a node: at most one piece of evidence for each job.
type charge []evidence

// suffices reports whether so many jobs failed of what lies with the node for sure; or so many, of more than one user, if one
// counts those that succeeded elsewhere.
func (c charge) suffices(jobs int) bool {
	sure, users := 0, map[string]bool{}
	for _, e := range c {
		users[e.user] = true
		if e.sure {
			sure++
		}
	}
	return sure >= jobs || len(c) >= jobs && len(users) > 1
}

// words say what speaks against the node, without the names of jobs: everybody may read them.
func (c charge) words() string {
	if len(c) == 0 {
		return "several jobs failed here"
	}
	count := map[v1alpha1.JobReason]int{}
	users := map[string]bool{}
	for _, e := range c {
		count[e.reason]++
		users[e.user] = true
	}
	reasons := slices.SortedFunc(maps.Keys(count), func(a, b v1alpha1.JobReason) int {
		return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a, b))
	})
	parts := make([]string, len(reasons))
	for i, reason := range reasons {
		parts[i] = fmt.Sprintf("%s (%d)", reason, count[reason])
	}
	return fmt.Sprintf("jobs that failed here: %d (users: %d), of %s", len(c), len(users), strings.Join(parts, ", "))
}

// names are those of the jobs.
func (c charge) names() []string {
	names := make([]string, len(c))
	for i := range c {
		names[i] = c[i].job
	}
	slices.Sort(names)
	return names
}

// charges are what the jobs' attempts on the cluster say against each node since a time, and for nodes that were cleared since
// then. A job whose attempts fail so on several nodes speaks against none: it is the job.
func charges(cluster string, jobs []v1alpha1.Job, cleared map[string]time.Time, since time.Time) map[string]charge {
	against := map[string]charge{}
	for i := range jobs {
		job := &jobs[i]
		found := suspicion(cluster, job)
		if found == nil {
			continue
		}
		if begin := cleared[found.Node]; !found.FinishTime.After(since) || !found.FinishTime.After(begin) {
			continue
		}
		against[found.Node] = append(against[found.Node], evidence{
			job: job.Namespace + "/" + job.Name, user: job.Spec.SubmittedBy, reason: found.Reason, sure: liesWithNode(found),
		})
	}
	return against
}

// suspicion is the newest attempt of a job that speaks against its node, nil where none does.
func suspicion(cluster string, job *v1alpha1.Job) *v1alpha1.Attempt {
	var newest *v1alpha1.Attempt
	for i := range job.Status.Attempts {
		a := &job.Status.Attempts[i]
		if a.Cluster != cluster || a.Node == "" || a.FinishTime == nil || !liesWithNode(a) && !succeededElsewhere(job, a) {
			continue
		}
		if newest != nil && newest.Node != a.Node {
			return nil
		}
		newest = a
	}
	return newest
}

// liesWithNode reports whether an attempt ended of what no job brings about. Lost nodes are not among it: Kubernetes itself
// keeps jobs from them as long as they are.
func liesWithNode(a *v1alpha1.Attempt) bool {
	switch a.Reason {
	case v1alpha1.JobReasonGPULost, v1alpha1.JobReasonContainerCreating, v1alpha1.JobReasonDiskUnavailable:
		return true
	case v1alpha1.JobReasonNotFound:
		return a.StartTime == nil
	}
	return false
}

// succeededElsewhere reports whether an attempt failed of what may lie with the job, which then succeeded on another node. Of a
// gang that cannot be told: its nodes are many.
func succeededElsewhere(job *v1alpha1.Job, a *v1alpha1.Attempt) bool {
	switch a.Reason {
	case v1alpha1.JobReasonError, v1alpha1.JobReasonContainerCannotRun, v1alpha1.JobReasonImagePullBackOff:
	default:
		return false
	}
	last := job.Status.Attempts[len(job.Status.Attempts)-1]
	return job.Spec.ReplicaCount() == 1 && job.Status.Phase == v1alpha1.JobSucceeded &&
		last.Reason == v1alpha1.JobReasonCompleted && last.Node != a.Node
}
