package integration

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/platform/fencing"
	"github.com/soma-platform/soma/test/integration/harness"
)

var _ = Describe("A fence between writers", func() {
	var (
		record     client.ObjectKey
		old, young *fencing.Fence
		seen       string
		job        *v1alpha1.Job
	)

	writer := func(name string) *fencing.Fence {
		return &fencing.Fence{
			Client: harness.K8s, Live: harness.K8s, Record: record, Writer: name, Mark: v1alpha1.AnnotationFenced,
			New:  func() client.Object { return &v1alpha1.Job{} },
			Seen: func(context.Context) (string, error) { return seen, nil },
		}
	}
	ready := func(f *fencing.Fence) bool {
		GinkgoHelper()
		is, err := f.Ready(harness.Ctx)
		Expect(err).NotTo(HaveOccurred())
		return is
	}
	// write is a write from the job as it is in hand, which the API server refuses where the job has changed.
	write := func(job *v1alpha1.Job) error {
		changed := job.DeepCopy()
		changed.Status.Phase = v1alpha1.JobPending
		changed.Status.Message = "written"
		err := harness.K8s.Status().Patch(harness.Ctx, changed, client.MergeFromWithOptions(job, client.MergeFromWithOptimisticLock{}))
		if err == nil {
			changed.DeepCopyInto(job)
		}
		return err
	}
	conflict := Satisfy(apierrors.IsConflict)

	BeforeEach(func() {
		record = client.ObjectKey{Namespace: harness.SystemNamespace, Name: harness.Unique("record")}
		job = harness.NewJob(metav1.NamespaceDefault, harness.Unique("fenced"))
		harness.Create(job)
		Expect(harness.K8s.Get(harness.Ctx, client.ObjectKeyFromObject(job), job)).To(Succeed())
		old, young = writer("old"), writer("young")
		seen = job.ResourceVersion
		Expect(ready(old)).To(BeTrue())
	})

	It("lets one writer write batch after batch", func() {
		for range 3 {
			Expect(old.Begin(harness.Ctx, []fencing.Write{fencing.Of(job)})).To(Succeed())
			Expect(write(job)).To(Succeed())
			old.Wrote(job.ResourceVersion)
			job.Status.Message = ""
			seen = job.ResourceVersion
			Expect(ready(old)).To(BeTrue())
		}
	})

	It("lets a writer begin no batch once another has taken over", func() {
		Expect(ready(young)).To(BeTrue())
		Expect(old.Begin(harness.Ctx, []fencing.Write{fencing.Of(job)})).To(MatchError(fencing.ErrSuperseded))
		Expect(young.Begin(harness.Ctx, []fencing.Write{fencing.Of(job)})).To(Succeed())
	})

	It("has a write refused that comes after another writer has taken over", func() {
		Expect(old.Begin(harness.Ctx, []fencing.Write{fencing.Of(job)})).To(Succeed())
		Expect(ready(young)).To(BeFalse())
		Expect(write(job)).To(conflict)
		Expect(harness.K8s.Get(harness.Ctx, client.ObjectKeyFromObject(job), job)).To(Succeed())
		seen = job.ResourceVersion
		Expect(ready(young)).To(BeTrue())
		Expect(job.Annotations).To(HaveKey(v1alpha1.AnnotationFenced))
	})

	It("takes a batch over from one who took it over and did not live to settle it", func() {
		Expect(old.Begin(harness.Ctx, []fencing.Write{fencing.Of(job)})).To(Succeed())
		dead := writer("dead")
		dead.Live = deaf{harness.K8s}
		_, err := dead.Ready(harness.Ctx)
		Expect(err).To(HaveOccurred())
		ready(young)
		Expect(write(job)).To(conflict)
	})

	It("waits until the cache has seen what the other wrote, in the last batch and in those before", func() {
		Expect(old.Begin(harness.Ctx, []fencing.Write{fencing.Of(job)})).To(Succeed())
		Expect(write(job)).To(Succeed())
		old.Wrote(job.ResourceVersion)
		third := writer("third")
		Expect(ready(third)).To(BeFalse(), "of the last batch")

		Expect(ready(young)).To(BeFalse())
		seen = job.ResourceVersion
		Expect(ready(young)).To(BeTrue())
		Expect(young.Begin(harness.Ctx, nil)).To(Succeed())
		seen = "1"
		Expect(ready(writer("fourth"))).To(BeFalse(), "of a batch before")
	})

	It("settles a write of its own that nobody knows the end of", func() {
		Expect(old.Begin(harness.Ctx, []fencing.Write{fencing.Of(job)})).To(Succeed())
		old.Doubt(fencing.Of(job))
		Expect(old.Begin(harness.Ctx, nil)).NotTo(Succeed())
		Expect(ready(old)).To(BeFalse())
		Expect(write(job)).To(conflict)
	})

	It("does not mind objects that are gone", func() {
		Expect(old.Begin(harness.Ctx, []fencing.Write{fencing.Of(job)})).To(Succeed())
		Expect(harness.K8s.Delete(harness.Ctx, job)).To(Succeed())
		Eventually(func() error { return harness.K8s.Get(harness.Ctx, client.ObjectKeyFromObject(job), &v1alpha1.Job{}) }).
			Should(Satisfy(apierrors.IsNotFound))
		Expect(ready(young)).To(BeTrue())
	})

	It("learns nothing from a record that was copied from elsewhere", func() {
		Expect(old.Begin(harness.Ctx, []fencing.Write{fencing.Of(job)})).To(Succeed())
		was := &corev1.ConfigMap{}
		Expect(harness.K8s.Get(harness.Ctx, record, was)).To(Succeed())
		Expect(harness.K8s.Delete(harness.Ctx, was)).To(Succeed())
		harness.Create(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: record.Namespace, Name: record.Name}, Data: was.Data})
		Expect(old.Begin(harness.Ctx, nil)).To(MatchError(fencing.ErrSuperseded))
		Expect(ready(young)).To(BeTrue())
		Expect(write(job)).To(Succeed())
	})
})

// deaf reads nothing but ConfigMaps.
type deaf struct{ client.Reader }

func (d deaf) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	if _, ok := o.(*corev1.ConfigMap); !ok {
		return apierrors.NewServiceUnavailable("not now")
	}
	return d.Reader.Get(ctx, key, o, opts...)
}
