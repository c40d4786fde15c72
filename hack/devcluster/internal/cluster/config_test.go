package cluster

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	toml "github.com/pelletier/go-toml/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	kubeproxy "k8s.io/kube-proxy/config/v1alpha1"
	kubelet "k8s.io/kubelet/config/v1beta1"
	"sigs.k8s.io/yaml"

	"github.com/soma-platform/soma/hack/devcluster/internal/gpuplugin"
	"github.com/soma-platform/soma/hack/devcluster/internal/pki"
)

func testCluster(t *testing.T, dir string, rooted bool) *Cluster {
	t.Helper()
	layout, err := NewLayout("/repository", dir)
	if err != nil {
		t.Fatal(err)
	}
	c := Open(Options{Layout: layout, Nodes: 4})
	c.state = state{Rooted: rooted, Ports: portSet{APIServer: 1, Etcd: 2, EtcdPeer: 3, ControllerManager: 4, Scheduler: 5, Kwok: 6, Postgres: 7, Redis: 8}}
	return c
}

func testCredentials() credentials {
	return credentials{
		ca:          &pki.Authority{Pair: pki.Pair{Cert: "/ca.crt", Key: "/ca.key"}},
		kubeconfigs: map[string]string{"kube-proxy": "/kube-proxy.kubeconfig"},
	}
}

func TestLayout(t *testing.T) {
	one, err := NewLayout("/a", ".soma")
	if err != nil {
		t.Fatal(err)
	}
	two, err := NewLayout("/a", "/b/.soma/")
	if err != nil {
		t.Fatal(err)
	}
	if one.Dir != "/a/.soma" || two.Dir != "/b/.soma" {
		t.Errorf("Dir = %s and %s, want /a/.soma and /b/.soma", one.Dir, two.Dir)
	}
	if one.ID == two.ID || one.short() == two.short() || one.netns() == two.netns() || one.cgroup() == two.cgroup() {
		t.Error("two clusters share a name on the machine")
	}
	// Of the 107 bytes that a socket's path may have, the kubelet needs the most below its folder.
	deep, err := NewLayout("/"+strings.Repeat("a-deep-folder/", 20), ".soma")
	if err != nil {
		t.Fatal(err)
	}
	if path := deep.data(true, "device-plugins", "kubelet.sock"); len(path) > 80 {
		t.Errorf("%s has %d bytes", path, len(path))
	}
}

func TestContainerdConfig(t *testing.T) {
	c := testCluster(t, `.so"ma`, true)
	var config struct {
		Root, State string
		GRPC        struct{ Address string }
		Plugins     map[string]map[string]any
	}
	if err := toml.Unmarshal([]byte(c.containerdConfig("/usr/sbin/runc", "/usr/lib/cni")), &config); err != nil {
		t.Fatal(err)
	}
	cri := config.Plugins["io.containerd.grpc.v1.cri"]
	if config.GRPC.Address != c.containerdSocket() || cri["sandbox_image"] != pauseImage || cri["restrict_oom_score_adj"] != true {
		t.Errorf("unexpected configuration: %+v", config)
	}
	for _, path := range []string{config.Root, config.State, config.GRPC.Address} {
		if !strings.HasPrefix(path, c.short()+"/") {
			t.Errorf("%s is outside the cluster's own folder", path)
		}
	}
}

func TestNodeConfigs(t *testing.T) {
	c := testCluster(t, ".soma", true)
	text, err := c.kubeletConfig(testCredentials())
	if err != nil {
		t.Fatal(err)
	}
	var node kubelet.KubeletConfiguration
	if err := yaml.UnmarshalStrict(text, &node); err != nil {
		t.Fatal(err)
	}
	if node.CgroupDriver != "cgroupfs" || *node.FailCgroupV1 || node.CgroupRoot != c.cgroup() || *node.Authentication.Anonymous.Enabled {
		t.Errorf("unexpected configuration: %+v", node)
	}
	if !slices.Equal(node.ClusterDNS, []string{nodeAddress}) || *node.ImageGCHighThresholdPercent != 100 {
		t.Errorf("unexpected configuration: %+v", node)
	}
	if text, err = c.kubeProxyConfig(testCredentials()); err != nil {
		t.Fatal(err)
	}
	var proxy kubeproxy.KubeProxyConfiguration
	if err := yaml.UnmarshalStrict(text, &proxy); err != nil {
		t.Fatal(err)
	}
	if proxy.Mode != "iptables" || *proxy.Conntrack.MaxPerCore != 0 || proxy.ClientConnection.Kubeconfig != "/kube-proxy.kubeconfig" {
		t.Errorf("unexpected configuration: %+v", proxy)
	}
	if text, err = c.cniConfig(); err != nil {
		t.Fatal(err)
	}
	var network struct {
		Name    string
		Plugins []struct{ Type string }
	}
	if err := json.Unmarshal(text, &network); err != nil {
		t.Fatal(err)
	}
	if network.Name != c.netns() || len(network.Plugins) != 2 || network.Plugins[0].Type != "ptp" {
		t.Errorf("unexpected network: %+v", network)
	}
}

func TestKwokConfig(t *testing.T) {
	tests := map[string]struct {
		rooted bool
		want   string
	}{
		"with a node of its own": {true, nodeAddress},
		"without root":           {false, "127.0.0.1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			reader := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(testCluster(t, ".soma", test.rooted).kwokConfig()), 4096)
			var kinds []string
			for {
				var object unstructured.Unstructured
				err := reader.Decode(&object.Object)
				if err == io.EOF { //nolint:errorlint // the decoder returns it as it is
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				kinds = append(kinds, object.GetKind()+" "+object.GetName())
				if object.GetKind() == "KwokConfiguration" {
					if got, _, _ := unstructured.NestedString(object.Object, "options", "nodeIP"); got != test.want {
						t.Errorf("nodeIP = %s, want %s", got, test.want)
					}
				}
			}
			want := []string{
				"KwokConfiguration ", "ClusterLogs simulated",
				"Stage node-initialize", "Stage node-heartbeat-with-lease",
				"Stage pod-ready", "Stage pod-end", "Stage pod-complete", "Stage pod-delete",
			}
			if !slices.Equal(kinds, want) {
				t.Errorf("objects = %q, want %q", kinds, want)
			}
		})
	}
}

func TestSimulatedNode(t *testing.T) {
	node := simulatedNode(3, true)
	if node.Name != "sim-a100-3" || node.Annotations[simulatedMark] != "fake" {
		t.Errorf("unexpected node: %+v", node.ObjectMeta)
	}
	if gpus := node.Status.Allocatable["nvidia.com/gpu"]; gpus.Value() != 8 {
		t.Errorf("it has %s GPUs, want 8", gpus.String())
	}
	for _, key := range []string{simulatedMark, gpuplugin.Resource} {
		if !slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.Key == key && t.Effect == corev1.TaintEffectNoSchedule }) {
			t.Errorf("taints = %v have no %s: pods that want a real container, or no GPU, would land here", node.Spec.Taints, key)
		}
	}
	if taints := simulatedNode(3, false).Spec.Taints; len(taints) != 1 || taints[0].Key != simulatedMark {
		t.Errorf("taints without a real node = %v: pods without GPUs have nowhere to go", taints)
	}
}

func TestQuote(t *testing.T) {
	tests := map[string]string{
		"plain":      "'plain'",
		"with space": "'with space'",
		"it's $HOME": `'it'\''s $HOME'`,
		"":           "''",
	}
	for word, want := range tests {
		if got := quote(word); got != want {
			t.Errorf("quote(%q) = %s, want %s", word, got, want)
		}
	}
}

func TestFlags(t *testing.T) {
	if got, want := flags("a", "1", "b", ""), []string{"--a=1", "--b="}; !slices.Equal(got, want) {
		t.Errorf("flags = %q, want %q", got, want)
	}
}

func TestMissingError(t *testing.T) {
	err := missingError(programs(false)[:2])
	for _, want := range []string{"postgresql (PostgreSQL keeps the history)", "install --no-install-recommends postgresql postgresql-client`"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}
