package harness

import (
	"fmt"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/platform/conditions"
	"github.com/soma-platform/soma/internal/platform/conditions/check"
)

var names atomic.Int64

// Unique is a name that no other spec uses.
func Unique(prefix string) string { return fmt.Sprintf("%s-%d", prefix, names.Add(1)) }

// Object is an object of one of the kinds.
type Object interface {
	client.Object
	check.Object
}

// Recorded is an object of one of the kinds whose life is recorded.
type Recorded interface {
	Object
	GetJournal() *v1alpha1.Journal
}

// Create creates the object and removes it, with its finalizers, at the end of the spec.
func Create(o client.Object) {
	GinkgoHelper()
	Expect(K8s.Create(Ctx, o)).To(Succeed())
	DeferCleanup(func() { Remove(o) })
}

// Remove deletes an object and, in place of the recorder and of other controllers that do not run here, its finalizers.
func Remove(o client.Object) {
	GinkgoHelper()
	Expect(client.IgnoreNotFound(K8s.Delete(Ctx, o))).To(Succeed())
	Eventually(func(g Gomega) {
		err := K8s.Get(Ctx, client.ObjectKeyFromObject(o), o)
		if apierrors.IsNotFound(err) {
			return
		}
		g.Expect(err).NotTo(HaveOccurred())
		Release(g, o)
		g.Expect(o.GetFinalizers()).To(BeEmpty())
	}).Should(Succeed())
	Gone(o)
}

// Release takes the finalizer of the history off an object that is being deleted, as the recorder does, where it is the
// last one.
func Release(g Gomega, o client.Object) {
	if len(o.GetFinalizers()) != 1 || !controllerutil.ContainsFinalizer(o, v1alpha1.FinalizerHistory) {
		return
	}
	before, ok := o.DeepCopyObject().(client.Object)
	g.Expect(ok).To(BeTrue())
	controllerutil.RemoveFinalizer(o, v1alpha1.FinalizerHistory)
	g.Expect(client.IgnoreNotFound(K8s.Patch(Ctx, o, client.MergeFrom(before)))).To(Succeed())
}

// Gone waits until the object does not exist.
func Gone(o client.Object) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		err := K8s.Get(Ctx, client.ObjectKeyFromObject(o), o)
		g.Expect(apierrors.IsNotFound(err)).To(BeTrue(), "still there: %v, finalizers %v, error %v", o.GetName(), o.GetFinalizers(), err)
	}).Should(Succeed())
}

// Reaches waits until the object, read again and again, satisfies the expectations.
func Reaches[T client.Object](o T, expectations func(g Gomega, o T)) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(K8s.Get(Ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
		expectations(g, o)
	}).Should(Succeed())
}

// ExpectCondition expects a condition of a status and a reason, of the object's newest generation.
func ExpectCondition(g Gomega, o Object, conditionType string, status metav1.ConditionStatus, reason string) {
	GinkgoHelper()
	found := conditions.Get(*o.GetConditions(), conditionType)
	g.Expect(found).NotTo(BeNil(), "no condition %s in %v", conditionType, *o.GetConditions())
	g.Expect(string(found.Status)+" "+found.Reason).To(Equal(string(status)+" "+reason), "message: %s", found.Message)
	g.Expect(found.ObservedGeneration).To(Equal(o.GetGeneration()))
}

// Message is the message of a condition.
func Message(o Object, conditionType string) string {
	if found := conditions.Get(*o.GetConditions(), conditionType); found != nil {
		return found.Message
	}
	return ""
}

// Told is what the journal of an object tells: phases and reasons in order.
func Told(o Recorded) []string {
	var told []string
	for _, entry := range o.GetJournal().Entries {
		told = append(told, entry.Phase+" "+entry.Reason)
	}
	return told
}

// Stays expects that nobody writes the object any more.
func Stays(o Object) {
	GinkgoHelper()
	Expect(K8s.Get(Ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
	version := o.GetResourceVersion()
	Consistently(func(g Gomega) {
		g.Expect(K8s.Get(Ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
		g.Expect(o.GetResourceVersion()).To(Equal(version))
	}, "2s").Should(Succeed())
}

// NewJob is a job that asks for as little as can be.
func NewJob(namespace, name string) *v1alpha1.Job {
	return &v1alpha1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       v1alpha1.JobSpec{Image: "busybox"},
	}
}

// Amounts are what a quota grants.
func Amounts(cpu, memory string, gpus int32) v1alpha1.ResourceAmounts {
	cores, bytes := resource.MustParse(cpu), resource.MustParse(memory)
	return v1alpha1.ResourceAmounts{CPU: &cores, Memory: &bytes, GPUs: &gpus}
}

// AddNode makes a node of 8 cores and 32 GiB that is ready, and removes it at the end of the spec.
func AddNode(name, pool, gpus string) *corev1.Node {
	GinkgoHelper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{
		Name:   name,
		Labels: map[string]string{corev1.LabelHostname: name, v1alpha1.LabelPool: pool, v1alpha1.LabelGPUModel: "TEST-GPU"},
	}}
	Create(node)
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	node.Status.Allocatable = corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("8"), corev1.ResourceMemory: resource.MustParse("32Gi"),
		corev1.ResourcePods: resource.MustParse("110"), v1alpha1.ResourceGPU: resource.MustParse(gpus),
	}
	Expect(K8s.Status().Update(Ctx, node)).To(Succeed())
	// Admission gave it the taint of nodes that are not ready yet.
	node.Spec.Taints = nil
	Expect(K8s.Update(Ctx, node)).To(Succeed())
	return node
}
