package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/controllers/cluster"
	"github.com/soma-platform/soma/internal/history"
	"github.com/soma-platform/soma/internal/testing/promises"
)

const (
	// stillness is for how long nothing may change before the undisturbed run is taken to have settled: what is told of a
	// cluster may be as old as its interval.
	stillness = cluster.DefaultInterval + 2*time.Second
	// settling is how long others may take to come to the same, and what was delayed most to catch up.
	settling = 20 * time.Second
)

// settle waits until everything is as it was in the undisturbed run, or, if this is that one, until nothing changes any more.
func (r *run) settle(ctx context.Context, w *world) error {
	var unchanged time.Time
	ctx, stop := context.WithTimeout(ctx, settling)
	defer stop()
	return until(ctx, "everything has settled", func(ctx context.Context) error {
		state, err := w.state(ctx)
		if err != nil {
			return err
		}
		before := r.settled
		r.settled = state
		if w.played != nil {
			if d := difference(state, w.played.settled); d != "" {
				return errors.New("it is not what it was undisturbed (-), but (+)\n" + d)
			}
			return nil
		}
		if !maps.Equal(before, state) {
			unchanged = time.Now()
		}
		if left := stillness - time.Since(unchanged); left > 0 {
			return fmt.Errorf("it has to stay as it is for %s", left)
		}
		return nil
	})
}

// state is everything that there is, without what differs from one run to another.
func (w *world) state(ctx context.Context) (map[string]string, error) {
	state := map[string]string{}
	ours := client.HasLabels{v1alpha1.LabelAccess} // Kubernetes has roles of its own
	for list, options := range map[client.ObjectList][]client.ListOption{
		&v1alpha1.JobList{}: nil, &v1alpha1.ProjectList{}: nil, &v1alpha1.QuotaList{}: nil, &v1alpha1.ClusterList{}: nil,
		&corev1.PodList{}: nil, &corev1.ServiceList{}: nil, &networkingv1.NetworkPolicyList{}: nil, &corev1.NamespaceList{}: nil,
		&rbacv1.ClusterRoleList{}: {ours}, &rbacv1.ClusterRoleBindingList{}: {ours},
	} {
		if err := w.List(ctx, list, options...); err != nil {
			return nil, err
		}
		err := meta.EachListItem(list, func(o runtime.Object) error {
			fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
			if err != nil {
				return err
			}
			text, err := json.MarshalIndent(plain(fields), "", " ")
			object, _ := meta.Accessor(o)
			state[fmt.Sprintf("%T %s/%s", o, object.GetNamespace(), plainText(object.GetName()))] = string(text)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return state, nil
}

// differing are the fields that tell of times and identities, and of what depends on them, and the mark that a scheduler leaves
// which took over while its predecessor might have been about to write.
var differing = []string{
	"uid", "resourceVersion", "generation", "observedGeneration", "managedFields", "journal", "runSeconds", "cost",
	"gpuSeconds", "priceSeconds", "forecast", "settling", "settledVersion",
	v1alpha1.AnnotationFenced, v1alpha1.AnnotationReservation,
}

// terminated is the exit code of what was ended on request. It vanishes with the pod, and a manager that was away as that
// happened cannot know it.
const terminated = 128 + 15

// plain takes out of an object what differs from one run to another.
func plain(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for key, field := range value {
			text, isText := field.(string)
			ofBudget := key == "used" && isText // what quotas tell of resources is no text
			if slices.Contains(differing, key) || ofBudget || isText && isTime(text) || key == "exitCode" && field == int64(terminated) {
				delete(value, key)
				continue
			}
			value[key] = plain(field)
			if left, is := value[key].(map[string]any); is && len(left) == 0 {
				delete(value, key)
			}
		}
	case []any:
		for i := range value {
			value[i] = plain(value[i])
		}
	case string:
		return plainText(value)
	}
	return value
}

func isTime(text string) bool {
	_, err := time.Parse(time.RFC3339Nano, text)
	return err == nil
}

var (
	uidOfPod = regexp.MustCompile(`-[0-9a-f]{8}-(\d+-\d+)`)
	uid      = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	// A pod that is made when others of its attempt have run, or that was made again, names the very image that they had.
	pinned    = regexp.MustCompile(`registry\.example/image@sha256:[0-9a-f]+`)
	addresses = regexp.MustCompile(`\b\d+\.\d+\.\d+\.\d+\b`)
)

func plainText(text string) string {
	text = uid.ReplaceAllString(text, "UID")
	text = pinned.ReplaceAllString(text, "busybox")
	text = uidOfPod.ReplaceAllString(text, "-UID-$1")
	return addresses.ReplaceAllString(text, "ADDRESS")
}

// live looks up what became of the jobs, and that the history tells it all, once and in order.
func (r *run) live(ctx context.Context, w *world, start int) error {
	events := w.since(start)
	last := map[types.UID]*v1alpha1.Job{}
	for _, e := range events {
		if e.Job != nil {
			last[e.Job.UID] = e.Job
		}
	}
	r.lives = map[string]string{}
	var all []error
	for uid, job := range last {
		life := fmt.Sprintf("%s/%s, exit code %s, %d retries, attempts", job.Status.Phase, job.Status.Reason, code(job.Status.ExitCode), job.Status.Retries)
		for _, a := range job.Status.Attempts {
			life += fmt.Sprintf(" %d:%s:%s", a.Number, a.Reason, code(a.ExitCode))
		}
		r.lives[job.Namespace+"/"+job.Name] = life
		all = append(all, w.recorded(ctx, job, promises.Transitions(events, uid)))
	}
	return errors.Join(all...)
}

func code(exit *int32) string {
	if exit == nil || *exit == terminated {
		return "none"
	}
	return fmt.Sprint(*exit)
}

// recorded compares the history with what the journal of a job told and its deletion (I6).
func (w *world) recorded(ctx context.Context, job *v1alpha1.Job, told []v1alpha1.Transition) error {
	id, err := uuid.Parse(string(job.UID))
	if err != nil {
		return err
	}
	rows, err := w.past.Transitions(ctx, &history.Job{SubmittedAt: job.CreationTimestamp.UTC(), Uid: id}, 1000)
	if err != nil {
		return err
	}
	var want, got []string
	for _, t := range told {
		want = append(want, fmt.Sprint(t.Sequence, " ", t.Phase, " ", t.Reason, " ", t.Attempt, " ", t.Time.UTC()))
	}
	for i, row := range rows {
		if i == len(rows)-1 && row.Phase == "Deleted" && row.Sequence == int64(len(told)+1) {
			continue
		}
		got = append(got, fmt.Sprint(row.Sequence, " ", row.Phase, " ", row.Reason, " ", row.Attempt, " ", row.At.UTC()))
	}
	if len(rows) != len(told)+1 || !slices.Equal(got, want) {
		return fmt.Errorf("the history of job %s has\n  %s\nand not what its journal told, and its deletion:\n  %s",
			job.Name, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	return nil
}

// difference tells where two states differ.
func difference(got, want map[string]string) string {
	var lines []string
	names := slices.Sorted(maps.Keys(want))
	for name := range got {
		if _, both := want[name]; !both {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if got[name] != want[name] {
			lines = append(lines, name, cmp.Diff(want[name], got[name]))
		}
	}
	return strings.Join(lines, "\n")
}
