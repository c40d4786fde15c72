package cli

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// completionTimeout bounds how long the shell waits for names, and maxCompletions how many are offered.
const (
	completionTimeout = 3 * time.Second
	maxCompletions    = 500
)

type completer = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective)

func newCompletion(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "completion bash|zsh|fish", Short: "Print the completion script of a shell",
		Long: "Print the completion script of a shell. Names of jobs, projects, presets and the like complete by asking the cluster.",
		Example: a.examples("completion bash > /etc/bash_completion.d/soma", "for bash",
			"completion zsh > \"${fpath[1]}/_soma\"", "for zsh",
			"completion fish > ~/.config/fish/completions/soma.fish", "for fish"),
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"bash", "zsh", "fish"},
		RunE: func(c *cobra.Command, args []string) error {
			root := c.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.out, true)
			case "zsh":
				return root.GenZshCompletion(a.out)
			default:
				return root.GenFishCompletion(a.out, true)
			}
		},
	}
}

// noNames is what a cluster offers that does not answer: the shell is no place for its error.
func noNames() ([]string, cobra.ShellCompDirective) { return nil, cobra.ShellCompDirectiveNoFileComp }

func forCompletion(c *cobra.Command) (context.Context, context.CancelFunc) {
	parent := c.Context()
	if parent == nil {
		parent = context.Background()
	}
	return context.WithTimeout(parent, completionTimeout)
}

// completeJob offers the names of jobs in the given phases for one argument; after it files, as for a job's command.
func (a *app) completeJob(in ...v1alpha1.JobPhase) completer {
	offer := a.completeJobs(in...)
	return func(c *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return offer(c, args, prefix)
	}
}

// completeJobs offers the names of jobs in the given phases for every argument.
func (a *app) completeJobs(in ...v1alpha1.JobPhase) completer {
	return func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := forCompletion(c)
		defer cancel()
		connected, err := a.connect()
		if err != nil {
			return noNames()
		}
		found, err := a.list(ctx, jobs, connected.project, metav1.ListOptions{}, maxCompletions)
		if err != nil {
			return noNames()
		}
		var wanted []string
		for i := range found.Items {
			r := liveRow(&found.Items[i])
			if slices.Contains(in, r.phase) && !slices.Contains(args, r.name) {
				wanted = append(wanted, r.name+"\t"+string(r.phase))
			}
		}
		return wanted, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeOne offers the names of cluster-wide objects for one argument.
func (a *app) completeOne(gvr schema.GroupVersionResource) completer {
	return func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return a.completeNames(c, gvr)
	}
}

func (a *app) completeNames(c *cobra.Command, gvr schema.GroupVersionResource) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := forCompletion(c)
	defer cancel()
	found, err := a.list(ctx, gvr, "", metav1.ListOptions{}, maxCompletions)
	if err != nil {
		return noNames()
	}
	return names(found), cobra.ShellCompDirectiveNoFileComp
}

func (a *app) completeProjects(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.completeNames(c, projects)
}

func (a *app) completeClusters(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.completeNames(c, clusters)
}

// completePresets offers the presets of all clusters.
func (a *app) completePresets(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := forCompletion(c)
	defer cancel()
	found, err := a.list(ctx, clusters, "", metav1.ListOptions{}, maxCompletions)
	if err != nil {
		return noNames()
	}
	var all []string
	for i := range found.Items {
		cluster, err := decode[v1alpha1.Cluster](&found.Items[i])
		if err != nil {
			continue
		}
		for _, p := range cluster.Spec.Presets {
			if !slices.Contains(all, p.Name) {
				all = append(all, p.Name)
			}
		}
	}
	return all, cobra.ShellCompDirectiveNoFileComp
}
