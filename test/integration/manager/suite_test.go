// Package manager tests what cmd/manager runs, all of it together: every controller, admission and the recorder, against a
// real API server and a real PostgreSQL, which all specs share. Only containers are played; package kubelet says how.
//
// After every spec the log of all that happened so far is checked against the promises that hold at every moment.
package manager

import (
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/history"
	"github.com/soma-platform/soma/internal/testing/apiserver"
	"github.com/soma-platform/soma/internal/testing/manager"
	"github.com/soma-platform/soma/internal/testing/postgres"
	"github.com/soma-platform/soma/internal/testing/promises"
	"github.com/soma-platform/soma/test/integration/harness"
	suite "github.com/soma-platform/soma/test/integration/running"
)

// What every spec finds: two nodes of 8 cores, a quota that grants more than all of them, a project and a cluster.
const (
	projectName = "vision"
	quotaName   = "team"
	clusterName = "local"
	presetName  = "small"
)

var (
	database *postgres.Server
	// historyURL is the address of the history's database.
	historyURL string
	// past reads the history.
	past *history.Store
	// happened is the log of all that happened to jobs, pods and quotas.
	happened *promises.Log
	// running is the manager that all specs share; the specs that stop it start another.
	running *manager.Manager
)

func TestManager(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Manager")
}

var _ = BeforeSuite(func() {
	harness.Start(apiserver.Options{Admission: true})
	startHistory()
	suite.Kubelet()
	var err error
	happened, err = promises.Begin(harness.Ctx, harness.K8s)
	Expect(err).NotTo(HaveOccurred())
	harness.AddNode("node-a", "cpu", "4")
	harness.AddNode("node-b", "cpu", "4")
	running = launch()
	DeferCleanup(func() { Expect(running.Stop()).To(Succeed()) })

	for _, o := range []client.Object{
		&v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: quotaName}, Spec: v1alpha1.QuotaSpec{Nominal: harness.Amounts("64", "256Gi", 8)}},
		&v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: projectName}, Spec: v1alpha1.ProjectSpec{Quota: quotaName}},
		&v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: clusterName}, Spec: v1alpha1.ClusterSpec{
			Presets: []v1alpha1.Preset{{Name: presetName, CPU: resource.MustParse("1"), Memory: resource.MustParse("1Gi")}},
		}},
	} {
		Expect(harness.K8s.Create(harness.Ctx, o)).To(Succeed())
	}
	isReady(&v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: projectName}})
	isReady(&v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: clusterName}})
})

// startHistory starts PostgreSQL, with a database for the recorder.
func startHistory() {
	var err error
	database, err = postgres.Start(harness.Ctx)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(database.Close()).To(Succeed()) })
	historyURL, err = database.Database(harness.Ctx, "history")
	Expect(err).NotTo(HaveOccurred())
	past, err = history.Open(harness.Ctx, historyURL, clock.RealClock{})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(past.Close)
}

// launch starts the manager under test.
func launch() *manager.Manager {
	GinkgoHelper()
	return suite.Manager(harness.Server.Config, historyURL, nil)
}

var _ = AfterEach(func() {
	harness.ExpectHealth()
	Eventually(happened.Complete).WithContext(harness.Ctx).Should(Succeed())
	Expect(promises.Check(happened.Events())).To(Succeed())
})
