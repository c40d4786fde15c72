// Package gangs tests how jobs of several replicas start where the cluster binds gangs itself: the real kube-scheduler runs, with the
// feature on by which it does. Package manager has the tests of clusters that do not. Only containers are played.
package gangs

import (
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/testing/apiserver"
	"github.com/soma-platform/soma/internal/testing/faultproxy"
	"github.com/soma-platform/soma/internal/testing/kubelet"
	"github.com/soma-platform/soma/internal/testing/manager"
	"github.com/soma-platform/soma/internal/testing/postgres"
	"github.com/soma-platform/soma/internal/testing/promises"
	"github.com/soma-platform/soma/test/integration/harness"
	suite "github.com/soma-platform/soma/test/integration/running"
)

const projectName = "vision"

var (
	// historyURL is the address of the history's database.
	historyURL string
	// happened is the log of all that happened to jobs, pods and quotas.
	happened *promises.Log
	// running is the manager that the specs share; one that stops it starts another.
	running *manager.Manager
)

func TestGangs(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Gangs")
}

var _ = BeforeSuite(func() {
	harness.Start(apiserver.Options{Admission: true, Gangs: true})
	Expect(harness.Server.Install(harness.Ctx, "rbac/*.yaml")).To(Succeed())
	database, err := postgres.Start(harness.Ctx)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(database.Close()).To(Succeed()) })
	historyURL, err = database.Database(harness.Ctx, "history")
	Expect(err).NotTo(HaveOccurred())
	suite.Kubelet()
	happened, err = promises.Begin(harness.Ctx, harness.K8s)
	Expect(err).NotTo(HaveOccurred())
	// Each has room for one replica of a gang here.
	harness.AddNode("node-a", "cpu", "0")
	harness.AddNode("node-b", "cpu", "0")
	running = launch(nil)
	DeferCleanup(func() { Expect(running.Stop()).To(Succeed()) })
	for _, o := range []client.Object{
		&v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: "team"}, Spec: v1alpha1.QuotaSpec{Nominal: harness.Amounts("64", "256Gi", 0)}},
		&v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: projectName}, Spec: v1alpha1.ProjectSpec{Quota: "team"}},
		&v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "local"}},
	} {
		Expect(harness.K8s.Create(harness.Ctx, o)).To(Succeed())
	}
})

var _ = AfterEach(func() {
	harness.ExpectHealth()
	Eventually(happened.Complete).WithContext(harness.Ctx).Should(Succeed())
	Expect(promises.Check(happened.Events())).To(Succeed())
})

// launch starts a manager, with the rights of Soma's manager and no others.
func launch(prepare func(proxy *faultproxy.Proxy, kill func())) *manager.Manager {
	GinkgoHelper()
	api := rest.CopyConfig(harness.Server.Config)
	api.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + harness.SystemNamespace + ":soma-manager", Groups: []string{"system:serviceaccounts", "system:authenticated"},
	}
	return suite.Manager(api, historyURL, prepare)
}

// newJob is a job of so many replicas, no two of which have room on one node.
func newJob(replicas int32) *v1alpha1.Job {
	job := harness.NewJob(projectName, harness.Unique("job"))
	job.Spec.Command, job.Spec.Replicas = kubelet.RunUntilEnded(), &replicas
	job.Spec.Resources = &v1alpha1.JobResources{CPU: ptr.To(resource.MustParse("5")), Memory: ptr.To(resource.MustParse("1Gi"))}
	return job
}

// submit creates a job, and removes it at the end of the spec.
func submit(job *v1alpha1.Job) *v1alpha1.Job {
	GinkgoHelper()
	Eventually(func() error { return harness.K8s.Create(harness.Ctx, job) }).Should(Succeed()) // its project may not be there yet
	DeferCleanup(func() {
		Expect(client.IgnoreNotFound(harness.K8s.Delete(harness.Ctx, job))).To(Succeed())
		harness.Gone(job)
	})
	return job
}

func suspend(job *v1alpha1.Job, yes bool) {
	GinkgoHelper()
	Eventually(func() error {
		if err := harness.K8s.Get(harness.Ctx, client.ObjectKeyFromObject(job), job); err != nil {
			return err
		}
		job.Spec.Suspend = &yes
		return harness.K8s.Update(harness.Ctx, job)
	}).Should(Succeed())
}

// reaches waits until a job is in a phase.
func reaches(job *v1alpha1.Job, phase v1alpha1.JobPhase) {
	GinkgoHelper()
	harness.Reaches(job, func(g Gomega, job *v1alpha1.Job) { g.Expect(job.Status.Phase).To(Equal(phase), job.Status.Message) })
}

// podsOf are the pods of a job that exist, of all attempts.
func podsOf(job *v1alpha1.Job) []corev1.Pod {
	GinkgoHelper()
	list := &corev1.PodList{}
	Expect(harness.K8s.List(harness.Ctx, list, client.InNamespace(job.Namespace),
		client.MatchingLabels{v1alpha1.LabelJobUID: string(job.UID)})).To(Succeed())
	return list.Items
}

// groupsOf are the PodGroups of a job that exist.
func groupsOf(job *v1alpha1.Job) []schedulingv1beta1.PodGroup {
	GinkgoHelper()
	list := &schedulingv1beta1.PodGroupList{}
	Expect(harness.K8s.List(harness.Ctx, list, client.InNamespace(job.Namespace),
		client.MatchingLabels{v1alpha1.LabelJobUID: string(job.UID)})).To(Succeed())
	return list.Items
}
