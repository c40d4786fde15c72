package cli

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
)

// node makes a node on which every container has said one line, and has ended.
func (o *office) node(t *testing.T, line string) string {
	t.Helper()
	kubelet := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "%s %s\n", noon.Format(time.RFC3339Nano), line)
	}))
	t.Cleanup(kubelet.Close)
	host, text, err := net.SplitHostPort(kubelet.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "one"}}
	if err := o.server.Client.Create(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: host}}
	node.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(port)
	if err := o.server.Client.Status().Update(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	return node.Name
}

// Who may read one job may read the output of its pods a moment after they are made: their names are told to Kubernetes.
func TestOutputIsWaitedForUntilItMayBeRead(t *testing.T) {
	o := openOffice(t)
	o.synced(t)
	o.compile(t)
	o.eventually(t, exitOK, "carol", "can-i manage job/train")
	o.grantsAreLookedAt(t)
	o.expects(t, exitOK, "carol", "share job/train bob --read", "made")
	job, pod := &v1alpha1.Job{}, &corev1.Pod{}
	if err := o.server.Client.Get(t.Context(), types.NamespacedName{Namespace: "vision", Name: "train"}, job); err != nil {
		t.Fatal(err)
	}
	node, made := o.node(t, "hello"), o.pod(t, job)
	pod.Namespace, pod.Name = "vision", made
	if err := o.server.Client.SubResource("binding").Create(t.Context(), pod, &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: node}}); err != nil {
		t.Fatal(err)
	}
	if err := o.server.Client.Get(t.Context(), client.ObjectKeyFromObject(pod), pod); err != nil {
		t.Fatal(err)
	}
	pod.Status.Phase, pod.Status.ContainerStatuses = corev1.PodSucceeded, []corev1.ContainerStatus{{
		Name: container, State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}},
	}}
	if err := o.server.Client.Status().Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	for _, follow := range []bool{true, false} {
		var out bytes.Buffer
		reading := newStreams(o.app("bob"), &out, job, logOptions{follow: follow, tail: -1, rank: -1})
		reading.offer(t.Context(), pod)
		named := o.lets(t, "bob", access.ObjectRules(access.Job, access.Read, job.Name, []string{made}))
		if err := reading.wait(); err != nil || out.String() != "hello\n" {
			t.Errorf("following %t: read %q, %v", follow, out.String(), err)
		}
		if err := o.server.Client.Delete(t.Context(), named); err != nil {
			t.Fatal(err)
		}
	}
}

// lets has the cluster's own roles allow somebody something in the project, beside what they say already, until what is returned is
// removed.
func (o *office) lets(t *testing.T, who string, rules []rbacv1.PolicyRule) client.Object {
	t.Helper()
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: "vision", GenerateName: "late-"}, Rules: rules}
	if err := o.server.Client.Create(t.Context(), role); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: "vision", Name: role.Name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: access.UserPrefix + who}},
	}
	if err := o.server.Client.Create(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
	return binding
}
