// Package e2e tests Soma as it is installed: against the API server of KUBECONFIG, with real containers, through the
// same doors that people use. Specs are labelled by what they need: gpu, simulated (nodes), devcluster (to stop a part of it),
// registry, shells, samples; what the cluster or this machine lacks is left out, and said. faults does harm to Soma itself.
package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/rand"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	history "github.com/soma-platform/soma/api/history/v1alpha1"
	"github.com/soma-platform/soma/api/v1alpha1"
)

const (
	// patience is how long anything may take on a busy machine.
	patience = 60 * time.Second
	// seconds is how long Soma may take to tell a person what is wrong.
	seconds = 10 * time.Second
)

var (
	config *rest.Config
	k8s    client.Client
	scheme = runtime.NewScheme()
	// project is the one that most specs share. Its name is new in each run, so that runs do not meet.
	project = "e2e-" + rand.String(5)
	// loaded is the caller's kubeconfig.
	loaded *clientcmdapi.Config
	// kubeconfig is that of the caller with project as the current one.
	kubeconfig string
)

func TestE2E(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(patience)
	SetDefaultEventuallyPollingInterval(200 * time.Millisecond)
	SetDefaultConsistentlyPollingInterval(500 * time.Millisecond)
	if err := connect(); err != nil {
		t.Fatal(err)
	}
	suite, reporter := fitting(t.Context(), t)
	RunSpecs(t, "End to end", suite, reporter)
}

// connect makes the client of the cluster that KUBECONFIG names.
func connect() error {
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme, history.AddToScheme} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	var err error
	if loaded, err = clientcmd.NewDefaultClientConfigLoadingRules().Load(); err != nil {
		return err
	}
	if config, err = clientcmd.NewDefaultClientConfig(*loaded, nil).ClientConfig(); err != nil {
		return fmt.Errorf("the suite needs a cluster with Soma: run `make up`, or set KUBECONFIG: %w", err)
	}
	config.QPS, config.Burst = -1, -1
	k8s, err = client.New(config, client.Options{Scheme: scheme})
	return err
}

var _ = BeforeSuite(func(ctx context.Context) {
	clusters := &v1alpha1.ClusterList{}
	Expect(k8s.List(ctx, clusters)).To(Succeed())
	Expect(clusters.Items).NotTo(BeEmpty(), "the suite needs a Cluster: hack/deploy/first-objects makes it")

	loaded.Contexts[loaded.CurrentContext].Namespace = project
	kubeconfig = filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(clientcmd.WriteToFile(*loaded, kubeconfig)).To(Succeed())

	makeProject(ctx, project, v1alpha1.ResourceAmounts{
		CPU: amount("400"), Memory: amount("4Ti"), GPUs: of[int32](36), RunningJobs: of[int32](1000),
	})
})

func clientOf(config *rest.Config) client.Client {
	made, err := client.New(config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	return made
}

// as is a client of another user, who may do everything.
func as(user string) client.Client {
	other := rest.CopyConfig(config)
	other.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"system:masters"}}
	return clientOf(other)
}

// makeProject makes a project with a quota of its own and removes both in the end.
func makeProject(ctx context.Context, name string, nominal v1alpha1.ResourceAmounts) {
	GinkgoHelper()
	quota := &v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.QuotaSpec{Nominal: nominal}}
	made := &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.ProjectSpec{Quota: name}}
	Expect(k8s.Create(ctx, quota)).To(Succeed())
	Expect(k8s.Create(ctx, made)).To(Succeed())
	DeferCleanup(func(ctx context.Context) {
		Expect(client.IgnoreNotFound(k8s.Delete(ctx, made))).To(Succeed())
		Eventually(gone(ctx, made)).WithTimeout(2 * patience).Should(BeTrue())
		Expect(client.IgnoreNotFound(k8s.Delete(ctx, quota))).To(Succeed())
	})
	Eventually(func(g Gomega) {
		g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(made), made)).To(Succeed())
		g.Expect(made.Status.Phase).To(Equal(v1alpha1.ProjectActive))
	}).Should(Succeed())
}

// program finds a program of the repository, or else one of the machine.
func program(name string) string {
	GinkgoHelper()
	own, err := filepath.Abs(filepath.Join("..", "..", "bin", name))
	Expect(err).NotTo(HaveOccurred())
	if _, err := os.Stat(own); err == nil {
		return own
	}
	found, err := exec.LookPath(name)
	Expect(err).NotTo(HaveOccurred(), "run `make build`; the suite is started by hack/with-cluster")
	return found
}

// kubectl runs kubectl to its end and returns its output.
func kubectl(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, program("kubectl"), args...).CombinedOutput()
	GinkgoWriter.Printf("$ kubectl %s\n%s\n", strings.Join(args, " "), out)
	return string(out), err
}

func gone(ctx context.Context, object client.Object) func() bool {
	look := object.DeepCopyObject().(client.Object)
	return func() bool {
		err := k8s.Get(ctx, client.ObjectKeyFromObject(object), look)
		return err != nil && client.IgnoreNotFound(err) == nil || err == nil && look.GetUID() != object.GetUID()
	}
}

func amount(text string) *resource.Quantity { return of(resource.MustParse(text)) }

func of[T any](value T) *T { return &value }

// podsOf lists the pods of a job, of all its attempts.
func podsOf(ctx context.Context, job *v1alpha1.Job) ([]corev1.Pod, error) {
	pods := &corev1.PodList{}
	err := k8s.List(ctx, pods, client.InNamespace(job.Namespace), client.MatchingLabels{v1alpha1.LabelJobUID: string(job.UID)})
	return pods.Items, err
}
