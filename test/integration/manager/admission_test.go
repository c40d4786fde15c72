package manager

import (
	"encoding/json"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/testing/kubelet"
	"github.com/soma-platform/soma/test/integration/harness"
)

// as is the client of a user.
func as(user string) client.Client {
	GinkgoHelper()
	config := rest.CopyConfig(harness.Server.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"system:masters"}}
	c, err := client.New(config, client.Options{Scheme: harness.Server.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	return c
}

var _ = Describe("Admission of jobs", func() {
	var carol, dave client.Client
	var job *v1alpha1.Job

	BeforeEach(func() {
		carol, dave = as("carol"), as("dave")
		job = newJob(kubelet.RunUntilEnded())
		DeferCleanup(func() {
			Expect(client.IgnoreNotFound(harness.K8s.Delete(harness.Ctx, job))).To(Succeed())
			harness.Gone(job)
		})
	})

	It("records who submits a job, whatever the job says, and holds it for its history", func() {
		job.Spec.SubmittedBy, job.Spec.CancelledBy = "mallory", "mallory"
		Expect(carol.Create(harness.Ctx, job)).To(Succeed())
		Expect(job.Spec.SubmittedBy).To(Equal("carol"))
		Expect(job.Spec.CancelledBy).To(BeEmpty())
		Expect(job.Finalizers).To(ConsistOf(v1alpha1.FinalizerHistory))
	})

	It("keeps who submitted a job when another applies it again, and refuses another name", func() {
		Expect(carol.Create(harness.Ctx, job)).To(Succeed())
		again := newJob(job.Spec.Command)
		again.Name = job.Name
		harness.Reaches(job, func(g Gomega, job *v1alpha1.Job) {
			again.ResourceVersion, again.Finalizers = job.ResourceVersion, job.Finalizers
			again.Spec.Description = "applied again"
			g.Expect(dave.Update(harness.Ctx, again)).To(Succeed())
		})
		Expect(again.Spec.SubmittedBy).To(Equal("carol"))
		before := again.DeepCopy()
		again.Spec.SubmittedBy = "dave"
		Expect(dave.Patch(harness.Ctx, again, client.MergeFrom(before))).To(
			MatchError(ContainSubstring("submittedBy is recorded when the job is submitted")))
	})

	It("records who cancels a job, and nobody else afterwards", func() {
		Expect(carol.Create(harness.Ctx, job)).To(Succeed())
		before := job.DeepCopy()
		job.Spec.CancelledBy = "mallory"
		Expect(dave.Patch(harness.Ctx, job, client.MergeFrom(before))).To(Succeed())
		Expect(job.Spec.CancelledBy).To(BeEmpty(), "nobody cancelled it")
		before = job.DeepCopy()
		job.Spec.Cancel, job.Spec.CancelledBy = ptr.To(true), "mallory"
		Expect(dave.Patch(harness.Ctx, job, client.MergeFrom(before))).To(Succeed())
		Expect(job.Spec.CancelledBy).To(Equal("dave"))
		before = job.DeepCopy()
		job.Spec.CancelledBy = "carol"
		Expect(carol.Patch(harness.Ctx, job, client.MergeFrom(before))).To(Succeed())
		Expect(job.Spec.CancelledBy).To(Equal("dave"))
		reaches(job, v1alpha1.JobCancelled, v1alpha1.JobReasonUserRequested)
		Expect(job.Status.Message).To(Equal("cancelled by dave"))
	})

	It("records who cancels a job that is submitted as cancelled", func() {
		job.Spec.Cancel = ptr.To(true)
		Expect(carol.Create(harness.Ctx, job)).To(Succeed())
		Expect(job.Spec.CancelledBy).To(Equal("carol"))
		reaches(job, v1alpha1.JobCancelled, v1alpha1.JobReasonUserRequested)
		isRecorded(job, "Cancelled UserRequested")
	})

	It("keeps a job for its history, whoever takes off what holds it", func() {
		Expect(carol.Create(harness.Ctx, job)).To(Succeed())
		before := job.DeepCopy()
		job.Finalizers = nil
		Expect(carol.Patch(harness.Ctx, job, client.MergeFrom(before))).To(Succeed())
		Expect(job.Finalizers).To(ConsistOf(v1alpha1.FinalizerHistory))
		Expect(carol.Delete(harness.Ctx, job)).To(Succeed())
		Eventually(func() error {
			patch := client.RawPatch(types.JSONPatchType, []byte(`[{"op": "remove", "path": "/metadata/finalizers"}]`))
			return carol.Patch(harness.Ctx, job, patch)
		}).Should(Satisfy(apierrors.IsNotFound), "the job goes when the recorder lets it go")
		all, err := rows(job)
		Expect(err).NotTo(HaveOccurred())
		Expect(all).NotTo(BeEmpty())
		Expect(all[len(all)-1].Reason).To(Equal("Deleted"), "it did not go unwitnessed")
	})

	It("has no book kept of who wrote which of a job's fields, unless it is applied on the server's side", func() {
		Expect(carol.Create(harness.Ctx, job)).To(Succeed())
		Expect(job.ManagedFields).To(BeEmpty())
		runs(job)
		Expect(job.ManagedFields).To(BeEmpty(), "nor of what controllers wrote")
		applied := newJob(job.Spec.Command)
		applied.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("Job"))
		manifest, err := json.Marshal(applied)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() {
			Expect(client.IgnoreNotFound(harness.K8s.Delete(harness.Ctx, applied))).To(Succeed())
			harness.Gone(applied)
		})
		Expect(carol.Patch(harness.Ctx, applied, client.RawPatch(types.ApplyPatchType, manifest), client.FieldOwner("gitops"))).To(Succeed())
		runs(applied)
		Expect(applied.ManagedFields).To(ContainElement(HaveField("Operation", metav1.ManagedFieldsOperationApply)))
	})

	It("refuses what the schema refuses", func() {
		job.Spec.Image = "two words"
		Expect(carol.Create(harness.Ctx, job)).To(MatchError(ContainSubstring("spec.image")))
	})

	It("tells the fields of what cannot be read", func() {
		wrong := &unstructured.Unstructured{Object: map[string]any{
			"metadata": map[string]any{"namespace": job.Namespace, "name": job.Name},
			"spec":     map[string]any{"image": "a", "replicas": "two", "resources": map[string]any{"cpu": "much", "memory": "1Gi"}},
		}}
		wrong.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("Job"))
		Expect(carol.Create(harness.Ctx, wrong)).To(And(
			MatchError(apierrors.IsInvalid, "is invalid"),
			MatchError(ContainSubstring(`spec.replicas: Invalid value: "two": must be of type integer`)),
			MatchError(ContainSubstring(`spec.resources.cpu: Invalid value: "much": must be an amount`)),
		))
	})
})
