package cluster

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/manager"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/hack/devcluster/internal/gpuplugin"
	"github.com/soma-platform/soma/hack/devcluster/internal/process"
)

// nodeSettings are what the configuration files of the node's parts say.
type nodeSettings struct {
	containerd, kubelet, kubeProxy string
}

// writeNodeConfig writes the configuration files of the node's parts.
func (c *Cluster) writeNodeConfig(creds credentials) (nodeSettings, error) {
	var settings nodeSettings
	runcPath, err := runc.Find()
	if err != nil {
		return settings, err
	}
	ptp, err := cniPTP.Find()
	if err != nil {
		return settings, err
	}
	for _, dir := range []string{c.conf("cni"), c.devicePlugins()} {
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return settings, err
		}
	}
	cni, err := c.cniConfig()
	if err != nil {
		return settings, err
	}
	kubeletConfig, err := c.kubeletConfig(creds)
	if err != nil {
		return settings, err
	}
	proxyConfig, err := c.kubeProxyConfig(creds)
	if err != nil {
		return settings, err
	}
	settings = nodeSettings{
		containerd: c.containerdConfig(runcPath, filepath.Dir(ptp)),
		kubelet:    string(kubeletConfig),
		kubeProxy:  string(proxyConfig),
	}
	for name, text := range map[string]string{
		"containerd.toml":                     settings.containerd,
		filepath.Join("cni", "soma.conflist"): string(cni),
		"kubelet.yaml":                        settings.kubelet,
		"kube-proxy.yaml":                     settings.kubeProxy,
		"resolv.conf":                         "nameserver " + outsideResolver + "\n",
	} {
		if err := writeFile(c.conf(name), text, 0o600); err != nil {
			return settings, err
		}
	}
	return settings, nil
}

// cgroupManager manages the part of the cgroup tree in which all containers of the cluster are.
func (c *Cluster) cgroupManager() (cgroups.Manager, error) {
	return manager.New(&cgroups.Cgroup{Path: c.cgroup(), Resources: &cgroups.Resources{SkipDevices: true}})
}

// startContainerd brings the container runtime up, and makes the cgroup for its containers.
func (c *Cluster) startContainerd(ctx context.Context, settings string) error {
	group, err := c.cgroupManager()
	if err != nil {
		return fmt.Errorf("open cgroup %s: %w", c.cgroup(), err)
	}
	// No process is put into it: -1 only makes it.
	if err := group.Apply(-1); err != nil {
		return fmt.Errorf("make cgroup %s: %w", c.cgroup(), err)
	}
	program, err := containerd.Find()
	if err != nil {
		return err
	}
	return c.start(ctx, process.Spec{
		Name: "containerd", Path: program, Args: []string{"--config", c.conf("containerd.toml")}, Settings: settings,
	}, func(ctx context.Context) error { return c.ctr(ctx, "version") })
}

// ctr runs containerd's own client.
func (c *Cluster) ctr(ctx context.Context, args ...string) error {
	program, err := ctr.Find()
	if err != nil {
		return err
	}
	args = append([]string{"--address", c.containerdSocket(), "--namespace", "k8s.io"}, args...)
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput() //nolint:gosec // found by us
	if err != nil {
		return fmt.Errorf("ctr: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// startKubelet brings the node's agent up.
func (c *Cluster) startKubelet(ctx context.Context, creds credentials, settings string) error {
	var labels []string
	for _, name := range slices.Sorted(maps.Keys(realLabels)) {
		labels = append(labels, name+"="+realLabels[name])
	}
	args := append([]string{
		"isolate", "--bind=" + c.devicePlugins() + ":/var/lib/kubelet/device-plugins",
		"--bind=" + c.data(true, "container-logs") + ":/var/log/containers",
		"--", c.bin("kubelet"),
	}, flags(
		"config", c.conf("kubelet.yaml"),
		"kubeconfig", creds.kubeconfigs["kubelet"],
		"root-dir", c.data(true, "kubelet"),
		"hostname-override", nodeName,
		"node-ip", nodeAddress,
		"node-labels", strings.Join(labels, ","),
	)...)
	return c.start(ctx, process.Spec{Name: "kubelet", Path: c.bin("devcluster"), Args: args, Settings: settings},
		func(ctx context.Context) error {
			return c.healthy(ctx, creds.ca.Cert, "http://127.0.0.1:10248/healthz")
		})
}

// devicePlugins is the folder in which the kubelet and its device plugins meet.
func (c *Cluster) devicePlugins() string { return c.data(true, "device-plugins") }

// startGPUPlugin gives the node its GPUs and waits until the node is ready.
func (c *Cluster) startGPUPlugin(ctx context.Context) error {
	return c.start(ctx, process.Spec{
		Name: "gpu-plugin", Path: c.bin("devcluster"),
		Args: append([]string{"gpu-plugin"}, flags("dir", c.devicePlugins(), "count", strconv.Itoa(realGPUs))...),
	}, c.nodeReady)
}

// nodeReady fails until the real node is ready and offers its GPUs.
func (c *Cluster) nodeReady(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	node, err := client.CoreV1().Nodes().Get(ctx, nodeName, metav1.GetOptions{})
	if err != nil {
		return err
	}
	gpus := node.Status.Allocatable[gpuplugin.Resource]
	if gpus.Value() != realGPUs {
		return fmt.Errorf("node %s offers %s GPUs so far", nodeName, gpus.String())
	}
	// A status from before this kubelet started says nothing about now.
	record, err := c.processes.Get("kubelet")
	if err != nil {
		return err
	}
	since, err := record.Since()
	if err != nil {
		return err
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type != corev1.NodeReady {
			continue
		}
		if condition.Status != corev1.ConditionTrue {
			return fmt.Errorf("node %s is not ready: %s", nodeName, condition.Message)
		}
		if condition.LastHeartbeatTime.Time.Before(since.Truncate(time.Second)) {
			return fmt.Errorf("node %s has not reported since its kubelet started", nodeName)
		}
		return nil
	}
	return fmt.Errorf("node %s does not say whether it is ready", nodeName)
}

func (c *Cluster) startKubeProxy(ctx context.Context, creds credentials, settings string) error {
	return c.start(ctx, process.Spec{
		Name: "kube-proxy", Path: c.bin("kube-proxy"), Args: flags("config", c.conf("kube-proxy.yaml")), Settings: settings,
	}, func(ctx context.Context) error {
		return c.healthy(ctx, creds.ca.Cert, "http://127.0.0.1:10256/healthz")
	})
}
