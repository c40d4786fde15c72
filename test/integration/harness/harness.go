// Package harness is what the suites against a real API server share: the server, which all specs of a suite use, and the
// words in which specs say what they do and expect.
package harness

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/platform/conditions/check"
	"github.com/soma-platform/soma/internal/testing/apiserver"
)

const (
	// SystemNamespace is where Soma itself runs.
	SystemNamespace = "soma-system"
	// patience is how long anything in these suites may take on a busy machine.
	patience = 30 * time.Second
)

var (
	// Ctx ends with the suite, or with Stop.
	Ctx context.Context
	// Stop ends Ctx.
	Stop context.CancelFunc
	// K8s is an administrator's client, which reads from the API server itself.
	K8s client.WithWatch
	// Server is the suite's API server.
	Server *apiserver.Server
)

// Start starts the suite's API server; it is part of the suite's BeforeSuite.
func Start(options apiserver.Options) {
	GinkgoHelper()
	SetDefaultEventuallyTimeout(patience)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	SetDefaultConsistentlyPollingInterval(50 * time.Millisecond)
	log.SetLogger(zap.New(zap.WriteTo(GinkgoWriter), zap.UseDevMode(true)))
	options.Output = GinkgoWriter
	var err error
	Server, err = apiserver.Start(options)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(Server.Stop()).To(Succeed()) })
	K8s = Server.Client
	ctx, stop := context.WithCancel(context.Background())
	DeferCleanup(stop)
	Ctx, Stop = ctx, stop
	Expect(K8s.Create(Ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: SystemNamespace}})).To(Succeed())
}

// ExpectHealth expects that the conditions of all objects keep their contract and that no reconciler ever panicked; it is
// part of every suite's AfterEach.
func ExpectHealth() {
	GinkgoHelper()
	for _, list := range []client.ObjectList{
		&v1alpha1.ProjectList{}, &v1alpha1.QuotaList{}, &v1alpha1.ClusterList{}, &v1alpha1.JobList{},
		&v1alpha1.UserList{}, &v1alpha1.RoleList{}, &v1alpha1.GrantList{},
	} {
		Expect(K8s.List(Ctx, list)).To(Succeed())
		for _, object := range items(list) {
			Expect(check.Contract(object)).To(Succeed())
		}
	}
	total, told := panics()
	Expect(told).To(BeTrue(), "no controller tells how often it panicked")
	Expect(total).To(BeZero(), "a reconciler panicked; the log above has the stack")
}

// Started waits until the controllers of a manager have started.
func Started() {
	GinkgoHelper()
	Eventually(func() bool { _, told := panics(); return told }).Should(BeTrue(), "no controller has started")
}

func items(list client.ObjectList) []check.Object {
	var all []check.Object
	Expect(meta.EachListItem(list, func(item runtime.Object) error {
		object, ok := item.(check.Object)
		Expect(ok).To(BeTrue(), "%T has no conditions", item)
		all = append(all, object)
		return nil
	})).To(Succeed())
	return all
}

// panics is the number of panics of all reconcilers, and whether any has started.
func panics() (total float64, told bool) {
	families, err := metrics.Registry.Gather()
	Expect(err).NotTo(HaveOccurred())
	for _, family := range families {
		if family.GetName() != "controller_runtime_reconcile_panics_total" {
			continue
		}
		told = true
		for _, metric := range family.GetMetric() {
			total += metric.GetCounter().GetValue()
		}
	}
	return total, told
}
