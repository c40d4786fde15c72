package integration

import (
	"fmt"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/platform/conditions"
	"github.com/soma-platform/soma/internal/platform/conditions/check"
)

var names atomic.Int64

// unique is a name that no other spec uses.
func unique(prefix string) string { return fmt.Sprintf("%s-%d", prefix, names.Add(1)) }

// object is an object of one of the kinds.
type object interface {
	client.Object
	check.Object
	GetJournal() *v1alpha1.Journal
}

// create creates the object and removes it, with its finalizers, at the end of the spec.
func create(o client.Object) {
	GinkgoHelper()
	Expect(k8s.Create(ctx, o)).To(Succeed())
	DeferCleanup(func() { remove(o) })
}

// remove deletes an object and, in place of the recorder and of other controllers that do not run here, its finalizers.
func remove(o client.Object) {
	GinkgoHelper()
	Expect(client.IgnoreNotFound(k8s.Delete(ctx, o))).To(Succeed())
	Eventually(func(g Gomega) {
		err := k8s.Get(ctx, client.ObjectKeyFromObject(o), o)
		if apierrors.IsNotFound(err) {
			return
		}
		g.Expect(err).NotTo(HaveOccurred())
		release(g, o)
		g.Expect(o.GetFinalizers()).To(BeEmpty())
	}).Should(Succeed())
	gone(o)
}

// release takes the finalizer of the history off an object that is being deleted, as the recorder does, where it is the
// last one.
func release(g Gomega, o client.Object) {
	if len(o.GetFinalizers()) != 1 || !controllerutil.ContainsFinalizer(o, v1alpha1.FinalizerHistory) {
		return
	}
	before, ok := o.DeepCopyObject().(client.Object)
	g.Expect(ok).To(BeTrue())
	controllerutil.RemoveFinalizer(o, v1alpha1.FinalizerHistory)
	g.Expect(client.IgnoreNotFound(k8s.Patch(ctx, o, client.MergeFrom(before)))).To(Succeed())
}

// gone waits until the object does not exist.
func gone(o client.Object) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		err := k8s.Get(ctx, client.ObjectKeyFromObject(o), o)
		g.Expect(apierrors.IsNotFound(err)).To(BeTrue(), "still there: %v, finalizers %v, error %v", o.GetName(), o.GetFinalizers(), err)
	}).Should(Succeed())
}

// eventually waits until the object, read again and again, satisfies the expectations.
func eventually[T client.Object](o T, expectations func(g Gomega, o T)) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
		expectations(g, o)
	}).Should(Succeed())
}

// condition expects a condition of a status and a reason, of the object's newest generation.
func condition(g Gomega, o object, conditionType string, status metav1.ConditionStatus, reason string) {
	GinkgoHelper()
	found := conditions.Get(*o.GetConditions(), conditionType)
	g.Expect(found).NotTo(BeNil(), "no condition %s in %v", conditionType, *o.GetConditions())
	g.Expect(string(found.Status)+" "+found.Reason).To(Equal(string(status)+" "+reason), "message: %s", found.Message)
	g.Expect(found.ObservedGeneration).To(Equal(o.GetGeneration()))
}

// message is the message of a condition.
func message(o object, conditionType string) string {
	if found := conditions.Get(*o.GetConditions(), conditionType); found != nil {
		return found.Message
	}
	return ""
}

// history is what the journal of an object tells: phases and reasons in order.
func history(o object) []string {
	var told []string
	for _, entry := range o.GetJournal().Entries {
		told = append(told, entry.Phase+" "+entry.Reason)
	}
	return told
}

// stays expects that nobody writes the object any more.
func stays(o object) {
	GinkgoHelper()
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
	version := o.GetResourceVersion()
	Consistently(func(g Gomega) {
		g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(o), o)).To(Succeed())
		g.Expect(o.GetResourceVersion()).To(Equal(version))
	}, "2s").Should(Succeed())
}
