package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
)

func newCluster(a *app) *cobra.Command {
	c := &cobra.Command{Use: "cluster", Aliases: []string{"clusters"}, Short: "See clusters and what is free on them"}
	c.AddCommand(
		newListing(a, clusterListing()),
		newShow(a, clusters, "Show a cluster, its pools and what is free", a.onlyOne(clusters.Resource, func(ctx context.Context) ([]string, error) {
			found, err := a.list(ctx, clusters, "", metav1.ListOptions{}, 2)
			if err != nil {
				return nil, err
			}
			return names(found), nil
		}), once(a.objectNames(clusters), noMore), func(_ context.Context, cl *v1alpha1.Cluster, wide bool) error { return a.describeCluster(cl, wide) }),
	)
	return c
}

func clusterListing() listing[v1alpha1.Cluster] {
	return listing[v1alpha1.Cluster]{
		resource: clusters, short: "List clusters",
		columns: []column{{name: "Name"}, {name: "Phase"}, {name: "Ready"}, {name: "Nodes"}, {name: "GPUs used"}, {name: "CPU used"}, {name: "Memory used"}, {name: "Version", wide: true}, {name: "Message", wide: true}},
		rows: func(cl *v1alpha1.Cluster, _ time.Time) [][]any {
			ready, why := readiness(cl.Status.Conditions)
			var nodes, usable int32
			for _, pool := range cl.Status.Pools {
				nodes, usable = nodes+pool.Nodes, usable+pool.ReadyNodes
			}
			of := usedOf(cl.Status.Used, cl.Status.Capacity)
			return [][]any{{cl.Name, string(cl.Status.Phase), ready, fmt.Sprintf("%d/%d", usable, nodes), of["gpus"], of["cpu"], of["memory"], cl.Status.KubernetesVersion, why}}
		},
	}
}

// onlyOne is the name of the only object of a kind, for commands that may leave it out.
func (a *app) onlyOne(kinds string, find func(context.Context) ([]string, error)) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		found, err := find(ctx)
		switch {
		case err != nil:
			return "", err
		case len(found) == 1:
			return found[0], nil
		case len(found) == 0:
			return "", fmt.Errorf("there are no %s\nask an administrator to make one", kinds)
		default:
			return "", fmt.Errorf("there are several %s: give the name of one", kinds)
		}
	}
}

// usedOf is "used/there is" for each resource.
func usedOf(used, capacity *v1alpha1.ResourceAmounts) map[string]string {
	of := map[string]string{}
	for _, s := range shares(used, capacity, "?") {
		of[s.resource] = s.used + "/" + s.limit
	}
	return of
}

func (a *app) describeCluster(cl *v1alpha1.Cluster, wide bool) error {
	ready, why := readiness(cl.Status.Conditions)
	presets := make([]string, 0, len(cl.Spec.Presets))
	for _, p := range cl.Spec.Presets {
		presets = append(presets, p.Name)
	}
	a.printFields(a.out, []field{
		{"Name", cl.Name}, {"Description", cl.Spec.Description}, {"Phase", string(cl.Status.Phase)}, {"Ready", ready}, {"Message", why},
		{"Kubernetes", cl.Status.KubernetesVersion}, {"Presets", strings.Join(presets, ", ")},
		{"Topology", describeTopology(cl.Spec.Topology)},
		{"Energy", describeEnergy(&cl.Spec, a.now())},
		{"Quarantine", describeQuarantine(cl.Status.Quarantine)},
	})
	if len(cl.Status.Pools) == 0 {
		return nil
	}
	fmt.Fprintln(a.out)
	t := &table{columns: []column{{name: "Pool"}, {name: "Nodes"}, {name: "GPU model"}, {name: "GPUs used"}, {name: "CPU used"}, {name: "Memory used"}, {name: "Largest node", wide: true}}}
	for _, pool := range cl.Status.Pools {
		of := usedOf(pool.Used, pool.Capacity)
		t.add(pool.Name, fmt.Sprintf("%d/%d", pool.ReadyNodes, pool.Nodes), pool.GPUModel, of["gpus"], of["cpu"], of["memory"], describeAmounts(pool.LargestNode))
	}
	return t.print(a.out, wide, true)
}

// describeTopology names the levels that --within may ask for, the widest first, and the label by which each goes.
func describeTopology(levels []v1alpha1.TopologyLevel) string {
	lines := make([]string, 0, len(levels))
	for _, l := range levels {
		lines = append(lines, l.Name+": "+l.NodeLabel)
	}
	return strings.Join(lines, "\n")
}

// describeQuarantine says which nodes are kept from jobs, until when and why.
func describeQuarantine(nodes []v1alpha1.QuarantinedNode) string {
	var lines []string
	for i := range nodes {
		n := &nodes[i]
		switch {
		case n.ReleasedTime != nil:
			continue
		case n.Until == nil:
			lines = append(lines, fmt.Sprintf("%s: %s", n.Node, n.Message))
		default:
			lines = append(lines, fmt.Sprintf("%s: until %s; %s", n.Node, n.Until.Local().Format(time.DateTime), n.Message))
		}
	}
	return strings.Join(lines, "\n")
}
