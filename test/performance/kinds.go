package main

import (
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/test/performance/report"
)

const (
	image = "soma.dev/busybox:1"
	// runSeconds is the annotation that tells a simulated node how long a pod runs.
	runSeconds = "kwok.soma.dev/run-seconds"
)

const (
	kindPod   = "pod"
	kindBatch = "batch"
	kindSoma  = report.Soma
)

// kind is one way to run the same thing.
type kind struct {
	name, title string
	gvk         schema.GroupVersionKind
	list        func() client.ObjectList
	make        func(name string, t task) client.Object
	// running and finished read the state of an object.
	running, finished func(client.Object) bool
}

// task is what a container does, and where.
type task int

const (
	// onRealNode runs in a real container until it is ended, and ends at once then.
	onRealNode task = iota
	// simulatedSecond runs for a second on a simulated node, with one GPU.
	simulatedSecond
	// simulatedAlways runs on a simulated node, with one GPU, until it is ended.
	simulatedAlways
)

var kinds = []*kind{
	{
		name: kindPod, title: "bare pod", gvk: corev1.SchemeGroupVersion.WithKind("Pod"),
		list: func() client.ObjectList { return &corev1.PodList{} },
		make: func(name string, t task) client.Object {
			return &corev1.Pod{ObjectMeta: t.meta(name), Spec: t.podSpec()}
		},
		running:  func(o client.Object) bool { return o.(*corev1.Pod).Status.Phase == corev1.PodRunning },
		finished: func(o client.Object) bool { return o.(*corev1.Pod).Status.Phase == corev1.PodSucceeded },
	},
	{
		name: kindBatch, title: "`batch/v1` Job", gvk: batchv1.SchemeGroupVersion.WithKind("Job"),
		list: func() client.ObjectList { return &batchv1.JobList{} },
		make: func(name string, t task) client.Object {
			return &batchv1.Job{ObjectMeta: t.meta(name), Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Annotations: t.annotations()}, Spec: t.podSpec(),
			}}}
		},
		running: func(o client.Object) bool {
			ready := o.(*batchv1.Job).Status.Ready
			return ready != nil && *ready > 0
		},
		finished: func(o client.Object) bool {
			for _, c := range o.(*batchv1.Job).Status.Conditions {
				if c.Type == batchv1.JobComplete && c.Status == corev1.ConditionTrue {
					return true
				}
			}
			return false
		},
	},
	{
		name: kindSoma, title: "Soma Job", gvk: platformv1.GroupVersion.WithKind("Job"),
		list: func() client.ObjectList { return &platformv1.JobList{} },
		make: func(name string, t task) client.Object {
			cpu, memory := resource.MustParse("100m"), resource.MustParse("32Mi")
			spec := platformv1.JobSpec{Image: image, Command: t.command(), Resources: &platformv1.JobResources{CPU: &cpu, Memory: &memory}}
			if t.simulated() {
				spec.Resources.GPU = &platformv1.GPUs{Count: 1, Model: gpuModel}
			}
			return &platformv1.Job{ObjectMeta: t.meta(name), Spec: spec}
		},
		running:  func(o client.Object) bool { return o.(*platformv1.Job).Status.Phase == platformv1.JobRunning },
		finished: func(o client.Object) bool { return o.(*platformv1.Job).Status.Phase == platformv1.JobSucceeded },
	},
}

func kindNamed(name string) *kind {
	for _, k := range kinds {
		if k.name == name {
			return k
		}
	}
	return nil
}

// columns are those of the tables: one for each kind.
func columns() []report.Column {
	var columns []report.Column
	for _, k := range kinds {
		columns = append(columns, report.Column{Name: k.name, Title: k.title})
	}
	return columns
}

// turn is the kinds in the order of a round. Every second one goes backwards, so that no kind always has the same one's
// removal before it.
func turn(round int) []*kind {
	order := append([]*kind(nil), kinds...)
	if round%2 == 1 {
		order[0], order[2] = order[2], order[0]
	}
	return order
}

func (t task) simulated() bool { return t != onRealNode }

func (t task) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: place, Annotations: t.annotations()}
}

func (t task) annotations() map[string]string {
	if t != simulatedSecond {
		return nil
	}
	return map[string]string{runSeconds: "1"}
}

func (t task) command() []string {
	if t.simulated() {
		return nil
	}
	return []string{"sh", "-c", "trap 'exit 0' TERM; sleep 600 & wait"}
}

// podSpec is what a Soma job of the same size becomes, so that the node does the same work for all kinds.
func (t task) podSpec() corev1.PodSpec {
	no, yes, user, grace := false, true, int64(1000), int64(30)
	amounts := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("32Mi")}
	spec := corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever, AutomountServiceAccountToken: &no, EnableServiceLinks: &no,
		TerminationGracePeriodSeconds: &grace,
		NodeSelector:                  map[string]string{platformv1.LabelPool: "real"},
		SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: &yes, RunAsUser: &user,
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
		Containers: []corev1.Container{{
			Name: "job", Image: image, Command: t.command(), ImagePullPolicy: corev1.PullIfNotPresent,
			SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: &no, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}},
		}},
	}
	if t.simulated() {
		amounts[platformv1.ResourceGPU] = resource.MustParse("1")
		spec.NodeSelector = map[string]string{platformv1.LabelPool: place}
		spec.Tolerations = []corev1.Toleration{
			{Key: simulatedMark, Operator: corev1.TolerationOpExists}, {Key: platformv1.ResourceGPU, Operator: corev1.TolerationOpExists},
		}
	}
	spec.Containers[0].Resources = corev1.ResourceRequirements{Requests: amounts, Limits: amounts}
	return spec
}
