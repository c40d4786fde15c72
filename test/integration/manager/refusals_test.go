package manager

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/testing/kubelet"
	"github.com/soma-platform/soma/test/integration/harness"
)

// ends waits until a job that could not start has run through.
func ends(job *v1alpha1.Job) {
	GinkgoHelper()
	reaches(job, v1alpha1.JobSucceeded, v1alpha1.JobReasonCompleted)
}

var _ = Describe("A job that cannot start says why, and starts once the world changes", func() {
	Describe("in a project of its own", func() {
		var quota *v1alpha1.Quota
		var project *v1alpha1.Project

		BeforeEach(func() {
			name := harness.Unique("own")
			quota = &v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.QuotaSpec{Nominal: harness.Amounts("2", "8Gi", 0)}}
			project = &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: name}}
		})

		It("without a quota", func() {
			put(project)
			isReady(project)
			job := newJob(kubelet.Exit(0), in(project.Name))
			submit(job)
			waits(job, v1alpha1.JobReasonQuotaMissing, "has no quota")
			change(project, func(p *v1alpha1.Project) { p.Spec.Quota = quota.Name })
			waits(job, v1alpha1.JobReasonQuotaMissing, "does not exist")
			put(quota)
			ends(job)
		})

		It("with a quota that is too small, or in use", func() {
			project.Spec.Quota = quota.Name
			put(quota)
			put(project)
			isReady(project)
			large := newJob(kubelet.Exit(0), in(project.Name), cores("3"))
			submit(large)
			waits(large, v1alpha1.JobReasonQuotaTooSmall, quota.Name)
			holder := newJob(kubelet.RunUntilEnded(), in(project.Name), cores("2"))
			submit(holder)
			runs(holder)
			second := newJob(kubelet.Exit(0), in(project.Name))
			submit(second)
			waits(second, v1alpha1.JobReasonQuotaExceeded, "in use")
			cancel(holder)
			ends(second)
			change(quota, func(q *v1alpha1.Quota) { q.Spec.Nominal = harness.Amounts("3", "8Gi", 0) })
			ends(large)
		})

		It("before the project exists", func() {
			namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: harness.Unique("plain")}}
			put(namespace)
			job := newJob(kubelet.Exit(0), in(namespace.Name))
			submit(job)
			waits(job, v1alpha1.JobReasonProjectNotReady, "belongs to no project")
		})
	})

	It("for a preset that does not exist yet", func() {
		preset := harness.Unique("preset")
		job := newJob(kubelet.Exit(0), func(j *v1alpha1.Job) { j.Spec.Preset = preset })
		submit(job)
		waits(job, v1alpha1.JobReasonPresetNotFound, presetName)
		local := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: clusterName}}
		change(local, func(c *v1alpha1.Cluster) {
			c.Spec.Presets = append(c.Spec.Presets, v1alpha1.Preset{Name: preset, CPU: resource.MustParse("1"), Memory: resource.MustParse("1Gi")})
		})
		ends(job)
	})

	It("for a secret that does not exist yet", func() {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: projectName, Name: harness.Unique("token")}}
		job := newJob(kubelet.Exit(0), func(j *v1alpha1.Job) {
			j.Spec.Env = []v1alpha1.EnvVar{{Name: "TOKEN", Secret: &v1alpha1.SecretKey{Name: secret.Name, Key: "value"}}}
		})
		submit(job)
		waits(job, v1alpha1.JobReasonSecretMissing, secret.Name)
		put(secret) // it is not marked for jobs
		waits(job, v1alpha1.JobReasonSecretMissing, v1alpha1.LabelSecret)
		change(secret, func(s *corev1.Secret) { s.Labels = map[string]string{v1alpha1.LabelSecret: v1alpha1.SecretLabelValue} })
		ends(job)
	})

	It("for a cluster that does not exist", func() {
		job := newJob(kubelet.Exit(0), func(j *v1alpha1.Job) { j.Spec.Cluster = "elsewhere" })
		submit(job)
		waits(job, v1alpha1.JobReasonClusterNotFound, "elsewhere")
	})

	It("for more than any node has, told apart from nodes that are busy", func() {
		first := newJob(kubelet.RunUntilEnded(), cores("8"), gang(2))
		submit(first)
		runs(first)
		busy, impossible := newJob(kubelet.Exit(0), cores("8")), newJob(kubelet.Exit(0), gpus(8))
		submit(busy, impossible)
		waits(busy, v1alpha1.JobReasonQueued, "waiting for others to end")
		harness.ExpectCondition(Default, busy, v1alpha1.ConditionReconciling, "True", string(v1alpha1.JobReasonQueued))
		waits(impossible, v1alpha1.JobReasonUnschedulable, "the largest that a node can give is")
		harness.ExpectCondition(Default, impossible, v1alpha1.ConditionStalled, "True", string(v1alpha1.JobReasonUnschedulable))
		harness.AddNode(harness.Unique("large"), "gpu", "8")
		ends(impossible)
		cancel(first)
		ends(busy)
	})
})

func gpus(count int32) option {
	return func(j *v1alpha1.Job) {
		cores("1")(j)
		j.Spec.Resources.GPU = &v1alpha1.GPUs{Count: count}
	}
}
