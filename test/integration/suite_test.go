// Package integration tests the controllers and the API's own rules against a real API server, which all specs share.
package integration

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/controllers/cluster"
	"github.com/soma-platform/soma/controllers/project"
	"github.com/soma-platform/soma/controllers/quota"
	"github.com/soma-platform/soma/internal/fleet"
	"github.com/soma-platform/soma/internal/platform/conditions/check"
)

const (
	systemNamespace = "soma-system"
	// patience is how long anything in these suites may take on a busy machine.
	patience = 30 * time.Second
	// shortly is the interval of the reconcilers that gather events.
	shortly = 200 * time.Millisecond
)

var (
	ctx    context.Context
	k8s    client.Client
	server *envtest.Environment
	// kubeconfig of an administrator, with nothing in it but server, CA and client certificate.
	kubeconfig []byte
)

func TestIntegration(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(patience)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	SetDefaultConsistentlyPollingInterval(50 * time.Millisecond)
	RunSpecs(t, "Integration")
}

var _ = BeforeSuite(func() {
	log.SetLogger(zap.New(zap.WriteTo(GinkgoWriter), zap.UseDevMode(true)))
	var stop context.CancelFunc
	ctx, stop = context.WithCancel(context.Background())

	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		assets = filepath.Join("..", "..", ".soma", "bin")
	}
	assets, err := filepath.Abs(assets)
	Expect(err).NotTo(HaveOccurred())
	Expect(filepath.Join(assets, "kube-apiserver")).To(BeAnExistingFile(),
		"the suite needs etcd, kube-apiserver and kube-controller-manager: run `make up`, or set KUBEBUILDER_ASSETS to their folder")

	scheme := runtime.NewScheme()
	Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())

	server = &envtest.Environment{
		Scheme:                scheme,
		BinaryAssetsDirectory: assets,
		CRDDirectoryPaths:     []string{filepath.Join("..", "..", "config", "crd")},
		ErrorIfCRDPathMissing: true,
	}
	config, err := server.Start()
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(server.Stop()).To(Succeed()) })

	admin, err := server.AddUser(envtest.User{Name: "admin", Groups: []string{"system:masters"}}, nil)
	Expect(err).NotTo(HaveOccurred())
	kubeconfig, err = admin.KubeConfig()
	Expect(err).NotTo(HaveOccurred())
	startControllerManager(filepath.Join(assets, "kube-controller-manager"))

	k8s, err = client.New(config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	Expect(k8s.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: systemNamespace}})).To(Succeed())

	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:  scheme,
		Metrics: metricsserver.Options{BindAddress: "0"},
		// As the manager itself has it: this client knows less than the usual one.
		Client: client.Options{Cache: &client.CacheOptions{EnableReadYourWritesConsistency: ptr.To(true)}},
	})
	Expect(err).NotTo(HaveOccurred())
	setUp(mgr)
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	DeferCleanup(func() {
		stop()
		Eventually(ended).Should(Receive(BeNil()))
	})
	Expect(mgr.GetCache().WaitForCacheSync(ctx)).To(BeTrue())
})

func setUp(mgr manager.Manager) {
	fleet, err := fleet.New(mgr.GetConfig())
	Expect(err).NotTo(HaveOccurred())
	now := clock.RealClock{}
	Expect((&project.Reconciler{Client: mgr.GetClient(), Clock: now}).SetupWithManager(mgr)).To(Succeed())
	Expect((&quota.Reconciler{Client: mgr.GetClient(), Clock: now, Interval: shortly}).SetupWithManager(mgr)).To(Succeed())
	Expect((&cluster.Reconciler{
		Client: mgr.GetClient(), Clock: now, Prober: fleet, Namespace: systemNamespace, Interval: shortly,
	}).SetupWithManager(mgr)).To(Succeed())
}

// startControllerManager runs those controllers of Kubernetes without which no namespace ever ends.
func startControllerManager(program string) {
	file := filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(os.WriteFile(file, kubeconfig, 0o600)).To(Succeed())
	command := exec.Command(program, "--kubeconfig="+file, "--leader-elect=false", "--secure-port=0",
		"--controllers=namespace-controller,serviceaccount-controller,garbage-collector-controller",
		"--concurrent-gc-syncs=2", "--kube-api-qps=200", "--kube-api-burst=400")
	command.Stdout, command.Stderr = GinkgoWriter, GinkgoWriter
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	Expect(command.Start()).To(Succeed())
	DeferCleanup(func() {
		Expect(command.Process.Signal(syscall.SIGTERM)).To(Succeed())
		// It was told to end; with which code it does is its own affair.
		_ = command.Wait()
	})
}

var _ = AfterEach(func() {
	for _, list := range []client.ObjectList{
		&v1alpha1.ProjectList{}, &v1alpha1.QuotaList{}, &v1alpha1.ClusterList{}, &v1alpha1.JobList{},
	} {
		Expect(k8s.List(ctx, list)).To(Succeed())
		for _, object := range items(list) {
			Expect(check.Contract(object)).To(Succeed())
		}
	}
	Expect(panics()).To(BeZero(), "a reconciler panicked; the log above has the stack")
})

func items(list client.ObjectList) []check.Object {
	var all []check.Object
	switch list := list.(type) {
	case *v1alpha1.ProjectList:
		for i := range list.Items {
			all = append(all, &list.Items[i])
		}
	case *v1alpha1.QuotaList:
		for i := range list.Items {
			all = append(all, &list.Items[i])
		}
	case *v1alpha1.ClusterList:
		for i := range list.Items {
			all = append(all, &list.Items[i])
		}
	case *v1alpha1.JobList:
		for i := range list.Items {
			all = append(all, &list.Items[i])
		}
	}
	return all
}

// panics is the number of panics of all reconcilers.
func panics() float64 {
	families, err := metrics.Registry.Gather()
	Expect(err).NotTo(HaveOccurred())
	total, found := 0.0, false
	for _, family := range families {
		if family.GetName() != "controller_runtime_reconcile_panics_total" {
			continue
		}
		found = true
		for _, metric := range family.GetMetric() {
			total += metric.GetCounter().GetValue()
		}
	}
	Expect(found).To(BeTrue(), "the metric controller_runtime_reconcile_panics_total does not exist")
	return total
}
