package cluster

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/workload"
)

const (
	defaultFailedJobs = 3
	defaultWindow     = time.Hour
	defaultDuration   = time.Hour
	// poolShare is the part of a pool that may be in quarantine: one of so many.
	poolShare = 4
	// maxQuarantined is the number of nodes that the status tells of.
	maxQuarantined = 64
	// namedInMessages is the number of nodes that a message names.
	namedInMessages = 3
)

// rules are when a node is in quarantine, and for how long.
type rules struct {
	// failedJobs is 0 where no node is.
	failedJobs       int
	window, duration time.Duration
}

func rulesOf(q *v1alpha1.Quarantine) rules {
	r := rules{failedJobs: defaultFailedJobs, window: defaultWindow, duration: defaultDuration}
	if q == nil {
		return r
	}
	r.failedJobs = int(ptr.Deref(q.FailedJobs, defaultFailedJobs))
	r.window = time.Duration(ptr.Deref(q.WindowSeconds, int64(defaultWindow/time.Second))) * time.Second
	r.duration = time.Duration(ptr.Deref(q.DurationSeconds, int64(defaultDuration/time.Second))) * time.Second
	return r
}

// judgement is which nodes are kept from jobs.
type judgement struct {
	// entries are what the status tells.
	entries []v1alpha1.QuarantinedNode
	// confined are the nodes to be kept from jobs from now on, with what speaks against them; released those that are not any
	// more.
	confined map[string]charge
	released []string
	// spared is how many nodes stay in use though jobs fail on them: too many of their pool would be away.
	spared int
	// next is when something ends by itself; zero where nothing does.
	next time.Time
}

// judge decides from the taints of nodes and the recorded attempts of jobs which nodes are kept from jobs. The taints are the
// truth: where there is none on a node that was in quarantine, somebody took it off.
func judge(cluster *v1alpha1.Cluster, nodes []corev1.Node, jobs []v1alpha1.Job, now time.Time) judgement {
	rules := rulesOf(cluster.Spec.Quarantine)
	j := judgement{confined: map[string]charge{}}
	entries, cleared := map[string]v1alpha1.QuarantinedNode{}, map[string]time.Time{}
	for _, entry := range cluster.Status.Quarantine {
		entries[entry.Node] = entry
		if entry.ReleasedTime != nil {
			cleared[entry.Node] = entry.ReleasedTime.Time
		}
	}
	against := charges(cluster.Name, jobs, cleared, now.Add(-rules.window))
	suspects := map[string]*corev1.Node{}
	for i := range nodes {
		node := &nodes[i]
		entry, known := entries[node.Name]
		if entry, known = j.review(node, entry, known, against[node.Name], rules, now); known {
			j.entries = append(j.entries, entry)
		}
		if _, before := cleared[node.Name]; !known || before && entry.ReleasedTime != nil {
			suspects[node.Name] = node
		}
	}
	if rules.failedJobs > 0 {
		j.confine(cluster, nodes, suspects, against, rules, now)
	}
	for i := range j.entries {
		j.until(&j.entries[i], rules)
	}
	j.bound()
	return j
}

// review says how a node stands that is, or was, in quarantine.
func (j *judgement) review(node *corev1.Node, entry v1alpha1.QuarantinedNode, known bool, against charge, rules rules, now time.Time) (v1alpha1.QuarantinedNode, bool) {
	at := metav1.NewTime(now)
	taint := quarantineTaint(node)
	if taint == nil {
		switch {
		case known && entry.ReleasedTime == nil:
			entry.ReleasedTime = &at // somebody took it off
		case known && !now.Before(entry.ReleasedTime.Add(rules.window)):
			known = false
		}
		return entry, known
	}
	if !known || entry.ReleasedTime != nil {
		entry = v1alpha1.QuarantinedNode{Node: node.Name, Since: at, Message: "kept from jobs by hand"}
		if taint.TimeAdded != nil {
			entry.Since = *taint.TimeAdded
		}
		if taint.Value == v1alpha1.TaintFailures {
			entry.Message = against.words()
			entry.Until = ptr.To(metav1.NewTime(entry.Since.Add(rules.duration)))
		}
	}
	if taint.Value == v1alpha1.TaintFailures && (rules.failedJobs == 0 || entry.Until != nil && !now.Before(entry.Until.Time)) {
		j.released = append(j.released, node.Name)
		entry.ReleasedTime = &at
	}
	return entry, true
}

// confine keeps those from jobs against which enough speaks, the worst first, as far as enough of their pool is left.
func (j *judgement) confine(cluster *v1alpha1.Cluster, nodes []corev1.Node, suspects map[string]*corev1.Node, against map[string]charge, rules rules, now time.Time) {
	tolerated := workload.Tolerations(cluster.Spec.Tolerations)
	all, away, usable := map[string]int{}, map[string]int{}, map[string]int{}
	for i := range nodes {
		pool := workload.Pool(&nodes[i])
		all[pool]++
		if quarantineTaint(&nodes[i]) != nil && !slices.Contains(j.released, nodes[i].Name) {
			away[pool]++
		}
		if workload.Schedulable(&nodes[i], tolerated) {
			usable[pool]++
		}
	}
	worst := slices.SortedFunc(maps.Keys(against), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(against[b]), len(against[a])), cmp.Compare(a, b))
	})
	for _, name := range worst {
		node := suspects[name]
		if node == nil || !against[name].suffices(rules.failedJobs) {
			continue
		}
		pool, itself := workload.Pool(node), 0
		if workload.Schedulable(node, tolerated) {
			itself = 1
		}
		if away[pool] >= max(all[pool]/poolShare, 1) || usable[pool]-itself < 1 {
			j.spared++
			continue
		}
		away[pool]++
		usable[pool] -= itself
		j.confined[name] = against[name]
		j.entries = slices.DeleteFunc(j.entries, func(e v1alpha1.QuarantinedNode) bool { return e.Node == name })
		j.entries = append(j.entries, v1alpha1.QuarantinedNode{
			Node: name, Since: metav1.NewTime(now), Until: ptr.To(metav1.NewTime(now.Add(rules.duration))), Message: against[name].words(),
		})
	}
}

// bound keeps the nodes that are kept from jobs, and of the others the newest, where there are too many, and sorts by name.
func (j *judgement) bound() {
	byName := func(a, b v1alpha1.QuarantinedNode) int { return cmp.Compare(a.Node, b.Node) }
	if len(j.entries) > maxQuarantined {
		slices.SortFunc(j.entries, func(a, b v1alpha1.QuarantinedNode) int {
			switch {
			case a.ReleasedTime == nil && b.ReleasedTime != nil:
				return -1
			case a.ReleasedTime != nil && b.ReleasedTime == nil:
				return 1
			}
			return cmp.Or(b.Since.Compare(a.Since.Time), byName(a, b))
		})
		j.entries = j.entries[:maxQuarantined]
	}
	slices.SortFunc(j.entries, byName)
}

// until notes when something about an entry ends by itself.
func (j *judgement) until(entry *v1alpha1.QuarantinedNode, rules rules) {
	var end time.Time
	switch {
	case entry.ReleasedTime != nil:
		end = entry.ReleasedTime.Add(rules.window)
	case entry.Until != nil:
		end = entry.Until.Time
	default:
		return
	}
	if j.next.IsZero() || end.Before(j.next) {
		j.next = end
	}
}

func quarantineTaint(node *corev1.Node) *corev1.Taint {
	for i := range node.Spec.Taints {
		if node.Spec.Taints[i].Key == v1alpha1.TaintQuarantine {
			return &node.Spec.Taints[i]
		}
	}
	return nil
}

// away are the nodes that are kept from jobs.
func (j *judgement) away() (names []string) {
	for i := range j.entries {
		if j.entries[i].ReleasedTime == nil {
			names = append(names, j.entries[i].Node)
		}
	}
	return names
}

// words say which nodes are kept from jobs, and of how many that is not so though it could be; they are empty where there is none.
func (j *judgement) words() string {
	var words []string
	if names := j.away(); len(names) > 0 {
		words = append(words, "Kept from jobs: "+list(names)+".")
	}
	if j.spared > 0 {
		words = append(words, fmt.Sprintf("Nodes that stay in use though jobs fail on them: %d. No more than a quarter of a pool is kept from jobs, "+
			"or one node, and never the last. Where jobs fail on many nodes, the cause is seldom the nodes.", j.spared))
	}
	return strings.Join(words, " ")
}

// list names some of the names, and says how many there are.
func list(names []string) string {
	if len(names) <= namedInMessages {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:namedInMessages], ", "), len(names)-namedInMessages)
}
