package scheduler

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// The one level of topology that clusters have, and the label that says it.
const (
	rack      = "rack"
	rackLabel = "example.com/rack"
)

// Amounts as people write them, and such as are nothing, or more than can be counted.
var (
	someCores  = []string{"1", "2", "500m", "4", "1500m", "9"}
	someMemory = []string{"1Gi", "3G", "8Gi", "20Gi"}
	someModels = []string{"A100", "H100"}
	oddAmounts = []string{"0", "1m", "1Ei", "4Ei", "8Ei", "16Ei", "1e30"}
)

func one[T any](t *rapid.T, name string, of ...T) T { return rapid.SampledFrom(of).Draw(t, name) }

// seldom is true less than once in so many times.
func seldom(t *rapid.T, name string, times int) bool {
	return rapid.IntRange(1, times).Draw(t, name) == times
}

// maybe is nil half of the time.
func maybe[T any](t *rapid.T, name string, draw func() T) *T {
	if rapid.Bool().Draw(t, name+" given") {
		return new(draw())
	}
	return nil
}

func quantity(t *rapid.T, name string, of []string) resource.Quantity {
	if seldom(t, name+" is odd", 20) {
		of = oddAmounts
	}
	return resource.MustParse(one(t, name, of...))
}

func drawAmounts(t *rapid.T, name string) platformv1.ResourceAmounts {
	count := func() int32 { return one(t, name, int32(8), 3, 1_000_000, 1, 0) }
	a := platformv1.ResourceAmounts{
		CPU:    maybe(t, name, func() resource.Quantity { return quantity(t, "cores", someCores) }),
		Memory: maybe(t, name, func() resource.Quantity { return quantity(t, "memory", someMemory) }),
		GPUs:   maybe(t, name, count),
	}
	if seldom(t, "few jobs", 8) {
		a.RunningJobs = new(count())
	}
	for _, model := range someModels {
		if seldom(t, model, 4) {
			a.GPUModels = append(a.GPUModels, platformv1.GPUModelAmount{Model: model, Count: count()})
		}
	}
	return a
}

// drawQuota may name a parent that does not exist, or that it is above.
func drawQuota(t *rapid.T, i int) platformv1.Quota {
	q := platformv1.Quota{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("q%d", i), UID: types.UID(fmt.Sprint("quota", i)), Generation: 1}}
	q.Spec.Parent = one(t, "parent", "", fmt.Sprintf("q%d", i/2), fmt.Sprintf("q%d", max(i-1, 0)))
	if seldom(t, "other parent", 15) {
		q.Spec.Parent = one(t, "parent", "q1", "q4", "missing")
	}
	if q.Spec.Parent == q.Name {
		q.Spec.Parent = ""
	}
	q.Spec.Nominal = drawAmounts(t, "nominal")
	if n := &q.Spec.Nominal; !seldom(t, "little", 3) {
		n.CPU, n.Memory = new(quantity(t, "ample cores", []string{"16", "100"})), new(quantity(t, "ample memory", []string{"100Gi", "1Ti"}))
		if n.GPUs == nil && n.GPUModels == nil {
			n.GPUs = new(int32(8))
		}
	}
	limits := func() platformv1.ResourceAmounts { return drawAmounts(t, "limits") }
	if q.Spec.Parent != "" {
		q.Spec.Borrowing, q.Spec.Lending = maybe(t, "borrowing", limits), maybe(t, "lending", limits)
	}
	if seldom(t, "bounds users", 3) {
		q.Spec.PerUser = new(limits())
	}
	q.Spec.Preemption = maybe(t, "preemption", func() platformv1.Preemption {
		of := func() platformv1.Victims {
			return one(t, "victims", "", platformv1.VictimsPreemptible, platformv1.VictimsAny)
		}
		return platformv1.Preemption{
			LowerPriority: of(), Reclaim: of(), QuantumSeconds: maybe(t, "quantum", func() int64 { return 60 }),
			MinimumRunSeconds: maybe(t, "safe", func() int64 { return 60 }), LongestWaitSeconds: maybe(t, "longest", func() int64 { return 60 }),
		}
	})
	return q
}

func drawProject(t *rapid.T, i, quotas int) platformv1.Project {
	p := platformv1.Project{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("p%d", i), Generation: 1}}
	if !seldom(t, "no quota", 15) {
		p.Spec.Quota = fmt.Sprintf("q%d", rapid.IntRange(0, quotas-1).Draw(t, "quota of the project"))
	}
	p.Status.Namespace = &platformv1.ProjectNamespace{Name: p.Name}
	return p
}

func drawGPUs(t *rapid.T) platformv1.GPUs {
	g := platformv1.GPUs{Count: one(t, "GPUs", int32(1), 1, 2, 2, 4, 64)}
	switch rapid.IntRange(0, 2).Draw(t, "models") {
	case 0:
		g.Model = one(t, "model", someModels...)
	case 1:
		g.Models = rapid.Permutation(someModels).Draw(t, "models in order")[:2]
	}
	return g
}

func drawCluster(t *rapid.T) platformv1.Cluster {
	c := platformv1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "local", UID: "cluster", Generation: 1}}
	c.Status.Conditions = []metav1.Condition{{Type: platformv1.ConditionReady, Status: metav1.ConditionTrue}}
	if rapid.Bool().Draw(t, "has racks") {
		c.Spec.Topology = []platformv1.TopologyLevel{{Name: rack, NodeLabel: rackLabel}}
	}
	for _, name := range []string{"small", "large"} {
		if seldom(t, name+" is missing", 4) {
			continue
		}
		c.Spec.Presets = append(c.Spec.Presets, platformv1.Preset{
			Name: name, CPU: quantity(t, "preset's cores", someCores), Memory: quantity(t, "preset's memory", someMemory),
			GPU: maybe(t, "preset's GPUs", func() platformv1.GPUs { return drawGPUs(t) }),
			SHM: maybe(t, "preset's shm", func() resource.Quantity { return quantity(t, "shm", someMemory) }),
		})
	}
	return c
}

func drawNode(t *rapid.T, i int) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("n%d", i), Labels: map[string]string{platformv1.LabelPool: one(t, "pool", "a", "b")}}}
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	n.Status.Allocatable = corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse(one(t, "node's cores", "16", "200", "16", "200", "4", "0")), corev1.ResourceMemory: resource.MustParse(one(t, "node's memory", "64Gi", "200Gi", "64Gi", "2Gi")),
		corev1.ResourcePods: resource.MustParse(one(t, "pods", "110", "110", "110", "3", "0")),
	}
	if !seldom(t, "has no GPUs", 3) {
		n.Labels[platformv1.LabelGPUModel] = one(t, "model", someModels...)
		n.Status.Allocatable[platformv1.ResourceGPU] = resource.MustParse(one(t, "GPUs", "8", "4", "1"))
		if seldom(t, "for GPUs only", 3) {
			n.Spec.Taints = []corev1.Taint{{Key: "nvidia.com/gpu", Effect: corev1.TaintEffectNoSchedule}}
		}
	}
	if seldom(t, "spot", 6) {
		n.Labels[platformv1.LabelSpot] = "true"
	}
	n.Labels[rackLabel] = one(t, "rack", "r1", "r2", "")
	n.Spec.Unschedulable = seldom(t, "cordoned", 20)
	return n
}

// drawJob is a job as the API server takes it, and sets what it does not say.
func drawJob(t *rapid.T, number int64, now time.Time) *platformv1.Job {
	name := fmt.Sprintf("j%04d", number)
	job := &platformv1.Job{ObjectMeta: metav1.ObjectMeta{
		Namespace: one(t, "project", "p0", "p1", "p2"), Name: name, UID: types.UID(name), Generation: 1, CreationTimestamp: metav1.NewTime(now),
	}}
	job.Status.ObservedGeneration, job.Status.Phase = -1, platformv1.JobPending
	spec := &job.Spec
	spec.Image, spec.SubmittedBy = "busybox", one(t, "user", "carol", "dave")
	switch rapid.IntRange(0, 4).Draw(t, "says") {
	case 1:
		spec.Preset = one(t, "preset", "", "small", "large", "small", "large", "missing")
	case 4:
		spec.Resources = &platformv1.JobResources{SHM: maybe(t, "shm", func() resource.Quantity { return quantity(t, "shm", someMemory) })}
	default:
		spec.Resources = &platformv1.JobResources{
			CPU: new(quantity(t, "cores", someCores)), Memory: new(quantity(t, "memory", someMemory)),
			GPU: maybe(t, "GPUs", func() platformv1.GPUs { return drawGPUs(t) }),
		}
	}
	spec.Replicas = maybe(t, "replicas", func() int32 { return one(t, "replicas", int32(1), 2, 3, 3, 2, 256) })
	if seldom(t, "placed", 3) {
		spec.Placement = &platformv1.Placement{
			Pools: one(t, "pools", nil, []string{"a"}, []string{"b", "a"}, []string{"a", "missing"}), Spot: maybe(t, "spot", func() bool { return true }),
			Within: one(t, "within", "", rack, rack, "", "zone"),
		}
	}
	spec.Priority = one(t, "priority", "", platformv1.PriorityLow, platformv1.PriorityNormal, platformv1.PriorityHigh)
	spec.LifeSpanSeconds = maybe(t, "life span", func() int64 { return one(t, "life span", int64(1), 60, 3600, 31536000) })
	spec.Preemptible = maybe(t, "preemptible", func() bool { return true })
	switch rapid.IntRange(0, 19).Draw(t, "odd") {
	case 14:
		job.Namespace = "nowhere"
	case 15:
		spec.Cluster = one(t, "cluster", "local", "away")
	case 16:
		spec.EnergySchedule = "night"
	case 17:
		spec.ImagePullSecret = "missing"
	case 18:
		spec.Suspend = new(true)
	case 19:
		spec.Cancel = new(true)
	}
	return job
}
