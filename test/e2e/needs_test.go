package e2e

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/soma-platform/soma/api/v1alpha1"
)

const (
	ownBusybox, ownSklearn = "soma.dev/busybox:1", "soma.dev/sklearn:1"
	gpuPreset              = "gpu-small"
	gpuResource            = "nvidia.com/gpu"
	gpuModelLabel          = "nvidia.com/gpu.product"
	simulatedLabel         = "kwok.x-k8s.io/node"
	simulatedModel         = "NVIDIA-A100-SXM4-80GB"
)

// The images of the suite, wherever the cluster finds them.
var (
	busybox = cmp.Or(os.Getenv("SOMA_E2E_BUSYBOX_IMAGE"), ownBusybox)
	sklearn = cmp.Or(os.Getenv("SOMA_E2E_SKLEARN_IMAGE"), ownSklearn)
)

// surroundings are what specs may need beside a cluster with Soma.
type surroundings struct {
	nodes    []corev1.Node
	clusters []v1alpha1.Cluster
	// busybox and sklearn are the images that the suite takes.
	busybox, sklearn string
	// devcluster: the program of the development cluster is there.
	devcluster bool
	// missingShells are the shells that are not installed.
	missingShells []string
}

// lacking says of each label whose specs cannot run what they lack.
func (s *surroundings) lacking() map[string]string {
	lacks := map[string]string{}
	if why := s.lacksGPU(); why != "" {
		lacks["gpu"] = why
	}
	if !slices.ContainsFunc(s.nodes, func(n corev1.Node) bool { return isSimulated(&n) && n.Labels[gpuModelLabel] == simulatedModel }) {
		lacks["simulated"] = "no node is simulated by kwok with GPUs of the model " + simulatedModel
	}
	if !s.devcluster {
		lacks["devcluster"] = "KUBECONFIG is not that of a development cluster, so no part of it can be stopped from here"
	}
	if len(s.missingShells) > 0 {
		lacks["shells"] = "this machine lacks " + strings.Join(s.missingShells, ", ") + " (hack/test-packages installs them)"
	}
	if slices.ContainsFunc(s.nodes, func(n corev1.Node) bool {
		return !isSimulated(&n) && !strings.HasPrefix(n.Status.NodeInfo.ContainerRuntimeVersion, "containerd://")
	}) {
		lacks["registry"] = "a node runs another container runtime than containerd, which may not pull from its loopback without encryption"
	}
	if s.busybox != ownBusybox {
		lacks["samples"] = "the samples run " + ownBusybox + ", and the suite another image"
	}
	return lacks
}

// lacksGPU says why no job can train on a GPU, "" where one can.
func (s *surroundings) lacksGPU() string {
	model, found := "", false
	for i := range s.clusters {
		for _, p := range s.clusters[i].Spec.Presets {
			if p.Name == gpuPreset && p.GPU != nil {
				model, found = p.GPU.Model, true
			}
		}
	}
	if !found {
		return "no cluster has a preset " + gpuPreset + " with a GPU"
	}
	var fitting []corev1.Node
	for i := range s.nodes {
		gpus := s.nodes[i].Status.Allocatable[gpuResource]
		if !isSimulated(&s.nodes[i]) && gpus.Value() > 0 && (model == "" || s.nodes[i].Labels[gpuModelLabel] == model) {
			fitting = append(fitting, s.nodes[i])
		}
	}
	if len(fitting) == 0 {
		return strings.TrimSpace("no node with real containers has a GPU " + model)
	}
	if s.sklearn == ownSklearn && !slices.ContainsFunc(fitting, func(n corev1.Node) bool { return hasImage(&n, ownSklearn) }) {
		return "no node with such a GPU has the image " + ownSklearn + "; SOMA_E2E_SKLEARN_IMAGE names another"
	}
	return ""
}

func isSimulated(node *corev1.Node) bool { return node.Labels[simulatedLabel] != "" }

func hasImage(node *corev1.Node, name string) bool {
	return slices.ContainsFunc(node.Status.Images, func(i corev1.ContainerImage) bool { return slices.Contains(i.Names, name) })
}

// lookAround finds out what the suite has around it.
func lookAround(ctx context.Context) (*surroundings, error) {
	nodes, clusters := &corev1.NodeList{}, &v1alpha1.ClusterList{}
	if err := k8s.List(ctx, nodes); err != nil {
		return nil, err
	}
	if err := k8s.List(ctx, clusters); err != nil {
		return nil, err
	}
	seen := &surroundings{nodes: nodes.Items, clusters: clusters.Items, busybox: busybox, sklearn: sklearn}
	_, err := os.Stat(devclusterProgram())
	seen.devcluster = err == nil
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if _, err := exec.LookPath(shell); err != nil {
			seen.missingShells = append(seen.missingShells, shell)
		}
	}
	if _, err := os.Stat("/usr/share/bash-completion/bash_completion"); err != nil {
		seen.missingShells = append(seen.missingShells, "bash-completion")
	}
	return seen, nil
}

// devclusterProgram is where the program of the development cluster is, if the cluster is one.
func devclusterProgram() string {
	return filepath.Join(filepath.Dir(clientcmd.NewDefaultClientConfigLoadingRules().GetDefaultFilename()), "bin", "devcluster")
}

// leaveOut narrows a label filter to the specs that lack nothing, and says which are left out and why. SOMA_E2E_ALL=1 is for
// where all are to run: then the first that cannot is an error.
func leaveOut(filter string, lacks map[string]string) (string, error) {
	for _, label := range slices.Sorted(maps.Keys(lacks)) {
		if os.Getenv("SOMA_E2E_ALL") == "1" {
			return "", fmt.Errorf("specs labelled %s cannot run, and SOMA_E2E_ALL=1 asks for all: %s", label, lacks[label])
		}
		fmt.Printf("Left out: specs labelled %s, as %s.\n", label, lacks[label])
		if filter != "" {
			filter = "(" + filter + ") && "
		}
		filter += "!" + label
	}
	return filter, nil
}

// fitting is ginkgo's configuration for what the cluster and this machine have.
func fitting(ctx context.Context, t *testing.T) (types.SuiteConfig, types.ReporterConfig) {
	t.Helper()
	seen, err := lookAround(ctx)
	if err != nil {
		t.Fatalf("the suite needs a cluster with Soma: %v", err)
	}
	suite, reporter := GinkgoConfiguration()
	if suite.LabelFilter, err = leaveOut(suite.LabelFilter, seen.lacking()); err != nil {
		t.Fatal(err)
	}
	return suite, reporter
}

func TestLacking(t *testing.T) {
	node := func(runtime, model, gpus, simulated string, images ...string) corev1.Node {
		n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{gpuModelLabel: model}}}
		n.Status.NodeInfo.ContainerRuntimeVersion = runtime
		if gpus != "" {
			n.Status.Allocatable = corev1.ResourceList{gpuResource: *amount(gpus)}
		}
		if simulated != "" {
			n.Labels[simulatedLabel] = simulated
		}
		n.Status.Images = []corev1.ContainerImage{{Names: images}}
		return n
	}
	cluster := v1alpha1.Cluster{Spec: v1alpha1.ClusterSpec{Presets: []v1alpha1.Preset{{Name: gpuPreset, GPU: &v1alpha1.GPUs{Count: 1, Model: "V"}}}}}
	all := func() *surroundings {
		return &surroundings{
			nodes:    []corev1.Node{node("containerd://2.1.0", "V", "4", "", ownSklearn), node("", simulatedModel, "8", "fake")},
			clusters: []v1alpha1.Cluster{cluster}, busybox: ownBusybox, sklearn: ownSklearn, devcluster: true,
		}
	}
	for name, tt := range map[string]struct {
		change func(*surroundings)
		want   []string
	}{
		"the development cluster": {func(*surroundings) {}, nil},
		"kind": {func(s *surroundings) {
			s.nodes, s.devcluster = []corev1.Node{node("containerd://2.1.0", "", "", "")}, false
		}, []string{"devcluster", "gpu", "simulated"}},
		"GPUs of another model":        {func(s *surroundings) { s.nodes[0].Labels[gpuModelLabel] = "W" }, []string{"gpu"}},
		"no preset":                    {func(s *surroundings) { s.clusters = nil }, []string{"gpu"}},
		"no image with scikit-learn":   {func(s *surroundings) { s.nodes[0].Status.Images = nil }, []string{"gpu"}},
		"another with scikit-learn":    {func(s *surroundings) { s.nodes[0].Status.Images, s.sklearn = nil, "r/s:1" }, nil},
		"another busybox":              {func(s *surroundings) { s.busybox = "busybox:1.37" }, []string{"samples"}},
		"another container runtime":    {func(s *surroundings) { s.nodes[0].Status.NodeInfo.ContainerRuntimeVersion = "cri-o://1.34.0" }, []string{"registry"}},
		"a machine without some shell": {func(s *surroundings) { s.missingShells = []string{"fish"} }, []string{"shells"}},
	} {
		t.Run(name, func(t *testing.T) {
			seen := all()
			tt.change(seen)
			if got := slices.Sorted(maps.Keys(seen.lacking())); !slices.Equal(got, tt.want) {
				t.Errorf("left out %v, want %v", got, tt.want)
			}
		})
	}
}
