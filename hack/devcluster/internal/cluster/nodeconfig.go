package cluster

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubeproxy "k8s.io/kube-proxy/config/v1alpha1"
	kubelet "k8s.io/kubelet/config/v1beta1"
	"sigs.k8s.io/yaml"
)

const (
	// nodeName is the name of the node with real containers.
	nodeName = "real-0"
	// realGPUs is how many GPUs it advertises.
	realGPUs = 4
	// pauseImage holds a pod's namespaces.
	pauseImage = "soma.dev/pause:1"
)

// realLabels are the labels of the node with real containers.
var realLabels = map[string]string{
	"platform.soma.dev/pool": "real",
	"nvidia.com/gpu.product": "SOMA-VIRTUAL-GPU",
	"nvidia.com/gpu.count":   "4",
	"nvidia.com/gpu.memory":  "16384",
}

// containerdConfig renders the configuration of the cluster's own containerd.
func (c *Cluster) containerdConfig(runcPath, cniDir string) string {
	return fmt.Sprintf(`version = 2
root = %q
state = %q
disabled_plugins = [
  "io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
]

[grpc]
  address = %q

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  # Without it runc fails where lowering a process's OOM score is not allowed.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  BinaryName = %q
  SystemdCgroup = false
  Root = %q

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = %q
  conf_dir = %q
`, c.data(true, "containerd"), filepath.Join(c.short(), "containerd"), c.containerdSocket(), pauseImage, runcPath, filepath.Join(c.short(), "runc"), cniDir, c.conf("cni"))
}

// cniConfig renders the network of pods: each is joined to the node by a wire of its own and routed. A bridge would
// need the kernel's br_netfilter for services between pods of one node, which not every kernel has.
func (c *Cluster) cniConfig() ([]byte, error) {
	return json.MarshalIndent(map[string]any{
		"cniVersion": "1.0.0",
		"name":       c.netns(),
		"plugins": []any{
			map[string]any{
				"type": "ptp",
				"ipam": map[string]any{
					"type":    "host-local",
					"dataDir": c.data(true, "cni"),
					"ranges":  []any{[]any{map[string]any{"subnet": podCIDR, "gateway": nodeAddress, "rangeStart": "10.244.0.10"}}},
					"routes":  []any{map[string]any{"dst": "0.0.0.0/0"}},
				},
			},
			map[string]any{"type": "portmap", "capabilities": map[string]bool{"portMappings": true}},
		},
	}, "", "  ")
}

// kubeletConfig renders the configuration of the node's agent.
func (c *Cluster) kubeletConfig(creds credentials) ([]byte, error) {
	no, yes := false, true
	never := int32(100)
	return yaml.Marshal(kubelet.KubeletConfiguration{
		TypeMeta:           metav1.TypeMeta{APIVersion: kubelet.SchemeGroupVersion.String(), Kind: "KubeletConfiguration"},
		Address:            nodeAddress,
		HealthzBindAddress: "127.0.0.1",
		TLSCertFile:        creds.kubeletServer.Cert,
		TLSPrivateKeyFile:  creds.kubeletServer.Key,
		Authentication: kubelet.KubeletAuthentication{
			X509:      kubelet.KubeletX509Authentication{ClientCAFile: creds.ca.Cert},
			Webhook:   kubelet.KubeletWebhookAuthentication{Enabled: &yes},
			Anonymous: kubelet.KubeletAnonymousAuthentication{Enabled: &no},
		},
		Authorization:            kubelet.KubeletAuthorization{Mode: kubelet.KubeletAuthorizationModeWebhook},
		ContainerRuntimeEndpoint: "unix://" + c.containerdSocket(),
		// A part of the tree of its own: kubelets of several clusters would clean up each other's pods.
		CgroupDriver:          "cgroupfs",
		CgroupRoot:            c.cgroup(),
		FailCgroupV1:          &no,
		FailSwapOn:            &no,
		ClusterDNS:            []string{nodeAddress},
		ClusterDomain:         clusterDomain,
		ResolverConfig:        ptr(c.conf("resolv.conf")),
		PodLogsDir:            c.data(true, "pod-logs"),
		VolumePluginDir:       c.data(true, "volume-plugins"),
		MaxPods:               250,
		MaxParallelImagePulls: ptr(int32(4)),
		SerializeImagePulls:   &no,
		// Images are given, not pulled: one that was collected would be missing for good.
		ImageGCHighThresholdPercent: &never,
		// Nothing is evicted because the machine's disk is nearly full of other things.
		EvictionHard: map[string]string{"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
		// A person waits for it when the kubelet starts anew; what did not change is still told every 5 minutes only.
		NodeStatusUpdateFrequency: metav1.Duration{Duration: 2 * time.Second},
		NodeStatusReportFrequency: metav1.Duration{Duration: 5 * time.Minute},
		NodeLeaseDurationSeconds:  40,
	})
}

// kubeProxyConfig renders the configuration of the node's services.
func (c *Cluster) kubeProxyConfig(creds credentials) ([]byte, error) {
	zero := int32(0)
	unset := metav1.Duration{}
	config := kubeproxy.KubeProxyConfiguration{
		TypeMeta:           metav1.TypeMeta{APIVersion: kubeproxy.SchemeGroupVersion.String(), Kind: "KubeProxyConfiguration"},
		BindAddress:        nodeAddress,
		HealthzBindAddress: "127.0.0.1:10256",
		MetricsBindAddress: "127.0.0.1:10249",
		HostnameOverride:   nodeName,
		Mode:               "iptables",
		ClusterCIDR:        podCIDR,
		DetectLocalMode:    "ClusterCIDR",
		// These are settings of the whole machine, which a network namespace may not change.
		Conntrack: kubeproxy.KubeProxyConntrackConfiguration{
			MaxPerCore: &zero, Min: &zero, TCPEstablishedTimeout: &unset, TCPCloseWaitTimeout: &unset,
		},
	}
	config.ClientConnection.Kubeconfig = creds.kubeconfigs["kube-proxy"]
	config.IPTables.MinSyncPeriod = metav1.Duration{Duration: 200 * time.Millisecond}
	return yaml.Marshal(config)
}

func ptr[T any](value T) *T { return &value }
