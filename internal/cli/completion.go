package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// completionTimeout bounds how long the shell waits for names, and maxCompletions how many are read.
const (
	completionTimeout = 3 * time.Second
	maxCompletions    = 5000
)

// pluginCompletion is what kubectl runs to complete the arguments of its plugin.
const pluginCompletion = "#!/bin/sh\nexec kubectl-soma __complete \"$@\"\n"

func newCompletion(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "completion bash|zsh|fish|kubectl", Short: "Print the completion script of a shell",
		Long: `Print the completion script of a shell. Names of jobs, projects, presets and the like complete by asking the cluster.

For bash the package bash-completion is needed. With the script for kubectl on the PATH, kubectl's own completion completes
"kubectl soma".`,
		Example: a.examples("completion bash > /etc/bash_completion.d/soma", "for bash",
			"completion zsh > \"${fpath[1]}/_soma\"", "for zsh",
			"completion fish > ~/.config/fish/completions/soma.fish", "for fish",
			"completion kubectl > /usr/local/bin/kubectl_complete-soma", "for kubectl; make it executable"),
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"bash", "zsh", "fish", "kubectl"},
		RunE: func(c *cobra.Command, args []string) error {
			root := c.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.out, true)
			case "zsh":
				return root.GenZshCompletion(a.out)
			case "fish":
				return root.GenFishCompletion(a.out, true)
			default:
				_, err := fmt.Fprint(a.out, pluginCompletion)
				return err
			}
		},
	}
}

// completer offers words for an argument or the value of a flag.
type completer = func(c *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective)

const noFiles = cobra.ShellCompDirectiveNoFileComp

// offer makes a completer of what finds the words, each with a description behind a tab. The shell is no place for the
// error of a cluster that does not answer: nothing is offered then.
func offer(find func(ctx context.Context, args []string, prefix string) ([]string, error)) completer {
	return func(c *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		parent := c.Context()
		if parent == nil {
			parent = context.Background()
		}
		ctx, cancel := context.WithTimeout(parent, completionTimeout)
		defer cancel()
		words, err := find(ctx, args, prefix)
		if err != nil {
			return nil, noFiles
		}
		return words, noFiles
	}
}

// once offers words for one argument, and then what follows does; files where that is nil, as for a job's command.
func once(first, then completer) completer {
	return func(c *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		switch {
		case len(args) == 0:
			return first(c, args, prefix)
		case then == nil:
			return nil, cobra.ShellCompDirectiveDefault
		default:
			return then(c, args, prefix)
		}
	}
}

// once2 offers words for a second argument, and no more.
func once2(second completer) completer {
	return func(c *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		if len(args) != 1 {
			return nil, noFiles
		}
		return second(c, args, prefix)
	}
}

// noMore ends the arguments.
func noMore(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, noFiles
}

// completeFlag offers words for the value of a flag.
func completeFlag(c *cobra.Command, flag string, words completer) {
	must(c.RegisterFlagCompletionFunc(flag, words))
}

// fileFlags are the flags whose values are files. The values of all others are not, and no file is offered for them.
var fileFlags = map[string]bool{"kubeconfig": true, "env-file": true, "ca-file": true}

func withoutFiles(c *cobra.Command) {
	forbid := func(f *pflag.Flag) {
		if !fileFlags[f.Name] && f.NoOptDefVal == "" {
			_ = c.RegisterFlagCompletionFunc(f.Name, noMore) // refused where the flag has words of its own
		}
	}
	c.LocalNonPersistentFlags().VisitAll(forbid)
	c.PersistentFlags().VisitAll(forbid)
}
