package cluster

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// attempt is one that ended on a node for a reason, so many minutes before start.
func attempt(node string, reason v1alpha1.JobReason, minutes int) v1alpha1.Attempt {
	end := metav1.NewTime(start.Add(-time.Duration(minutes) * time.Minute))
	begin := metav1.NewTime(end.Add(-time.Minute))
	return v1alpha1.Attempt{Cluster: "local", Node: node, Reason: reason, StartTime: &begin, FinishTime: &end}
}

func jobOf(name, user string, attempts ...v1alpha1.Attempt) v1alpha1.Job {
	job := v1alpha1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "vision", Name: name}, Spec: v1alpha1.JobSpec{SubmittedBy: user}}
	job.Status.Attempts, job.Status.Phase = attempts, v1alpha1.JobFailed
	if last := attempts[len(attempts)-1]; last.Reason == v1alpha1.JobReasonCompleted {
		job.Status.Phase = v1alpha1.JobSucceeded
	}
	return job
}

// several are jobs of one user, each with the same attempts.
func several(n int, attempts ...v1alpha1.Attempt) []v1alpha1.Job {
	jobs := make([]v1alpha1.Job, n)
	for i := range jobs {
		jobs[i] = jobOf(fmt.Sprintf("%s-%d", attempts[0].Node, i), "ada", attempts...)
	}
	return jobs
}

func nodesOf(pool string, names ...string) []corev1.Node {
	nodes := make([]corev1.Node, len(names))
	for i, name := range names {
		nodes[i] = testNode(name, 0, map[string]string{v1alpha1.LabelPool: pool})
	}
	return nodes
}

// tainted gives the first node the taint of quarantine, made so many minutes ago.
func tainted(value string, minutes int, nodes []corev1.Node) []corev1.Node {
	nodes[0].Spec.Taints = []corev1.Taint{{Key: v1alpha1.TaintQuarantine, Value: value, Effect: corev1.TaintEffectNoSchedule,
		TimeAdded: ptr.To(metav1.NewTime(start.Add(-time.Duration(minutes) * time.Minute)))}}
	return nodes
}

// kept is an entry of a node that has been kept from jobs for so many minutes, for one hour in all.
func kept(node string, minutes int) v1alpha1.QuarantinedNode {
	since := metav1.NewTime(start.Add(-time.Duration(minutes) * time.Minute))
	return v1alpha1.QuarantinedNode{Node: node, Since: since, Until: ptr.To(metav1.NewTime(since.Add(time.Hour))), Message: "why"}
}

func freed(node string, minutes int) v1alpha1.QuarantinedNode {
	entry := kept(node, minutes+60)
	entry.ReleasedTime = ptr.To(metav1.NewTime(start.Add(-time.Duration(minutes) * time.Minute)))
	return entry
}

func TestJudge(t *testing.T) {
	const (
		gpu, exit, disk, done = v1alpha1.JobReasonGPULost, v1alpha1.JobReasonError, v1alpha1.JobReasonDiskUnavailable, v1alpha1.JobReasonCompleted
	)
	three := func() []corev1.Node { return nodesOf("p", "a", "b", "c") }
	elsewhere := func(user string, i int) v1alpha1.Job {
		return jobOf(fmt.Sprintf("%s-%d", user, i), user, attempt("a", exit, 9), attempt("b", done, 5))
	}
	neverStarted := attempt("a", v1alpha1.JobReasonNotFound, 5)
	neverStarted.StartTime = nil
	other := attempt("a", gpu, 5)
	other.Cluster = "other"
	tests := map[string]struct {
		spec   *v1alpha1.Quarantine
		status []v1alpha1.QuarantinedNode
		nodes  []corev1.Node
		jobs   []v1alpha1.Job
		// want are the nodes that are confined, released and kept from jobs afterwards.
		want string
		// spared is how many stay in use all the same, next in how many minutes something ends by itself.
		spared, next int
	}{
		"nothing failed":                                   {nodes: three(), jobs: several(5, attempt("a", done, 5)), want: "+ - ="},
		"three jobs lost their GPU":                        {nodes: three(), jobs: several(3, attempt("a", gpu, 5)), want: "+a - =a", next: 60},
		"two did":                                          {nodes: three(), jobs: several(2, attempt("a", gpu, 5)), want: "+ - ="},
		"two are enough":                                   {spec: &v1alpha1.Quarantine{FailedJobs: ptr.To[int32](2)}, nodes: three(), jobs: several(2, attempt("a", gpu, 5)), want: "+a - =a", next: 60},
		"it is switched off":                               {spec: &v1alpha1.Quarantine{FailedJobs: ptr.To[int32](0)}, nodes: three(), jobs: several(9, attempt("a", gpu, 5)), want: "+ - ="},
		"one job did three times":                          {nodes: three(), jobs: several(1, attempt("a", gpu, 7), attempt("a", gpu, 6), attempt("a", gpu, 5)), want: "+ - ="},
		"they did long ago":                                {nodes: three(), jobs: several(3, attempt("a", gpu, 61)), want: "+ - ="},
		"another window":                                   {spec: &v1alpha1.Quarantine{WindowSeconds: ptr.To[int64](7200), DurationSeconds: ptr.To[int64](600)}, nodes: three(), jobs: several(3, attempt("a", gpu, 61)), want: "+a - =a", next: 10},
		"on another cluster":                               {nodes: three(), jobs: several(3, other), want: "+ - ="},
		"on a node that is gone":                           {nodes: three(), jobs: several(3, attempt("z", gpu, 5)), want: "+ - ="},
		"disks and containers that never started":          {nodes: three(), jobs: append(several(2, attempt("a", disk, 5)), jobOf("x", "bob", neverStarted)), want: "+a - =a", next: 60},
		"a pod that vanished while it ran":                 {nodes: three(), jobs: several(3, attempt("a", v1alpha1.JobReasonNotFound, 5)), want: "+ - ="},
		"jobs that fail on every node":                     {nodes: three(), jobs: several(9, attempt("a", gpu, 9), attempt("b", gpu, 5)), want: "+ - ="},
		"programs that fail":                               {nodes: three(), jobs: several(9, attempt("a", exit, 5)), want: "+ - ="},
		"programs of one user that succeed elsewhere":      {nodes: three(), jobs: []v1alpha1.Job{elsewhere("ada", 1), elsewhere("ada", 2), elsewhere("ada", 3)}, want: "+ - ="},
		"programs of several users that succeed elsewhere": {nodes: three(), jobs: []v1alpha1.Job{elsewhere("ada", 1), elsewhere("ada", 2), elsewhere("bob", 3)}, want: "+a - =a", next: 60},
		"out of memory, evicted, lost with the node": {nodes: three(), want: "+ - =", jobs: slices.Concat(several(3, attempt("a", v1alpha1.JobReasonOOMKilled, 5)),
			several(3, attempt("a", v1alpha1.JobReasonEvicted, 5)), several(3, attempt("a", v1alpha1.JobReasonNodeLost, 5)))},
		"no more than one of three": {nodes: three(), jobs: slices.Concat(several(3, attempt("a", gpu, 5)), several(4, attempt("b", gpu, 5))), want: "+b - =b", spared: 1, next: 60},
		"no more than a quarter":    {nodes: nodesOf("p", "a", "b", "c", "d", "e", "f", "g", "h"), jobs: slices.Concat(several(3, attempt("a", gpu, 5)), several(4, attempt("b", gpu, 5)), several(5, attempt("c", gpu, 5))), want: "+bc - =bc", spared: 1, next: 60},
		"of each pool":              {nodes: append(three(), nodesOf("q", "x", "y")...), jobs: slices.Concat(several(3, attempt("a", gpu, 5)), several(3, attempt("x", gpu, 5))), want: "+ax - =ax", next: 60},
		"never the last":            {nodes: nodesOf("p", "a"), jobs: several(9, attempt("a", gpu, 5)), want: "+ - =", spared: 1},
		"never the last that is usable": {nodes: func() []corev1.Node {
			n := three()
			n[1].Spec.Unschedulable, n[2].Spec.Unschedulable = true, true
			return n
		}(), jobs: several(9, attempt("a", gpu, 5)), want: "+ - =", spared: 1},
		"another is in quarantine already":               {status: []v1alpha1.QuarantinedNode{kept("a", 10)}, nodes: tainted(v1alpha1.TaintFailures, 10, three()), jobs: several(3, attempt("b", gpu, 5)), want: "+ - =a", spared: 1, next: 50},
		"it is in quarantine":                            {status: []v1alpha1.QuarantinedNode{kept("a", 10)}, nodes: tainted(v1alpha1.TaintFailures, 10, three()), jobs: several(3, attempt("a", gpu, 15)), want: "+ - =a", next: 50},
		"its time is over":                               {status: []v1alpha1.QuarantinedNode{kept("a", 60)}, nodes: tainted(v1alpha1.TaintFailures, 60, three()), jobs: several(3, attempt("a", gpu, 5)), want: "+ -a =", next: 60},
		"its time was over, and the past does not count": {status: []v1alpha1.QuarantinedNode{freed("a", 4)}, nodes: three(), jobs: several(3, attempt("a", gpu, 5)), want: "+ - =", next: 56},
		"its time was over, and jobs failed since":       {status: []v1alpha1.QuarantinedNode{freed("a", 10)}, nodes: three(), jobs: several(3, attempt("a", gpu, 5)), want: "+a - =a", next: 60},
		"its time was over long ago":                     {status: []v1alpha1.QuarantinedNode{freed("a", 60)}, nodes: three(), want: "+ - ="},
		"somebody took the taint off":                    {status: []v1alpha1.QuarantinedNode{kept("a", 10)}, nodes: three(), jobs: several(3, attempt("a", gpu, 5)), want: "+ - =", next: 60},
		"it is switched off now":                         {spec: &v1alpha1.Quarantine{FailedJobs: ptr.To[int32](0)}, status: []v1alpha1.QuarantinedNode{kept("a", 10)}, nodes: tainted(v1alpha1.TaintFailures, 10, three()), want: "+ -a =", next: 60},
		"the manager died before it told":                {nodes: tainted(v1alpha1.TaintFailures, 10, three()), jobs: several(3, attempt("a", gpu, 15)), want: "+ - =a", next: 50},
		"somebody set it by hand":                        {nodes: tainted("broken-fan", 100, three()), want: "+ - =a"},
		"by hand, and switched off":                      {spec: &v1alpha1.Quarantine{FailedJobs: ptr.To[int32](0)}, nodes: tainted("broken-fan", 100, three()), want: "+ - =a"},
		"the node is gone":                               {status: []v1alpha1.QuarantinedNode{kept("z", 10)}, nodes: three(), want: "+ - ="},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			cluster := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "local"}}
			cluster.Spec.Quarantine, cluster.Status.Quarantine = tc.spec, tc.status
			got := judge(cluster, tc.nodes, tc.jobs, start)
			text := "+" + strings.Join(slices.Sorted(maps.Keys(got.confined)), "") + " -" + strings.Join(got.released, "") + " =" + strings.Join(got.away(), "")
			if text != tc.want || got.spared != tc.spared {
				t.Errorf("got %q and %d spared, want %q and %d", text, got.spared, tc.want, tc.spared)
			}
			next := 0
			if !got.next.IsZero() {
				next = int(got.next.Sub(start).Minutes())
			}
			if next != tc.next {
				t.Errorf("something ends in %d minutes, want %d", next, tc.next)
			}
			if (len(got.away()) > 0 || got.spared > 0) != (got.words() != "") {
				t.Errorf("words: %q", got.words())
			}
		})
	}
}

// What was judged, once it is done, is judged alike: nothing is written without cause.
func TestJudgedAgainNothingChanges(t *testing.T) {
	nodes := nodesOf("p", "a", "b", "c")
	jobs := several(3, attempt("a", v1alpha1.JobReasonGPULost, 5))
	cluster := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "local"}}
	first := judge(cluster, nodes, jobs, start)
	if len(first.entries) != 1 || !strings.Contains(first.entries[0].Message, "jobs that failed here: 3 (users: 1), of GPULost (3)") {
		t.Fatalf("entries: %+v", first.entries)
	}
	cluster.Status.Quarantine = first.entries
	second := judge(cluster, tainted(v1alpha1.TaintFailures, 0, nodes), jobs, start.Add(time.Minute))
	if len(second.confined)+len(second.released) > 0 || fmt.Sprint(second.entries) != fmt.Sprint(first.entries) {
		t.Errorf("got %+v, want %+v", second, first)
	}
}

func TestOfTooManyEntriesThoseKeptFromJobsStay(t *testing.T) {
	var j judgement
	for i := range maxQuarantined {
		j.entries = append(j.entries, freed(fmt.Sprintf("f%02d", i), i))
	}
	j.entries = append(j.entries, kept("z", 50))
	j.bound()
	if len(j.entries) != maxQuarantined || j.entries[len(j.entries)-1].Node != "z" || j.entries[len(j.entries)-2].Node != "f62" {
		t.Errorf("%d entries, the last %+v", len(j.entries), j.entries[len(j.entries)-1])
	}
}
