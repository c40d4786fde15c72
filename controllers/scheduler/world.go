package scheduler

import (
	"context"
	"fmt"
	"hash/fnv"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// world is all that the start of a job depends on besides jobs and nodes. Its objects are the cache's own and are never
// changed.
type world struct {
	projects map[string]*platformv1.Project
	quotas   map[string]*platformv1.Quota
	clusters []*platformv1.Cluster
	// secrets are the secrets that jobs may use, by namespace and name. Only their names are read, never their contents.
	secrets map[client.ObjectKey]bool
	// budgets are those that jobs under a quota are bound by, by the quota's name.
	budgets map[string][]budget
	// windows are how the clusters' energy schedules stand.
	windows windows
}

func readWorld(ctx context.Context, from client.Reader, now time.Time) (*world, error) {
	w := &world{
		projects: map[string]*platformv1.Project{},
		quotas:   map[string]*platformv1.Quota{},
		secrets:  map[client.ObjectKey]bool{},
	}
	var projects platformv1.ProjectList
	var quotas platformv1.QuotaList
	var clusters platformv1.ClusterList
	for _, list := range []client.ObjectList{&projects, &quotas, &clusters} {
		if err := from.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			return nil, fmt.Errorf("list %T: %w", list, err)
		}
	}
	secrets := &metav1.PartialObjectMetadataList{}
	secrets.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	labelled := client.MatchingLabels{platformv1.LabelSecret: platformv1.SecretLabelValue}
	if err := from.List(ctx, secrets, client.UnsafeDisableDeepCopy, labelled); err != nil {
		return nil, fmt.Errorf("list the names of secrets: %w", err)
	}
	for i := range projects.Items {
		w.projects[projects.Items[i].Name] = &projects.Items[i]
	}
	for i := range quotas.Items {
		w.quotas[quotas.Items[i].Name] = &quotas.Items[i]
	}
	for i := range clusters.Items {
		w.clusters = append(w.clusters, &clusters.Items[i])
	}
	for i := range secrets.Items {
		w.secrets[client.ObjectKeyFromObject(&secrets.Items[i])] = true
	}
	w.gatherBudgets()
	w.windows = windowsOf(w.clusters, now)
	return w, nil
}

// sum sums up what of the world decides on starts, in any order: most writes to these objects change nothing of it. How budgets stand
// is asked anew in each round.
func (w *world) sum() (sum uint64) {
	add := func(parts ...string) {
		h := fnv.New64a()
		for _, part := range parts {
			_, _ = h.Write([]byte(part))
			_, _ = h.Write([]byte{0})
		}
		sum += h.Sum64()
	}
	for name, p := range w.projects {
		add("project", name, number(p.Generation), strconv.FormatBool(p.DeletionTimestamp != nil), strconv.FormatBool(p.Status.Namespace != nil))
	}
	for name, q := range w.quotas {
		add("quota", name, string(q.UID), number(q.Generation), strconv.FormatBool(q.DeletionTimestamp != nil))
	}
	for _, c := range w.clusters {
		ready := meta.IsStatusConditionTrue(c.Status.Conditions, platformv1.ConditionReady)
		add("cluster", c.Name, string(c.UID), number(c.Generation), strconv.FormatBool(c.DeletionTimestamp != nil), strconv.FormatBool(ready))
	}
	w.windows.sum(add)
	for key := range w.secrets {
		add("secret", key.String())
	}
	return sum
}

func number(n int64) string { return strconv.FormatInt(n, 10) }
