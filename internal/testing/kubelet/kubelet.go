// Package kubelet plays kube-scheduler and the kubelets of all nodes for tests on an API server without nodes. It stands for
// what cannot run there, real containers, and for nothing else: it binds pods to the node that they ask for, tells in their
// status that they run and how they end, and removes those that are deleted, in the order and with the words of the real
// ones. What a container does is said by its command; see Command. A node that is not ready does not answer: nothing of its
// pods changes.
package kubelet

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
)

// LabelBrokenGPUs on a node, with any value, has it refuse pods that ask for GPUs, as a node does that knows its GPUs to be broken.
const LabelBrokenGPUs = "kubelet.soma.dev/broken-gpus"

const gpuResource = "nvidia.com/gpu"

// silence is how long it takes until a pod on a node that does not answer is looked at again.
const silence = 200 * time.Millisecond

// terminated is the exit code of a container that was ended by SIGTERM.
const terminated = 128 + 15

// Kubelet follows all pods.
type Kubelet struct {
	client client.Client

	mutex sync.Mutex
	// started is when containers began to run: the times in a pod's status are whole seconds.
	started map[types.UID]time.Time
}

// SetupWithManager adds the kubelet to a manager, which must not be the one under test: nodes go on without it.
func SetupWithManager(mgr ctrl.Manager) error {
	k := &Kubelet{client: mgr.GetClient(), started: map[types.UID]time.Time{}}
	return ctrl.NewControllerManagedBy(mgr).
		Named("kubelet").
		For(&corev1.Pod{}).
		WithOptions(controller.Options{MaxConcurrentReconciles: 8, SkipNameValidation: ptr.To(true)}).
		Complete(k)
}

// Reconcile takes one pod one step further.
func (k *Kubelet) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	pod := &corev1.Pod{}
	if err := k.client.Get(ctx, request.NamespacedName, pod); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	node, err := k.nodeOf(ctx, pod)
	if err != nil {
		return ctrl.Result{}, err
	}
	if !answers(node) {
		return ctrl.Result{RequeueAfter: silence}, nil
	}
	after, err := k.step(ctx, pod, node)
	return ctrl.Result{RequeueAfter: after}, client.IgnoreNotFound(err)
}

// nodeOf is the node that a pod is on; nil where there is none.
func (k *Kubelet) nodeOf(ctx context.Context, pod *corev1.Pod) (*corev1.Node, error) {
	if pod.Spec.NodeName == "" {
		return nil, nil
	}
	node := &corev1.Node{}
	err := k.client.Get(ctx, client.ObjectKey{Name: pod.Spec.NodeName}, node)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return node, err
}

// answers reports whether a node is ready. One that is not there cannot hold anything up.
func answers(node *corev1.Node) bool {
	if node == nil {
		return true
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return true
}

func (k *Kubelet) step(ctx context.Context, pod *corev1.Pod, node *corev1.Node) (time.Duration, error) {
	ended := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
	switch {
	case ended && pod.DeletionTimestamp == nil:
		return 0, nil
	case ended || (pod.DeletionTimestamp != nil && pod.Status.Phase != corev1.PodRunning):
		return 0, k.client.Delete(ctx, pod, client.GracePeriodSeconds(0), client.Preconditions{UID: &pod.UID})
	case pod.DeletionTimestamp != nil && endsWell(pod):
		return 0, k.end(ctx, pod, 0)
	case pod.DeletionTimestamp != nil:
		return 0, k.end(ctx, pod, terminated)
	case pod.Spec.NodeName == "":
		return 0, k.bind(ctx, pod)
	case pod.Status.Phase != corev1.PodRunning:
		return 0, k.start(ctx, pod, node)
	}
	left, code := k.left(pod)
	if left > 0 {
		return left, nil
	}
	return 0, k.end(ctx, pod, code)
}

// bind puts a pod on the node that it asks for by name; one that asks for none stays where it is. One of a PodGroup is left to
// the real kube-scheduler, which runs where the API server serves that kind.
func (k *Kubelet) bind(ctx context.Context, pod *corev1.Pod) error {
	node := wanted(pod)
	if node == "" || pod.Spec.SchedulingGroup != nil {
		return nil
	}
	binding := &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: node}}
	return k.client.SubResource("binding").Create(ctx, pod, binding)
}

func wanted(pod *corev1.Pod) string {
	if pod.Spec.Affinity == nil || pod.Spec.Affinity.NodeAffinity == nil {
		return ""
	}
	required := pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	if required == nil || len(required.NodeSelectorTerms) != 1 {
		return ""
	}
	for _, field := range required.NodeSelectorTerms[0].MatchFields {
		if field.Key == "metadata.name" && len(field.Values) == 1 {
			return field.Values[0]
		}
	}
	return ""
}

func (k *Kubelet) start(ctx context.Context, pod *corev1.Pod, node *corev1.Node) error {
	if refused(pod) {
		return k.refuse(ctx, pod, "OutOfcpu", "Node didn't have enough resource: cpu")
	}
	if gpus := pod.Spec.Containers[0].Resources.Limits[gpuResource]; node != nil && node.Labels[LabelBrokenGPUs] != "" && !gpus.IsZero() {
		return k.refuse(ctx, pod, "UnexpectedAdmissionError",
			"Allocate failed due to no healthy devices present; cannot allocate unhealthy devices "+gpuResource+", which is unexpected")
	}
	status := corev1.ContainerStatus{Name: pod.Spec.Containers[0].Name, Image: pod.Spec.Containers[0].Image}
	if waiting := waitingOf(pod); waiting != nil {
		if len(pod.Status.ContainerStatuses) > 0 {
			return nil // it said so
		}
		status.State.Waiting = waiting
		return k.write(ctx, pod, corev1.PodPending, status)
	}
	k.mutex.Lock()
	k.started[pod.UID] = time.Now()
	k.mutex.Unlock()
	status.State.Running = &corev1.ContainerStateRunning{StartedAt: metav1.Now()}
	status.ImageID = fmt.Sprintf("%s@sha256:%x", "registry.example/image", sha256.Sum256([]byte(status.Image)))
	return k.write(ctx, pod, corev1.PodRunning, status)
}

// refuse has a node not take a pod that was bound to it.
func (k *Kubelet) refuse(ctx context.Context, pod *corev1.Pod, reason, message string) error {
	changed := pod.DeepCopy()
	changed.Status.Phase, changed.Status.Reason, changed.Status.Message = corev1.PodFailed, reason, message
	return k.client.Status().Patch(ctx, changed, client.MergeFrom(pod))
}

func (k *Kubelet) end(ctx context.Context, pod *corev1.Pod, code int32) error {
	k.mutex.Lock()
	delete(k.started, pod.UID)
	k.mutex.Unlock()
	status := pod.Status.ContainerStatuses[0]
	end := &corev1.ContainerStateTerminated{
		ExitCode: code, Reason: "Completed", StartedAt: status.State.Running.StartedAt, FinishedAt: metav1.Now(),
	}
	phase := corev1.PodSucceeded
	if code != 0 {
		end.Reason, end.Message, phase = "Error", "last words "+strconv.Itoa(int(code)), corev1.PodFailed
	}
	status.State = corev1.ContainerState{Terminated: end}
	return k.write(ctx, pod, phase, status)
}

func (k *Kubelet) write(ctx context.Context, pod *corev1.Pod, phase corev1.PodPhase, status corev1.ContainerStatus) error {
	changed := pod.DeepCopy()
	changed.Status.Phase = phase
	changed.Status.ContainerStatuses = []corev1.ContainerStatus{status}
	return k.client.Status().Patch(ctx, changed, client.MergeFrom(pod))
}

// left is how much longer the container runs, and the exit code with which it then ends.
func (k *Kubelet) left(pod *corev1.Pod) (time.Duration, int32) {
	lasts, code := read(pod)
	k.mutex.Lock()
	defer k.mutex.Unlock()
	return lasts - time.Since(k.started[pod.UID]), code
}
