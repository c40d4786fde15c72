package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
)

const (
	systemNamespace = "soma-system"
	// kills is how often the manager is killed.
	kills = 20
	// jobsAKill is how many jobs are submitted between two kills.
	jobsAKill = 5
)

var _ = Describe("the manager", Label("faults"), Serial, func() {
	It("is killed at random moments in the middle of a stream of jobs, and nothing is lost or done twice", Label("simulated"), func(ctx context.Context) {
		pods := watchPods(ctx)
		var jobs []*v1alpha1.Job
		for kill := range kills {
			for n := range jobsAKill {
				job := simulated(fmt.Sprintf("kill-%d-%d", kill, n))
				if n == 0 { // one with a real container
					job = shell(fmt.Sprintf("kill-%d-real", kill), "true")
				}
				accept(ctx, job)
				jobs = append(jobs, job)
			}
			atRandom(ctx, 3*time.Second)
			killManager(ctx)
		}
		sequences := map[string]int64{}
		for _, job := range jobs {
			end := finish(ctx, job)
			Expect(end).To(And(phaseIs(v1alpha1.JobSucceeded), HaveField("Attempt", BeEquivalentTo(1)), HaveField("Retries", BeZero())), job.Name)
			Expect(pods.of(job)).To(Equal(1), "pods that were ever seen of %s", job.Name)
			sequences[string(job.UID)] = end.Journal.Sequence
		}
		expectJournals(ctx, sequences)
		for _, job := range jobs {
			Expect(recordOf(ctx, job).Status.Phase).To(BeEquivalentTo(v1alpha1.JobSucceeded))
		}
	})
})

// accept submits a job until it is accepted: while no manager answers, admission refuses it. A refusal that came after the
// job was stored is none.
func accept(ctx context.Context, job *v1alpha1.Job) {
	GinkgoHelper()
	Eventually(func() error {
		err := k8s.Create(ctx, job)
		if apierrors.IsAlreadyExists(err) {
			return k8s.Get(ctx, client.ObjectKeyFromObject(job), job)
		}
		return err
	}).Should(Succeed())
}

// atRandom lets a random time pass: a kill at any moment must do no harm.
func atRandom(ctx context.Context, most time.Duration) {
	select {
	case <-time.After(rand.N(most)):
	case <-ctx.Done():
	}
}

// killManager ends the manager that leads, without any warning, and waits for the next one to lead. Its process gets a
// SIGKILL where it is one of this machine's. Its pod is removed so that the next one does not wait for a restart's
// back-off, and its lease is given up unless SOMA_E2E_FULL=1, which saves 15 seconds.
func killManager(ctx context.Context) {
	GinkgoHelper()
	pods := &corev1.PodList{}
	Expect(k8s.List(ctx, pods, client.InNamespace(systemNamespace), client.MatchingLabels{"app.kubernetes.io/component": "manager"})).To(Succeed())
	old := map[string]bool{}
	for i := range pods.Items {
		pod := &pods.Items[i]
		old[pod.Name] = true
		killed := killProcesses(string(pod.UID), "/manager")
		GinkgoWriter.Printf("killed %d process of pod %s\n", killed, pod.Name)
		Expect(client.IgnoreNotFound(k8s.Delete(ctx, pod, client.GracePeriodSeconds(0)))).To(Succeed())
	}
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: systemNamespace, Name: "soma-manager"}}
	if os.Getenv("SOMA_E2E_FULL") != "1" {
		Expect(client.IgnoreNotFound(k8s.Delete(ctx, lease))).To(Succeed())
	}
	Eventually(func(g Gomega) {
		g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(lease), lease)).To(Succeed())
		g.Expect(lease.Spec.HolderIdentity).NotTo(BeNil())
		holder, _, _ := bytes.Cut([]byte(*lease.Spec.HolderIdentity), []byte("_"))
		g.Expect(holder).NotTo(BeEmpty())
		g.Expect(old).NotTo(HaveKey(string(holder)))
	}).Should(Succeed())
}

// killProcesses sends SIGKILL to the processes of a pod that run the program, and returns how many there were.
func killProcesses(pod, program string) int {
	GinkgoHelper()
	processes, err := filepath.Glob("/proc/[0-9]*")
	Expect(err).NotTo(HaveOccurred())
	killed := 0
	for _, process := range processes {
		groups, err := os.ReadFile(filepath.Join(process, "cgroup"))
		if err != nil || !bytes.Contains(groups, []byte(pod)) {
			continue // it ended, or is another's
		}
		line, err := os.ReadFile(filepath.Join(process, "cmdline"))
		if err != nil || !bytes.HasPrefix(line, []byte(program)) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(process))
		Expect(err).NotTo(HaveOccurred())
		if err := syscall.Kill(pid, syscall.SIGKILL); !errors.Is(err, syscall.ESRCH) {
			Expect(err).NotTo(HaveOccurred())
			killed++
		}
	}
	return killed
}

// seenPods are the pods that ever were, by the UID of their job.
type seenPods struct {
	mutex sync.Mutex
	byJob map[string]map[string]bool
}

// watchPods sees every pod of the shared project from now on, also one that is removed again.
func watchPods(ctx context.Context) *seenPods {
	GinkgoHelper()
	seen := &seenPods{byJob: map[string]map[string]bool{}}
	core, err := kubernetes.NewForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	factory := informers.NewSharedInformerFactoryWithOptions(core, 0, informers.WithNamespace(project))
	informer := factory.Core().V1().Pods().Informer()
	_, err = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: seen.add})
	Expect(err).NotTo(HaveOccurred())
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	factory.Start(watching.Done())
	DeferCleanup(func() {
		stop()
		factory.Shutdown()
	})
	Expect(cache.WaitForCacheSync(ctx.Done(), informer.HasSynced)).To(BeTrue())
	return seen
}

func (s *seenPods) add(object any) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	job := pod.Labels[v1alpha1.LabelJobUID]
	if s.byJob[job] == nil {
		s.byJob[job] = map[string]bool{}
	}
	s.byJob[job][string(pod.UID)] = true
}

func (s *seenPods) of(job *v1alpha1.Job) int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return len(s.byJob[string(job.UID)])
}
