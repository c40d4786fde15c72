package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// kueue is Kueue's scheduler with one set of bounds on its requests. Its objects are those of its own performance test.
type kueue struct {
	name, words string
	// program runs it; kinds is the folder of its CRDs.
	program, kinds string
	flags          []string
}

// kueues are the columns of Kueue: as its performance test has it, as its product does since 0.19, and without bounds.
func kueues(program, crds string) []system {
	return []system{
		&kueue{"kueue-50", "Kueue, 50/100", program, crds, []string{"-qps=50", "-burst=100"}},
		&kueue{"kueue-300", "Kueue, 300/500", program, crds, []string{"-qps=300", "-burst=500", "-shared", "-workers=10", "-observers=5"}},
		&kueue{"kueue-unlimited", "Kueue, unlimited", program, crds, []string{"-qps=-1"}},
	}
}

var kueueVersion = schema.GroupVersion{Group: "kueue.x-k8s.io", Version: "v1beta2"}

func (k *kueue) column() string                { return k.name }
func (k *kueue) title() string                 { return k.words }
func (k *kueue) crds() []string                { return []string{k.kinds} }
func (k *kueue) kind() schema.GroupVersionKind { return kueueVersion.WithKind("Workload") }

func (k *kueue) command() (*exec.Cmd, error) {
	if _, err := os.Stat(k.program); err != nil {
		return nil, fmt.Errorf("the program of Kueue: %w", err)
	}
	return exec.Command(k.program, k.flags...), nil //nolint:gosec // the person who runs the bench names the program
}

const flavor = "default"

func (k *kueue) prepare(ctx context.Context, c client.Client, l *load) error {
	if err := makeAll(ctx, c, []client.Object{object(kueueVersion.WithKind("ResourceFlavor"), "", flavor, map[string]any{})}); err != nil {
		return err
	}
	var namespaces []client.Object
	var clusterQueues, localQueues []*unstructured.Unstructured
	for _, q := range l.all() {
		namespaces = append(namespaces, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: q.name}})
		clusterQueues = append(clusterQueues, clusterQueue(q, l))
		localQueues = append(localQueues, object(kueueVersion.WithKind("LocalQueue"), q.name, q.name, map[string]any{"clusterQueue": q.name}))
	}
	if err := makeAll(ctx, c, namespaces); err != nil {
		return err
	}
	if err := makeAll(ctx, c, clusterQueues); err != nil {
		return err
	}
	if err := makeAll(ctx, c, localQueues); err != nil {
		return err
	}
	return wait.PollUntilContextTimeout(ctx, poll, readyTime, true, func(ctx context.Context) (bool, error) {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kueueVersion.WithKind("LocalQueueList"))
		if err := c.List(ctx, list); err != nil {
			return false, err
		}
		ready := 0
		for i := range list.Items {
			if holds(conditions(&list.Items[i]), "Active") {
				ready++
			}
		}
		return ready == len(localQueues), nil
	})
}

func clusterQueue(q queue, l *load) *unstructured.Unstructured {
	covered := []any{"cpu"}
	cpu := map[string]any{"name": "cpu", "nominalQuota": strconv.Itoa(l.cpu), "borrowingLimit": strconv.Itoa(l.borrowing)}
	quotas := []any{cpu}
	if l.gpus > 0 {
		covered = append(covered, platformv1.ResourceGPU)
		quotas = append(quotas, map[string]any{"name": platformv1.ResourceGPU, "nominalQuota": strconv.Itoa(l.gpus)})
	}
	return object(kueueVersion.WithKind("ClusterQueue"), "", q.name, map[string]any{
		"cohortName":        q.cohort,
		"namespaceSelector": map[string]any{},
		"queueingStrategy":  "BestEffortFIFO",
		"flavorFungibility": map[string]any{"whenCanBorrow": "MayStopSearch", "whenCanPreempt": "TryNextFlavor"},
		"preemption":        map[string]any{"reclaimWithinCohort": "Any", "withinClusterQueue": "LowerPriority"},
		"resourceGroups": []any{map[string]any{
			"coveredResources": covered,
			"flavors":          []any{map[string]any{"name": flavor, "resources": quotas}},
		}},
	})
}

func (k *kueue) job(q queue, c *class, name string) *unstructured.Unstructured {
	requests := map[string]any{"cpu": strconv.Itoa(c.cpu)}
	if c.gpus > 0 {
		requests[platformv1.ResourceGPU] = strconv.Itoa(c.gpus)
	}
	return object(k.kind(), q.name, name, map[string]any{
		"queueName": q.name,
		"priority":  int64(map[priority]int{low: 50, normal: 100, high: 200}[c.priority]),
		"podSets": []any{map[string]any{"name": "main", "count": int64(1), "template": map[string]any{"spec": map[string]any{
			"restartPolicy": "Never",
			"containers":    []any{map[string]any{"name": "c", "resources": map[string]any{"requests": requests}}},
		}}}},
	})
}

func (k *kueue) state(o *unstructured.Unstructured) state {
	all := conditions(o)
	switch {
	case holds(all, "Finished"):
		return done
	case !holds(all, "QuotaReserved"):
		return waiting
	case holds(all, "Evicted"):
		return leaving
	case holds(all, "Admitted"):
		return reserved
	}
	return waiting
}

func (k *kueue) finished(o *unstructured.Unstructured) map[string]any {
	all := conditions(o)
	all["Finished"] = condition(o, "Finished", true, "Succeeded", "the job ended")
	return map[string]any{"conditions": listed(all)}
}

func (k *kueue) displaced(o *unstructured.Unstructured) map[string]any {
	all := conditions(o)
	all["QuotaReserved"] = condition(o, "QuotaReserved", false, "Pending", "evicted")
	all["Admitted"] = condition(o, "Admitted", false, "NoReservation", "The workload has no reservation")
	return map[string]any{"conditions": listed(all), "admission": nil}
}

// condition is one as the API has it.
func condition(o *unstructured.Unstructured, kind string, value bool, reason, message string) map[string]any {
	status := "False"
	if value {
		status = "True"
	}
	return map[string]any{
		"type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": o.GetGeneration(),
		"lastTransitionTime": time.Now().UTC().Format(time.RFC3339),
	}
}
