package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/test/performance/report"
)

// soma is Soma's scheduler and the controllers of the kinds that it needs, in a process of its own: this program, run anew.
type soma struct {
	root  string
	flags []string
}

func (s *soma) column() string                { return report.Soma }
func (s *soma) title() string                 { return "Soma" }
func (s *soma) crds() []string                { return []string{filepath.Join(s.root, "config", "crd")} }
func (s *soma) kind() schema.GroupVersionKind { return platformv1.GroupVersion.WithKind("Job") }

func (s *soma) command() (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return exec.Command(self, append([]string{controllersCommand}, s.flags...)...), nil //nolint:gosec // this program itself
}

const (
	// nodeCPU and nodeGPUs are what a node of the measurement has. There are three times as many as the quotas grant, so that it
	// is the quotas that bound what runs, as with Kueue, which knows no nodes here.
	nodeCPU, nodeGPUs = 96, 8
	spare             = 3
	// memoryQuota is memory that bounds nothing: a quota has none of what it does not name.
	memoryQuota = "1Pi"
)

func (s *soma) prepare(ctx context.Context, c client.Client, l *load) error {
	_, gpus := l.total()
	if err := makeAll(ctx, c, []client.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: systemNamespace}}}); err != nil {
		return err
	}
	if err := makeAll(ctx, c, makeNodes(nodesFor(l), gpus > 0)); err != nil {
		return err
	}
	quotas, projects := somaQueues(l)
	cluster := &platformv1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "local"}}
	if err := makeAll(ctx, c, append([]client.Object{cluster}, quotas...)); err != nil {
		return err
	}
	if err := makeAll(ctx, c, projects); err != nil {
		return err
	}
	return wait.PollUntilContextTimeout(ctx, poll, readyTime, true, func(ctx context.Context) (bool, error) {
		list := &platformv1.ProjectList{}
		if err := c.List(ctx, list); err != nil {
			return false, err
		}
		ready := 0
		for i := range list.Items {
			if meta.IsStatusConditionTrue(list.Items[i].Status.Conditions, platformv1.ConditionNamespaceReady) {
				ready++
			}
		}
		if err := c.Get(ctx, client.ObjectKeyFromObject(cluster), cluster); err != nil {
			return false, err
		}
		return ready == len(projects) && meta.IsStatusConditionTrue(cluster.Status.Conditions, platformv1.ConditionReady), nil
	})
}

// somaQueues is a quota for each cohort, and below it a quota and a project for each queue.
func somaQueues(l *load) (quotas, projects []client.Object) {
	none, memory := resource.MustParse("0"), resource.MustParse(memoryQuota)
	cpu, borrowing := *resource.NewQuantity(int64(l.cpu), resource.DecimalSI), *resource.NewQuantity(int64(l.borrowing), resource.DecimalSI)
	gpus := int32(min(l.gpus, math.MaxInt32)) //nolint:gosec // it is no more than that
	cohorts := map[string]bool{}
	for _, q := range l.all() {
		if !cohorts[q.cohort] {
			cohorts[q.cohort] = true
			parent := &platformv1.Quota{ObjectMeta: metav1.ObjectMeta{Name: q.cohort}}
			parent.Spec.Nominal = platformv1.ResourceAmounts{CPU: &none, Memory: &none, GPUs: ptr.To[int32](0)}
			quotas = append(quotas, parent)
		}
		quota := &platformv1.Quota{ObjectMeta: metav1.ObjectMeta{Name: q.name}}
		quota.Spec = platformv1.QuotaSpec{
			Parent:     q.cohort,
			Nominal:    platformv1.ResourceAmounts{CPU: &cpu, Memory: &memory, GPUs: &gpus},
			Borrowing:  &platformv1.ResourceAmounts{CPU: &borrowing},
			Preemption: &platformv1.Preemption{LowerPriority: platformv1.VictimsAny, Reclaim: platformv1.VictimsAny},
		}
		project := &platformv1.Project{ObjectMeta: metav1.ObjectMeta{Name: q.name}}
		project.Spec.Quota = q.name
		quotas, projects = append(quotas, quota), append(projects, project)
	}
	return quotas, projects
}

// nodesFor is how many nodes a load needs.
func nodesFor(l *load) int {
	cpu, gpus := l.total()
	return max(spare*cpu/nodeCPU, (gpus+nodeGPUs-1)/nodeGPUs) + 1
}

func makeNodes(n int, gpus bool) []client.Object {
	var nodes []client.Object
	for i := range n {
		amounts := corev1.ResourceList{
			corev1.ResourceCPU: *resource.NewQuantity(nodeCPU, resource.DecimalSI), corev1.ResourceMemory: resource.MustParse("1Ti"),
			corev1.ResourcePods: resource.MustParse("250"),
		}
		name := fmt.Sprintf("node-%d", i)
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelHostname: name}}}
		if gpus {
			amounts[platformv1.ResourceGPU] = *resource.NewQuantity(nodeGPUs, resource.DecimalSI)
			node.Labels[platformv1.LabelGPUModel] = "H100"
		}
		node.Status = corev1.NodeStatus{
			Capacity: amounts, Allocatable: amounts,
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
		}
		nodes = append(nodes, node)
	}
	return nodes
}

func (s *soma) job(q queue, c *class, name string) *unstructured.Unstructured {
	resources := map[string]any{"cpu": strconv.Itoa(c.cpu), "memory": "32Mi"}
	if c.gpus > 0 {
		resources["gpu"] = map[string]any{"count": int64(c.gpus)}
	}
	return object(s.kind(), q.name, name, map[string]any{
		"image": "soma.dev/busybox:1", "resources": resources,
		"priority": string(map[priority]platformv1.JobPriority{
			low: platformv1.PriorityLow, normal: platformv1.PriorityNormal, high: platformv1.PriorityHigh,
		}[c.priority]),
	})
}

func (s *soma) state(o *unstructured.Unstructured) state {
	status, _, _ := unstructured.NestedMap(o.Object, "status") // what is no map says nothing
	reservation, holds := status["reservation"].(map[string]any)
	switch {
	case status["phase"] == string(platformv1.JobSucceeded):
		return done
	case !holds:
		return waiting
	case reservation["ending"] != nil:
		return leaving
	}
	return reserved
}

func (s *soma) finished(*unstructured.Unstructured) map[string]any {
	return map[string]any{
		"phase": string(platformv1.JobSucceeded), "reason": string(platformv1.JobReasonCompleted), "message": "the job ended",
		"reservation": nil, "finishTime": time.Now().UTC().Format(time.RFC3339),
	}
}

func (s *soma) displaced(o *unstructured.Unstructured) map[string]any {
	queue := map[string]any{"displaced": time.Now().UTC().Format(time.RFC3339)}
	if since, found, _ := unstructured.NestedString(o.Object, "status", "reservation", "queuedSince"); found {
		queue["since"] = since
	}
	return map[string]any{
		"phase": string(platformv1.JobPending), "reason": string(platformv1.JobReasonQueued), "message": "the job gave way",
		"reservation": nil, "queue": queue,
	}
}
