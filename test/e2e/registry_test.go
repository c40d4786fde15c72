package e2e

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilrand "k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The images of the registry. It has no other.
const (
	// secretImage is refused to everybody.
	secretImage = "/secret:1"
	// brokenImage has a layer that takes ten seconds and then breaks off. Some runtimes try five times before they give up.
	brokenImage = "/broken:1"
)

// registryScript answers one request of a container runtime and tells it in the pod's log.
const registryScript = `
read -r method path rest
while read -r line && [ ${#line} -gt 1 ]; do :; done
echo "$method $path" >/proc/1/fd/2
answer() { # STATUS TYPE LENGTH [DIGEST]
  printf 'HTTP/1.1 %s\r\nConnection: close\r\nContent-Type: %s\r\nContent-Length: %s\r\n%b\r\n' \
    "$1" "$2" "$3" "${4:+Docker-Content-Digest: $4\r\n}"
}
file() { # TYPE FILE [DIGEST]
  answer '200 OK' "$1" "$(wc -c <"$2")" "$3"
  [ "$method" = HEAD ] || cat "$2"
}
case $path in
/v2/) answer '200 OK' application/json 0 ;;
/v2/secret/*) answer '401 Unauthorized' application/json 0 ;;
/v2/broken/manifests/*) file application/vnd.oci.image.manifest.v1+json /registry/manifest "$MANIFEST" ;;
/v2/broken/blobs/"$CONFIG") file application/octet-stream /registry/config ;;
/v2/broken/blobs/*) answer '200 OK' application/octet-stream 1048576; printf begin; exec sleep 10 ;;
*) answer '404 Not Found' application/json 0 ;;
esac
`

// registry is one that answers on the loopback of every node, from where container runtimes pull without encryption.
type registry struct{ namespace, address string }

// startRegistry starts a registry and removes it in the end.
func startRegistry(ctx context.Context) registry {
	GinkgoHelper()
	// None of its digits say 401 or 403.
	port := 15500 + rand.N(100)
	r := registry{namespace: "e2e-registry-" + utilrand.String(5), address: fmt.Sprintf("127.0.0.1:%d", port)}
	// A network of the node's own is forbidden to ordinary pods.
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: r.namespace, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "privileged"}}}
	Expect(k8s.Create(ctx, namespace)).To(Succeed())
	DeferCleanup(func(ctx context.Context) { Expect(k8s.Delete(ctx, namespace)).To(Succeed()) })

	digest := func(text string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text))) }
	config := fmt.Sprintf(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[%q]}}`, digest("broken"))
	manifest := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",`+
		`"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},`+
		`"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":%q,"size":1048576}]}`,
		digest(config), len(config), digest("broken"))
	files := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: "registry"},
		Data:       map[string]string{"answer": registryScript, "config": config, "manifest": manifest},
	}
	Expect(k8s.Create(ctx, files)).To(Succeed())

	labels := map[string]string{"app": "registry"}
	set := &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: "registry"},
		Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
				HostNetwork: true, AutomountServiceAccountToken: of(false), TerminationGracePeriodSeconds: of[int64](0),
				Containers: []corev1.Container{{
					Name: "registry", Image: busybox,
					Command:      []string{"nc", "-ll", "-p", fmt.Sprint(port), "-e", "sh", "/registry/answer"},
					Env:          []corev1.EnvVar{{Name: "MANIFEST", Value: digest(manifest)}, {Name: "CONFIG", Value: digest(config)}},
					VolumeMounts: []corev1.VolumeMount{{Name: "files", MountPath: "/registry"}},
				}},
				Volumes: []corev1.Volume{{Name: "files", VolumeSource: corev1.VolumeSource{
					ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: files.Name}},
				}}},
			}},
		},
	}
	Expect(k8s.Create(ctx, set)).To(Succeed())
	Eventually(func(g Gomega) {
		g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(set), set)).To(Succeed())
		g.Expect(set.Status.DesiredNumberScheduled).To(BeNumerically(">", 0))
		g.Expect(set.Status.NumberReady).To(Equal(set.Status.DesiredNumberScheduled))
	}).Should(Succeed())
	return r
}

// asked is what the registry was asked so far.
func (r registry) asked(ctx context.Context) func() (string, error) {
	return func() (string, error) {
		return kubectl(ctx, "logs", "-n", r.namespace, "-l", "app=registry", "--tail=-1")
	}
}
