package cli

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	history "github.com/soma-platform/soma/api/history/v1alpha1"
	"github.com/soma-platform/soma/api/v1alpha1"
)

// row is a job in the list, from its object or from its record.
type row struct {
	uid                        types.UID
	namespace, name            string
	phase                      v1alpha1.JobPhase
	reason, message            string
	owner, preset, image, node string
	gpus                       int64
	tags                       []string
	position                   int32
	exitCode                   *int32
	submitted                  time.Time
	ran                        ran
	cost, energy               string
	object                     *unstructured.Unstructured
}

// liveRow is the row of a job's object. An object that cannot be read becomes a row that says so: it must not hide the
// others.
func liveRow(u *unstructured.Unstructured) row {
	job, err := decode[v1alpha1.Job](u)
	if err != nil {
		return row{uid: u.GetUID(), namespace: u.GetNamespace(), name: u.GetName(), phase: "Unreadable",
			message: shorten(err.Error(), 200), submitted: u.GetCreationTimestamp().Time, object: u}
	}
	r := jobRow(job)
	r.object = u
	return r
}

// jobRow is the row of a job, without its object.
func jobRow(job *v1alpha1.Job) row {
	status := &job.Status
	r := row{uid: job.UID, namespace: job.Namespace, name: job.Name, submitted: job.CreationTimestamp.Time,
		phase: v1alpha1.JobPhase(stateWord(status.Phase)), reason: string(status.Reason), message: status.Message,
		owner: job.Spec.SubmittedBy, image: job.Spec.Image, tags: job.Spec.Tags,
		preset: cmp.Or(status.Preset, job.Spec.Preset), exitCode: status.ExitCode, ran: jobRan(status)}
	if status.Queue != nil {
		r.position = status.Queue.Position
	}
	if status.Cost != nil {
		r.cost = costText(status.Cost)
	}
	if e := status.Energy; e != nil {
		r.energy = energyText(string(e.WattHours), string(e.CO2Grams))
	}
	// Where it runs or ran, and what it holds or held there; before that, what it asks for.
	placement := status.Placement()
	r.node = placement.Node
	switch {
	case placement.Replica != nil:
		r.gpus = int64(placement.Replica.GPUs) * int64(job.Spec.ReplicaCount())
	case job.Spec.Resources != nil && job.Spec.Resources.GPU != nil:
		r.gpus = int64(job.Spec.Resources.GPU.Count) * int64(job.Spec.ReplicaCount())
	}
	return r
}

// recordRow is the row of a job's record.
func recordRow(u *unstructured.Unstructured) row {
	record, err := decode[history.JobRecord](u)
	if err != nil {
		return row{uid: u.GetUID(), namespace: u.GetNamespace(), name: u.GetName(), phase: "Unreadable",
			message: shorten(err.Error(), 200), submitted: u.GetCreationTimestamp().Time, object: u}
	}
	status := &record.Status
	r := row{
		uid: record.UID, namespace: record.Namespace, name: record.Spec.Job, object: u,
		phase: v1alpha1.JobPhase(status.Phase), reason: status.Reason, message: status.Message,
		owner: record.Spec.User, preset: record.Spec.Preset, image: record.Spec.Image, node: status.Node,
		gpus: record.Spec.GPUs, tags: record.Spec.Tags, exitCode: status.ExitCode,
		submitted: status.SubmitTime.Time, ran: recordRan(status),
	}
	if status.Cost != nil {
		r.cost = status.Cost.Amount + " " + status.Cost.Currency
	}
	if e := status.Energy; e != nil {
		r.energy = energyText(e.WattHours, e.CO2Grams)
	}
	return r
}

// costText is what a job cost, in each currency.
func costText(cost *v1alpha1.Cost) string {
	text := string(cost.Amount) + " " + cost.Currency
	for _, other := range cost.Others {
		text += " + " + string(other.Amount) + " " + other.Currency
	}
	return text
}

func timeOf(t *metav1.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}

// mergeRows joins objects and records: a job that has both is shown by its object, which is newer. The newest come first.
func mergeRows(live, records []row) []row {
	seen := make(map[types.UID]bool, len(live))
	merged := slices.Clone(live)
	for _, r := range live {
		seen[r.uid] = true
	}
	for _, r := range records {
		if !seen[r.uid] {
			seen[r.uid] = true
			merged = append(merged, r)
		}
	}
	slices.SortStableFunc(merged, func(x, y row) int {
		return cmp.Or(y.submitted.Compare(x.submitted), strings.Compare(x.namespace, y.namespace), strings.Compare(x.name, y.name))
	})
	return merged
}

// filter says which jobs are listed. What is empty does not limit.
type filter struct {
	states       []v1alpha1.JobPhase
	tags         []string
	owner        string
	since, until time.Time
}

// wants reports whether the filter lets a row pass. A row that could not be read always passes.
func (f filter) wants(r row) bool {
	switch {
	case r.phase == "Unreadable":
		return true
	case len(f.states) > 0 && !slices.Contains(f.states, r.phase),
		f.owner != "" && f.owner != r.owner,
		!f.since.IsZero() && r.submitted.Before(f.since),
		!f.until.IsZero() && !r.submitted.Before(f.until):
		return false
	}
	for _, tag := range f.tags {
		if !slices.Contains(r.tags, tag) {
			return false
		}
	}
	return true
}

// jobTable is the table of `soma ps`.
func jobTable(rows []row, namespaces bool, now time.Time) *table {
	t := &table{columns: []column{
		{name: "Name"}, {name: "State"}, {name: "Reason"}, {name: "Owner"}, {name: "Preset"}, {name: "GPUs"},
		{name: "Submitted"}, {name: "Ran"}, {name: "Exit"},
		{name: "Node", wide: true}, {name: "Image", wide: true}, {name: "Tags", wide: true}, {name: "Cost", wide: true},
		{name: "Energy", wide: true}, {name: "Message", wide: true},
	}}
	if namespaces {
		t.columns = append([]column{{name: "Project"}}, t.columns...)
	}
	for _, r := range rows {
		reason := stateReason(r.phase, r.reason)
		if r.position > 0 && r.phase == v1alpha1.JobPending && !v1alpha1.JobReason(r.reason).Impossible() {
			reason += " #" + strconv.Itoa(int(r.position))
		}
		exit, gpus := "", ""
		if r.exitCode != nil {
			exit = strconv.Itoa(int(*r.exitCode))
		}
		if r.gpus > 0 {
			gpus = strconv.FormatInt(r.gpus, 10)
		}
		cells := []any{
			r.name, string(r.phase), reason, r.owner, r.preset, gpus, ago(r.submitted, now),
			r.ran.text(now), exit,
			r.node, r.image, strings.Join(r.tags, ","), r.cost, r.energy, shorten(r.message, 120),
		}
		if namespaces {
			cells = append([]any{r.namespace}, cells...)
		}
		t.add(cells...)
	}
	return t
}
