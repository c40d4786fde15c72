package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/authority"
	"github.com/soma-platform/soma/internal/platform/conditions"
	"github.com/soma-platform/soma/internal/testing/apiserver"
	"github.com/soma-platform/soma/internal/testing/people"
	"github.com/soma-platform/soma/internal/workload"
)

// office is a cluster with a project vision of acme, in which are two jobs, and people who call the command line.
type office struct {
	server *apiserver.Server
	rights *authority.Authority
	folder string
}

func openOffice(t *testing.T) *office {
	t.Helper()
	server, err := apiserver.Start(apiserver.Options{Aggregation: true, Output: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	o := &office{server: server, folder: t.TempDir()}
	ctx, stop := context.WithCancel(t.Context())
	var ended func() error
	o.rights, ended, err = people.Rights(ctx, server, t.TempDir())
	t.Cleanup(func() {
		stop()
		if ended != nil {
			if err := ended(); err != nil {
				t.Error(err)
			}
		}
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	objects, err := people.BuiltIn("../..")
	if err != nil {
		t.Fatal(err)
	}
	in := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "vision", Name: name} }
	objects = append(objects,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "vision"}},
		&v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: "acme"}, Spec: v1alpha1.QuotaSpec{Nominal: v1alpha1.ResourceAmounts{GPUs: new(int32(8))}}},
		&v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: "research"}, Spec: v1alpha1.QuotaSpec{
			Parent: "acme", Nominal: v1alpha1.ResourceAmounts{GPUs: new(int32(4))}, PerUser: &v1alpha1.ResourceAmounts{GPUs: new(int32(2))},
		}},
		&v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: "vision"}, Spec: v1alpha1.ProjectSpec{Organization: "acme", Quota: "research"}},
		&v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: "bob"}},
		&v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: "ada"}, Spec: v1alpha1.UserSpec{Roles: []v1alpha1.HeldRole{{Role: "cluster-admin"}}}},
		&v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: "carol"}, Spec: v1alpha1.UserSpec{DisplayName: "Carol", Roles: []v1alpha1.HeldRole{{Role: "organization-manager", Organization: "acme"}}}},
		&v1alpha1.Job{ObjectMeta: in("train"), Spec: v1alpha1.JobSpec{Image: "busybox"}},
		&v1alpha1.Job{ObjectMeta: in("other"), Spec: v1alpha1.JobSpec{Image: "busybox"}},
	)
	for _, object := range objects {
		if err := server.Client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"bob", "carol", "ada"} {
		user, err := server.User(access.UserPrefix+name, access.UsersGroup)
		if err != nil {
			t.Fatal(err)
		}
		o.kubeconfig(t, name, user.KubeConfig)
	}
	return o
}

// kubeconfig writes that of a user, whose current project is vision.
func (o *office) kubeconfig(t *testing.T, name string, read func() ([]byte, error)) {
	t.Helper()
	text, err := read()
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.Load(text)
	if err != nil {
		t.Fatal(err)
	}
	config.Contexts[config.CurrentContext].Namespace = "vision"
	if err := clientcmd.WriteToFile(*config, filepath.Join(o.folder, name)); err != nil {
		t.Fatal(err)
	}
}

// soma calls the command line for somebody.
func (o *office) soma(who string, args ...string) (code int, out, errOut string) {
	var said, complained bytes.Buffer
	code = Main(append([]string{"soma", "--kubeconfig", filepath.Join(o.folder, who)}, args...), strings.NewReader(""), &said, &complained)
	return code, said.String(), complained.String()
}

// expects calls the command line and wants an exit code, and texts in what it says.
func (o *office) expects(t *testing.T, code int, who, command string, texts ...string) {
	t.Helper()
	got, out, errOut := o.soma(who, strings.Fields(command)...)
	if got != code {
		t.Errorf("%s: soma %s: want exit code %d, got %d: %s%s", who, command, code, got, out, errOut)
	}
	for _, text := range texts {
		if !strings.Contains(out+errOut, text) {
			t.Errorf("%s: soma %s: want %q in\n%s%s", who, command, text, out, errOut)
		}
	}
}

// eventually calls the command line until it ends with the code.
func (o *office) eventually(t *testing.T, code int, who, command string) {
	t.Helper()
	var got int
	var out, errOut string
	if err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, 20*time.Second, true, func(context.Context) (bool, error) {
		got, out, errOut = o.soma(who, strings.Fields(command)...) //nolint:contextcheck // a whole run of the program makes its own
		return got == code, nil
	}); err != nil {
		t.Fatalf("%s: soma %s: want exit code %d, got %d: %s%s", who, command, code, got, out, errOut)
	}
}

// synced waits until it is known who may do what.
func (o *office) synced(t *testing.T) {
	t.Helper()
	if err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, 20*time.Second, true, func(context.Context) (bool, error) {
		known := o.rights.Synced()
		o.rights.View(func(d *access.Directory, _ *access.Membership, _ time.Time) {
			project, found := d.Project("vision")
			known = known && found && len(project.Quotas) == 2 && d.User("carol") != nil && d.Role("cluster-admin") != nil
		})
		return known, nil
	}); err != nil {
		t.Fatal(err)
	}
}

// compile has the cluster's own roles say what is allowed.
func (o *office) compile(t *testing.T, pods ...string) {
	t.Helper()
	if err := people.Compile(t.Context(), o.server.Client, o.rights, func(_, job string) []string {
		if job == "train" {
			return pods
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// grantsAreLookedAt has the status of grants say whether they give something, as the manager does.
func (o *office) grantsAreLookedAt(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	t.Cleanup(func() { stop(); <-done })
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			o.lookAtGrants(ctx)
			select {
			case <-ctx.Done():
			case <-tick.C:
			}
		}
	}()
}

// lookAtGrants looks at those that are known and were not looked at as they are. What fails is looked at again.
func (o *office) lookAtGrants(ctx context.Context) {
	var all v1alpha1.GrantList
	_ = o.server.Client.List(ctx, &all)
	for i := range all.Items {
		grant, known, gives := &all.Items[i], false, false
		o.rights.View(func(d *access.Directory, _ *access.Membership, _ time.Time) {
			for _, there := range d.Grants(grant.Namespace) {
				known = known || there.UID == grant.UID && there.Generation == grant.Generation
			}
			gives = len(d.GivenBy(grant)) > 0
		})
		if !known || looked(grant) {
			continue
		}
		grant.Status.ObservedGeneration = grant.Generation
		if list := &grant.Status.Conditions; gives {
			conditions.MarkReady(list, time.Now(), grant.Generation, v1alpha1.ReasonAvailable, "The grant counts.")
		} else {
			conditions.MarkStalled(list, time.Now(), grant.Generation, v1alpha1.ReasonGivesNothing, fmt.Sprintf("Role %q says nothing about this project.", grant.Spec.Role))
		}
		_ = o.server.Client.Status().Update(ctx, grant)
	}
}

// One job is shared, seen, and taken back, and nothing else of the project is seen meanwhile.
func TestShareOneJob(t *testing.T) {
	o := openOffice(t)
	o.synced(t)
	o.compile(t)
	o.eventually(t, exitOK, "carol", "can-i manage job/train")
	o.expects(t, exitFailure, "bob", "can-i read job/train", "no, missing read on job:train")
	o.expects(t, exitOK, "carol", "whoami", "carol", "Carol", "organization-manager in organization acme", "job://*/acme")
	o.expects(t, exitOK, "carol", "whoami -o wide", "user carol has role organization-manager, which includes project-manager, in organization acme")
	o.expects(t, exitOK, "bob", "whoami -o name", "bob\n")

	absent := o.same(t, "bob", "status train", "status no-such-job")
	if !strings.Contains(absent, "does not exist, or you may not see it (read on job:JOB in project vision)") {
		t.Errorf("got %s", absent)
	}

	o.grantsAreLookedAt(t)
	o.expects(t, exitOK, "carol", "share job/train bob --read", "bob.read.job.train\n", "bob may read job:train in project vision: made", `"soma --kubeconfig`, "acl revoke bob.read.job.train")
	o.expects(t, exitOK, "bob", "can-i read job/train", "yes") // at once: it was waited for
	o.expects(t, exitOK, "carol", "acl ls", "COUNTS", "yes")
	o.expects(t, exitOK, "carol", "share job:train bob", "there already")
	o.expects(t, exitOK, "carol", "share job://local/acme/vision/train user:bob --expires 7d", "ends at another time now")
	o.expects(t, exitOK, "carol", "share jobs/train bob --read", "ends at another time now")
	o.expects(t, exitUsage, "carol", "share cluster/east bob", "cannot be shared")
	o.expects(t, exitUsage, "carol", "share job/train bob --expires 2020-01-01", "not in the future")
	o.expects(t, exitUsage, "carol", "share job/../x bob", "'..'")
	o.expects(t, exitUsage, "carol", "share job/train bob --read --write", "one of --read, --write and --manage")
	o.expects(t, exitUsage, "carol", "share train bob", "is no address: write job/train")

	job := &v1alpha1.Job{}
	if err := o.server.Client.Get(t.Context(), types.NamespacedName{Namespace: "vision", Name: "train"}, job); err != nil {
		t.Fatal(err)
	}
	pod := o.pod(t, job)
	o.compile(t, pod)
	o.eventually(t, exitOK, "bob", "status train")
	deleted := errors.New("it was deleted")
	if err := o.app("bob").gone(t.Context(), job, deleted); !errors.Is(err, deleted) {
		t.Errorf("a job that is not there any more, and may be seen: %v", err)
	}
	if err := o.app("bob").brokeOff(t.Context(), job, v1alpha1.ActionRead, "the output", io.ErrUnexpectedEOF); !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "the output ended, because the connection was ended") {
		t.Errorf("output that broke off, and may be seen: %v", err)
	}
	o.expects(t, exitOK, "bob", "can-i read job/train", "yes, because read on job:train was granted")
	o.expects(t, exitFailure, "bob", "can-i write job/train", "no, missing write on job://local/acme/vision/train; read is allowed")
	o.expects(t, exitFailure, "bob", "kill train", "you may not change job \"train\" in project \"vision\": missing write on job:train in project vision")
	o.expects(t, exitFailure, "bob", "ps", "missing read on job: in project vision", "ask who manages project")
	o.expects(t, exitFailure, "bob", "logs train", "has no output yet")
	o.same(t, "bob", "status other", "status no-such-job")
	o.same(t, "bob", "logs other", "logs no-such-job")
	o.same(t, "bob", "explain other", "explain no-such-job")
	o.expects(t, exitFailure, "bob", "share job/train carol", "missing manage on what is shared in project vision")
	o.expects(t, exitFailure, "bob", "who-can read job/train", "refused: who may do what is told to who may let others: missing manage on job://local/acme/vision/train")
	o.expects(t, exitOK, "bob", "acl ls", "read", "job://*/acme/vision/train", "Your own rights in it")
	o.findsPods(t, "bob", job, pod)

	o.expects(t, exitOK, "carol", "who-can read job/train", "ada", "carol", "bob", "read on job:train was granted")
	o.expects(t, exitOK, "carol", "who-can write job/train -o name", "ada\ncarol\n")
	o.expects(t, exitOK, "carol", "can-i read job/train --user bob", "yes, because read on job:train")
	o.expects(t, exitOK, "carol", "acl grant group:ml project-reader --expires 30d", "group.ml.project-reader")
	o.expects(t, exitOK, "carol", "acl ls", "bob.read.job.train", "group:ml", "project-reader")
	o.expects(t, exitOK, "carol", "acl ls secret: -o name", "grant.platform.soma.dev/group.ml.project-reader")

	o.expects(t, exitUsage, "carol", "acl revoke job/train", "with whom it was shared is missing")
	o.expects(t, exitFailure, "carol", "acl revoke job/other bob", "nothing of job:other was shared with bob")
	o.expects(t, exitOK, "carol", "acl revoke group:ml project-reader", "group.ml.project-reader taken back")
	o.expects(t, exitOK, "carol", "acl revoke job/train bob --read", "bob.read.job.train taken back")
	o.expects(t, exitFailure, "bob", "can-i read job/train", "no") // at once: it was waited for
	o.expects(t, exitFailure, "carol", "acl revoke bob.read.job.train", "does not exist", "acl ls")
	o.expects(t, exitOK, "carol", "acl grant bob everyone", "bob.everyone", "it gives nothing as it is: Role \"everyone\" says nothing")
	o.expects(t, exitOK, "carol", "acl ls", "no, GivesNothing")
	o.expects(t, exitOK, "carol", "acl grant bob project-reader --wait=false", "bob.project-reader")
	o.expects(t, exitOK, "carol", "acl revoke bob.everyone bob.project-reader", "bob.project-reader taken back")
	o.expects(t, exitFailure, "bob", "can-i read job/train", "no")
	if err := o.app("bob").gone(t.Context(), job, deleted); !strings.Contains(err.Error(), `you may not see job "train" any more`) {
		t.Errorf("a job that may not be seen any more: %v", err)
	}
	if err := o.app("bob").brokeOff(t.Context(), job, v1alpha1.ActionRead, "the output", io.ErrUnexpectedEOF); !strings.HasPrefix(err.Error(), `the output: you may not read job "train", or may not any more`) {
		t.Errorf("output that may not be seen any more: %v", err)
	}
}

// app is the command line of somebody, without a command.
func (o *office) app(who string) *app {
	return &app{program: "soma", out: io.Discard, err: io.Discard, now: time.Now, kube: kubeFlags{kubeconfig: filepath.Join(o.folder, who), timeout: time.Minute}}
}

// same wants two commands to fail with the same words but for the name of the job, and returns them.
func (o *office) same(t *testing.T, who, first, second string) string {
	t.Helper()
	say := func(command string) string {
		words := strings.Fields(command)
		code, out, errOut := o.soma(who, words...)
		if code != exitFailure {
			t.Errorf("%s: soma %s: want a failure, got %d: %s", who, command, code, out)
		}
		return strings.ReplaceAll(out+errOut, words[len(words)-1], "JOB")
	}
	there, absent := say(first), say(second)
	if there != absent {
		t.Errorf("%s can tell %q from %q:\n%s%s", who, first, second, there, absent)
	}
	return there
}

// pod makes the pod of a job's first attempt, and has the job say that there is one.
func (o *office) pod(t *testing.T, job *v1alpha1.Job) string {
	t.Helper()
	job.Status.Phase, job.Status.Attempt = v1alpha1.JobRunning, 1
	if err := o.server.Client.Status().Update(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: job.Namespace, Name: workload.PodName(job, 1, 0), Labels: map[string]string{
			v1alpha1.LabelJob: job.Name, v1alpha1.LabelJobUID: string(job.UID), v1alpha1.LabelAttempt: "1", v1alpha1.LabelRank: "0",
		}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: container, Image: "busybox"}}},
	}
	if err := client.IgnoreAlreadyExists(o.server.Client.Create(t.Context(), pod)); err != nil {
		t.Fatal(err)
	}
	return pod.Name
}

// findsPods wants somebody who may not list pods to find that of a job by its name.
func (o *office) findsPods(t *testing.T, who string, job *v1alpha1.Job, pod string) {
	t.Helper()
	a := &app{out: io.Discard, err: io.Discard, program: "soma", now: time.Now, kube: kubeFlags{kubeconfig: filepath.Join(o.folder, who)}}
	for _, attempt := range []int32{0, 1} {
		found, err := a.podsOf(t.Context(), job, attempt, -1)
		if err != nil || len(found) != 1 || found[0].Name != pod {
			t.Errorf("attempt %d: want pod %s, got %v, %v", attempt, pod, found, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var seen atomic.Pointer[v1alpha1.Job]
	seen.Store(job)
	offered := ""
	err := a.pollPods(ctx, &seen, logOptions{rank: -1}, func(p *corev1.Pod) {
		offered = p.Name
		cancel()
	})
	if offered != pod || !errors.Is(err, context.Canceled) {
		t.Errorf("want pod %s to be offered, got %q, %v", pod, offered, err)
	}
}

func TestMain(m *testing.M) {
	// No kubeconfig of who runs the tests is ever used.
	if err := os.Setenv("KUBECONFIG", os.DevNull); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
