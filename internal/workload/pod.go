package workload

import (
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

const (
	// ContainerName is the name of the container that runs a job's image.
	ContainerName = "job"
	// userID runs every job: images say nothing reliable of their users, and root is not allowed.
	userID = 1000
	// gpuTaint is the taint by which clusters keep other pods from their GPU nodes.
	gpuTaint = "nvidia.com/gpu"
)

// Pods are the pods of the attempt that the job holds a reservation for, by rank. Tolerations are those of the cluster. Group is
// what kube-scheduler binds the pods by together; nil where it binds each by itself.
func Pods(job *platformv1.Job, tolerations []platformv1.Toleration, group *schedulingv1beta1.PodGroup) []*corev1.Pod {
	reservation := job.Status.Reservation
	pods := make([]*corev1.Pod, 0, job.Spec.ReplicaCount())
	for _, share := range reservation.Nodes {
		for range share.Replicas {
			p := pod(job, int32(len(pods)), share.Node, tolerations)
			p.Spec.SchedulingGroup = member(group)
			pods = append(pods, p)
		}
	}
	return pods
}

// NodeOf is the node that the reservation has for a rank.
func NodeOf(reservation *platformv1.Reservation, rank int32) string {
	for _, share := range reservation.Nodes {
		if rank < share.Replicas {
			return share.Node
		}
		rank -= share.Replicas
	}
	return ""
}

func pod(job *platformv1.Job, rank int32, node string, tolerations []platformv1.Toleration) *corev1.Pod {
	reservation := job.Status.Reservation
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name:            PodName(job, reservation.Attempt, rank),
			Namespace:       job.Namespace,
			Labels:          podLabels(job, rank),
			Annotations:     podAnnotations(job),
			OwnerReferences: owners(job),
		},
		Spec: corev1.PodSpec{
			RestartPolicy:                 corev1.RestartPolicyNever,
			AutomountServiceAccountToken:  ptr.To(false),
			EnableServiceLinks:            ptr.To(false),
			TerminationGracePeriodSeconds: ptr.To(int64(GracePeriod(job).Seconds())),
			Hostname:                      Hostname(job, rank),
			Subdomain:                     job.Name,
			Affinity:                      onNode(node),
			Tolerations:                   podTolerations(reservation.Replica, tolerations),
			ImagePullSecrets:              pullSecrets(job),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot:   ptr.To(true),
				RunAsUser:      ptr.To(int64(userID)),
				RunAsGroup:     ptr.To(int64(userID)),
				FSGroup:        ptr.To(int64(userID)),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{container(job, rank)},
			Volumes:    volumes(job),
		},
	}
}

// defaultGracePeriod is the grace period of a job that says nothing of it.
const defaultGracePeriod = 30 * time.Second

// GracePeriod is how long a job has, after SIGTERM, to save what it wants to keep.
func GracePeriod(job *platformv1.Job) time.Duration {
	if given := job.Spec.GracePeriodSeconds; given != nil {
		return time.Duration(*given) * time.Second
	}
	return defaultGracePeriod
}

func container(job *platformv1.Job, rank int32) corev1.Container {
	c := corev1.Container{
		Name:                     ContainerName,
		Image:                    image(job),
		ImagePullPolicy:          corev1.PullIfNotPresent,
		Command:                  job.Spec.Command,
		Args:                     job.Spec.Args,
		WorkingDir:               job.Spec.WorkingDir,
		Env:                      environment(job, rank),
		Resources:                resources(job.Status.Reservation.Replica),
		VolumeMounts:             mounts(job),
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: ptr.To(false),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
	}
	if job.Spec.HTTP != nil {
		c.Ports = []corev1.ContainerPort{{Name: "http", ContainerPort: job.Spec.HTTP.Port, Protocol: corev1.ProtocolTCP}}
	}
	return c
}

// image is what ran before, by digest, where something did: a tag that moved must not make later attempts another program.
func image(job *platformv1.Job) string {
	if strings.Contains(job.Status.ImageDigest, "@sha256:") {
		return job.Status.ImageDigest
	}
	return job.Spec.Image
}

func resources(replica platformv1.ReplicaResources) corev1.ResourceRequirements {
	amounts := corev1.ResourceList{corev1.ResourceCPU: replica.CPU, corev1.ResourceMemory: replica.Memory}
	if replica.GPUs > 0 {
		amounts[platformv1.ResourceGPU] = *resource.NewQuantity(int64(replica.GPUs), resource.DecimalSI)
	}
	return corev1.ResourceRequirements{Requests: amounts, Limits: amounts}
}

func podLabels(job *platformv1.Job, rank int32) map[string]string {
	labels := attemptLabels(job)
	labels[platformv1.LabelRank] = strconv.Itoa(int(rank))
	return labels
}

func attemptLabels(job *platformv1.Job) map[string]string {
	return map[string]string{
		platformv1.LabelProject: job.Namespace,
		platformv1.LabelJob:     job.Name,
		platformv1.LabelJobUID:  string(job.UID),
		platformv1.LabelAttempt: strconv.Itoa(int(job.Status.Reservation.Attempt)),
	}
}

// simulatedPrefix is the prefix of the annotations by which simulated nodes are told how long a pod runs and how it ends.
// They are passed on to the pods; nothing else is: an annotation could steer a pod past the policy.
const simulatedPrefix = "kwok.soma.dev/"

func podAnnotations(job *platformv1.Job) map[string]string {
	annotations := map[string]string{platformv1.AnnotationReservation: job.ResourceVersion}
	for key, value := range job.Annotations {
		if strings.HasPrefix(key, simulatedPrefix) {
			annotations[key] = value
		}
	}
	return annotations
}

func owners(job *platformv1.Job) []metav1.OwnerReference {
	return []metav1.OwnerReference{*metav1.NewControllerRef(job, platformv1.GroupVersion.WithKind("Job"))}
}

// onNode steers a pod to the node of its reservation. kube-scheduler stays the one that binds, and checks once more.
func onNode(node string) *corev1.Affinity {
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
			MatchFields: []corev1.NodeSelectorRequirement{{
				Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{node},
			}},
		}}},
	}}
}

func podTolerations(replica platformv1.ReplicaResources, cluster []platformv1.Toleration) []corev1.Toleration {
	var all []corev1.Toleration
	if replica.GPUs > 0 {
		all = append(all, corev1.Toleration{Key: gpuTaint, Operator: corev1.TolerationOpExists})
	}
	return append(all, Tolerations(cluster)...)
}

// Tolerations are the tolerations of a cluster in the words of a pod.
func Tolerations(cluster []platformv1.Toleration) []corev1.Toleration {
	all := make([]corev1.Toleration, 0, len(cluster))
	for _, t := range cluster {
		toleration := corev1.Toleration{Key: t.Key, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffect(t.Effect)}
		if t.Value != "" {
			toleration.Operator, toleration.Value = corev1.TolerationOpEqual, t.Value
		}
		all = append(all, toleration)
	}
	return all
}

func pullSecrets(job *platformv1.Job) []corev1.LocalObjectReference {
	if job.Spec.ImagePullSecret == "" {
		return nil
	}
	return []corev1.LocalObjectReference{{Name: job.Spec.ImagePullSecret}}
}
