package kubeproxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/testing/apiserver"
)

// realEnv names the kubeconfig of a cluster with a node for real containers, such as that of `make up`. Without it, what needs
// one is left out.
const realEnv = "SOMA_TEST_CLUSTER"

// TestKubectlOnARealNode has kubectl do through the proxy what needs a container: logs, exec over both protocols, a port. All of
// it ends when the right does.
func TestKubectlOnARealNode(t *testing.T) {
	kubeconfig := os.Getenv(realEnv)
	if kubeconfig == "" {
		t.Skipf("%s names no cluster", realEnv)
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := client.NewWithWatch(config, client.Options{Scheme: server.Client.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	before := server
	server = &apiserver.Server{Config: config, Client: cluster}
	t.Cleanup(func() { server = before })

	w := newWorld(t, fmt.Sprintf("proxy%d", time.Now().Unix()%1_000_000))
	project, alice := w.name("real"), w.user("alice")
	cores, bytes, jobs := resource.MustParse("1"), resource.MustParse("1Gi"), int32(1)
	w.make(&v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: project}, Spec: v1alpha1.QuotaSpec{
		Nominal: v1alpha1.ResourceAmounts{CPU: &cores, Memory: &bytes, RunningJobs: &jobs},
	}},
		&v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: project}, Spec: v1alpha1.ProjectSpec{Quota: project}})
	t.Cleanup(func() {
		for _, object := range []client.Object{
			&v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: project}}, &v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: project}},
			&v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: alice}},
		} {
			_ = cluster.Delete(context.WithoutCancel(t.Context()), object)
		}
	})
	w.eventually("the project has its namespace", func() bool {
		return cluster.Get(t.Context(), client.ObjectKey{Name: project}, &corev1.Namespace{}) == nil
	})
	w.eventually("jobs are taken", func() bool {
		return cluster.Create(t.Context(), &v1alpha1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: "serve"}, Spec: v1alpha1.JobSpec{
			Image: "soma.dev/busybox:1", Preset: "cpu-small", Command: []string{"sh", "-c"},
			Args: []string{"mkdir /tmp/www && echo page > /tmp/www/index.html && httpd -p 8080 -h /tmp/www; n=0; while true; do echo line $n; n=$((n+1)); sleep 1; done"},
		}}) == nil
	})
	grants := w.writer(project, alice)
	w.compile(writes(project, alice))
	pod := ""
	for end := time.Now().Add(2 * time.Minute); pod == "" && time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		pods := &corev1.PodList{}
		if err := cluster.List(t.Context(), pods, client.InNamespace(project)); err != nil {
			t.Fatal(err)
		}
		for i := range pods.Items {
			if pods.Items[i].Status.Phase == corev1.PodRunning {
				pod = pods.Items[i].Name
			}
		}
	}
	if pod == "" {
		job := &v1alpha1.Job{}
		_ = cluster.Get(t.Context(), client.ObjectKey{Namespace: project, Name: "serve"}, job)
		t.Fatalf("the job does not run: %s %s", job.Status.Reason, job.Status.Message)
	}

	for _, websockets := range []string{"true", "false"} {
		run := w.kubectl(alice, "exec", "-i", "-n", project, pod, "--", "cat")
		run.Env = append(run.Env, "KUBECTL_REMOTE_COMMAND_WEBSOCKETS="+websockets)
		run.Stdin = strings.NewReader("through\n")
		if out, err := run.CombinedOutput(); err != nil || string(out) != "through\n" {
			t.Errorf("exec, WebSockets %s: %v: %s", websockets, err, out)
		}
	}
	type open struct {
		what  string
		ended chan struct{}
	}
	var all []open
	begin := func(what string, command *exec.Cmd, first string) string {
		t.Helper()
		out, in := io.Pipe()
		command.Stdout, command.Stderr = in, in
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			_ = command.Wait()
			_ = in.Close()
			close(ended)
		}()
		lines := bufio.NewReader(out)
		line, err := lines.ReadString('\n')
		if err != nil || !strings.Contains(line, first) {
			t.Fatalf("%s begins with %q: %v", what, line, err)
		}
		go func() { _, _ = io.Copy(io.Discard, lines) }()
		all = append(all, open{what, ended})
		return line
	}
	begin("logs", w.kubectl(alice, "logs", "-f", "-n", project, pod), "line 0")
	begin("watch", w.kubectl(alice, "get", "pods", "-n", project, "-w", "-o", "name"), pod)
	for _, websockets := range []string{"true", "false"} {
		run := w.kubectl(alice, "exec", "-n", project, pod, "--", "sh", "-c", "while true; do echo running; sleep 1; done")
		run.Env = append(run.Env, "KUBECTL_REMOTE_COMMAND_WEBSOCKETS="+websockets)
		begin("exec, WebSockets "+websockets, run, "running")
		ports := w.kubectl(alice, "port-forward", "-n", project, "pod/"+pod, ":8080")
		ports.Env = append(ports.Env, "KUBECTL_PORT_FORWARD_WEBSOCKETS="+websockets)
		line := begin("port-forward, WebSockets "+websockets, ports, "Forwarding from")
		port := regexp.MustCompile(`:(\d+) ->`).FindStringSubmatch(line)
		if port == nil {
			t.Fatal(line)
		}
		response, err := http.Get("http://" + net.JoinHostPort("127.0.0.1", port[1]) + "/index.html")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || string(body) != "page\n" {
			t.Errorf("the page is %q: %v", body, err)
		}
	}
	for _, grant := range grants {
		w.remove(grant)
	}
	for _, one := range all {
		w.within(one.what, 30*time.Second, one.ended)
	}
}
