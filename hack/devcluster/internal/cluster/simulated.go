package cluster

import (
	"context"
	_ "embed"
	"fmt"
	"net"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/hack/devcluster/internal/gpuplugin"
	"github.com/soma-platform/soma/hack/devcluster/internal/process"
)

const (
	// MaxNodes is how many nodes may be simulated.
	MaxNodes = 5000
	// defaultNodes is how many are in a cluster of which nobody said it.
	defaultNodes = 4
	// simulatedMark is the annotation by which kwok knows its nodes, and the taint that keeps pods which want a real
	// container away from them.
	simulatedMark = "kwok.x-k8s.io/node"
	// simulatedPodCIDR is what kwok takes addresses of simulated pods from; nothing answers there.
	simulatedPodCIDR = "10.128.0.0/12"
	// nodeWriters is how many nodes are written at a time.
	nodeWriters = 16
)

//go:embed stages/node.yaml
var nodeStages string

//go:embed stages/pod.yaml
var podStages string

// kwokConfig renders kwok's configuration: its settings and what it does to nodes and pods.
func (c *Cluster) kwokConfig() string {
	settings := fmt.Sprintf(`apiVersion: config.kwok.x-k8s.io/v1alpha1
kind: KwokConfiguration
options:
  cidr: %s
  nodeIP: %s
  nodePort: %d
  enableDebuggingHandlers: true
  manageAllNodes: false
  manageNodesWithAnnotationSelector: %s=fake
  nodeLeaseDurationSeconds: 40
  podPlayStageParallelism: 16
  nodePlayStageParallelism: 8
  nodeLeaseParallelism: 8
`, simulatedPodCIDR, c.controlAddress(), c.Ports.Kwok, simulatedMark)
	logs := fmt.Sprintf(`apiVersion: kwok.x-k8s.io/v1alpha1
kind: ClusterLogs
metadata:
  name: simulated
spec:
  logs:
  - logsFile: %q
    follow: false
`, c.simulatedLog())
	return strings.Join([]string{settings, logs, nodeStages, podStages}, "---\n")
}

// simulatedLog is the log of every simulated pod.
func (c *Cluster) simulatedLog() string { return c.conf("simulated.log") }

// simulatedLogText is in the format of a container runtime's log: when, where, a full line.
const simulatedLogText = "2026-01-01T00:00:00.000000000Z stdout F This pod is simulated: nothing is executed in it.\n"

// controlAddress is the address by which the parts of the control plane reach what stands for a node.
func (c *Cluster) controlAddress() string {
	if c.Rooted {
		return nodeAddress
	}
	return "127.0.0.1"
}

// startKwok brings up what plays the simulated nodes and their pods.
func (c *Cluster) startKwok(ctx context.Context, creds credentials) error {
	file := c.conf("kwok.yaml")
	text := c.kwokConfig()
	if err := writeFile(file, text, 0o600); err != nil {
		return err
	}
	if err := writeFile(c.simulatedLog(), simulatedLogText, 0o644); err != nil { //nolint:gosec // says nothing secret
		return err
	}
	address := net.JoinHostPort(c.controlAddress(), strconv.Itoa(c.Ports.Kwok))
	return c.start(ctx, process.Spec{
		Name: "kwok", Path: c.bin("kwok"),
		Args: flags(
			"config", file,
			"kubeconfig", creds.kubeconfigs["kwok"],
			"server-address", address,
			// The API server asks it for logs, as it asks a kubelet.
			"tls-cert-file", creds.kubeletServer.Cert, "tls-private-key-file", creds.kubeletServer.Key,
		),
		Settings: text,
	}, func(ctx context.Context) error {
		return c.healthy(ctx, creds.ca.Cert, "https://"+address+"/healthz")
	})
}

// simulatedNode describes the i-th simulated node: eight GPUs and what comes with them in a usual machine. Like GPU nodes
// elsewhere it keeps pods without GPUs away where there is a node that runs them for real.
func simulatedNode(i int, beside bool) *corev1.Node {
	taints := []corev1.Taint{{Key: simulatedMark, Value: "fake", Effect: corev1.TaintEffectNoSchedule}}
	if beside {
		taints = append(taints, corev1.Taint{Key: gpuplugin.Resource, Value: "present", Effect: corev1.TaintEffectNoSchedule})
	}
	name := fmt.Sprintf("sim-a100-%d", i)
	resources := corev1.ResourceList{
		corev1.ResourceCPU:              resource.MustParse("96"),
		corev1.ResourceMemory:           resource.MustParse("768Gi"),
		corev1.ResourceEphemeralStorage: resource.MustParse("4Ti"),
		corev1.ResourcePods:             resource.MustParse("250"),
		gpuplugin.Resource:              resource.MustParse("8"),
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name:        name,
			Annotations: map[string]string{simulatedMark: "fake"},
			Labels: map[string]string{
				"type":                   "kwok",
				simulatedMark:            "fake",
				corev1.LabelHostname:     name,
				corev1.LabelOSStable:     "linux",
				corev1.LabelArchStable:   "amd64",
				"platform.soma.dev/pool": "sim-a100",
				"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB",
				"nvidia.com/gpu.count":   "8",
				"nvidia.com/gpu.memory":  "81920",
			},
		},
		Spec: corev1.NodeSpec{Taints: taints},
		Status: corev1.NodeStatus{
			Capacity:    resources,
			Allocatable: resources,
			NodeInfo:    corev1.NodeSystemInfo{OperatingSystem: "linux", Architecture: "amd64"},
		},
	}
}

// simulateNodes makes the simulated nodes that are missing and removes those beyond the wanted number.
func (c *Cluster) simulateNodes(parent context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	existing, err := client.CoreV1().Nodes().List(parent, metav1.ListOptions{LabelSelector: simulatedMark + "=fake"})
	if err != nil {
		return fmt.Errorf("list the simulated nodes: %w", err)
	}
	beyond := make(map[string]bool, len(existing.Items))
	for i := range existing.Items {
		beyond[existing.Items[i].Name] = true
	}
	group, ctx := errgroup.WithContext(parent)
	group.SetLimit(nodeWriters)
	for i := range c.Nodes {
		node := simulatedNode(i, c.Rooted)
		if beyond[node.Name] {
			delete(beyond, node.Name)
			continue
		}
		group.Go(func() error {
			_, err := client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
			if apierrors.IsAlreadyExists(err) {
				return nil
			}
			return err
		})
	}
	for name := range beyond {
		group.Go(func() error {
			err := client.CoreV1().Nodes().Delete(ctx, name, metav1.DeleteOptions{})
			if apierrors.IsNotFound(err) {
				return nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return c.waitReady(parent, "kwok", c.simulatedReady)
}

// simulatedReady fails until as many simulated nodes are ready as are wanted.
func (c *Cluster) simulatedReady(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{LabelSelector: simulatedMark + "=fake"})
	if err != nil {
		return err
	}
	ready := 0
	for i := range nodes.Items {
		for _, condition := range nodes.Items[i].Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
				ready++
			}
		}
	}
	if ready != c.Nodes {
		return fmt.Errorf("%d of %d simulated nodes are ready so far", ready, c.Nodes)
	}
	return nil
}
