package main

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

const (
	image = "soma.dev/busybox:1"
	// label marks every object of a run.
	label = "performance.soma.dev/run"
	// simulatedSeconds is how long a pod on a simulated node runs.
	simulatedSeconds = "1"
)

// kind is one way to run the same thing.
type kind struct {
	name string
	list func() client.ObjectList
	make func(b *bench, name string, simulated bool) client.Object
	// running and finished read the state of an object.
	running, finished func(client.Object) bool
}

var kinds = []kind{
	{
		name: "pod",
		list: func() client.ObjectList { return &corev1.PodList{} },
		make: func(b *bench, name string, simulated bool) client.Object {
			return &corev1.Pod{ObjectMeta: b.meta(name, simulated), Spec: podSpec(simulated)}
		},
		running:  func(o client.Object) bool { return o.(*corev1.Pod).Status.Phase == corev1.PodRunning },
		finished: func(o client.Object) bool { return o.(*corev1.Pod).Status.Phase == corev1.PodSucceeded },
	},
	{
		name: "batch/v1 Job",
		list: func() client.ObjectList { return &batchv1.JobList{} },
		make: func(b *bench, name string, simulated bool) client.Object {
			return &batchv1.Job{ObjectMeta: b.meta(name, simulated), Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Annotations: annotations(simulated)}, Spec: podSpec(simulated),
			}}}
		},
		running:  func(o client.Object) bool { return o.(*batchv1.Job).Status.Active > 0 && ready(o.(*batchv1.Job)) },
		finished: func(o client.Object) bool { return o.(*batchv1.Job).Status.Succeeded > 0 },
	},
	{
		name: "Soma Job",
		list: func() client.ObjectList { return &platformv1.JobList{} },
		make: func(b *bench, name string, simulated bool) client.Object {
			cpu, memory := resource.MustParse("100m"), resource.MustParse("32Mi")
			spec := platformv1.JobSpec{Image: image, Command: command(simulated), Resources: &platformv1.JobResources{CPU: &cpu, Memory: &memory}}
			if simulated {
				spec.Resources.GPU = &platformv1.GPUs{Count: 1, Model: "NVIDIA-A100-SXM4-80GB"}
			}
			return &platformv1.Job{ObjectMeta: b.meta(name, simulated), Spec: spec}
		},
		running:  func(o client.Object) bool { return o.(*platformv1.Job).Status.Phase == platformv1.JobRunning },
		finished: func(o client.Object) bool { return o.(*platformv1.Job).Status.Phase == platformv1.JobSucceeded },
	},
}

func ready(job *batchv1.Job) bool { return job.Status.Ready != nil && *job.Status.Ready > 0 }

func (b *bench) meta(name string, simulated bool) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: b.run + "-" + name, Namespace: b.namespace,
		Labels: map[string]string{label: b.run}, Annotations: annotations(simulated),
	}
}

func annotations(simulated bool) map[string]string {
	if !simulated {
		return nil
	}
	return map[string]string{"kwok.soma.dev/run-seconds": simulatedSeconds}
}

func command(simulated bool) []string {
	if simulated {
		return nil
	}
	return []string{"sleep", "600"}
}

// podSpec is what a Soma job of the same size becomes, so that the node does the same work for all kinds.
func podSpec(simulated bool) corev1.PodSpec {
	no, yes, user := false, true, int64(1000)
	amounts := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("32Mi")}
	spec := corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever, AutomountServiceAccountToken: &no, EnableServiceLinks: &no,
		TerminationGracePeriodSeconds: new(int64),
		NodeSelector:                  map[string]string{platformv1.LabelPool: "real"},
		SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: &yes, RunAsUser: &user,
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
		Containers: []corev1.Container{{
			Name: "job", Image: image, Command: command(simulated), ImagePullPolicy: corev1.PullIfNotPresent,
			SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: &no, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}},
		}},
	}
	if simulated {
		amounts[platformv1.ResourceGPU] = resource.MustParse("1")
		spec.NodeSelector = map[string]string{platformv1.LabelPool: "sim-a100"}
		spec.Tolerations = []corev1.Toleration{
			{Key: "kwok.x-k8s.io/node", Operator: corev1.TolerationOpExists}, {Key: platformv1.ResourceGPU, Operator: corev1.TolerationOpExists},
		}
	}
	spec.Containers[0].Resources = corev1.ResourceRequirements{Requests: amounts, Limits: amounts}
	return spec
}

// clean removes what the run made.
func (b *bench) clean(ctx context.Context) {
	for _, k := range kinds {
		object := k.make(b, "x", false)
		err := b.DeleteAllOf(ctx, object, client.InNamespace(b.namespace), client.MatchingLabels{label: b.run},
			client.PropagationPolicy(metav1.DeletePropagationBackground))
		if err != nil {
			fmt.Printf("could not remove the %ss of this run: %v\n", k.name, err)
		}
	}
	for _, object := range b.readerObjects() {
		if err := b.Delete(ctx, object); client.IgnoreNotFound(err) != nil {
			fmt.Printf("could not remove %s: %v\n", object.GetName(), err)
		}
	}
}
