// Command devcluster brings a real Kubernetes up on this machine, with PostgreSQL, Redis and Soma, and takes it down.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/soma-platform/soma/hack/devcluster/internal/cluster"
	"github.com/soma-platform/soma/hack/devcluster/internal/forward"
	"github.com/soma-platform/soma/hack/devcluster/internal/gpuplugin"
)

// isolate is the command that becomes another program.
const isolate = "isolate"

// Only a process's first thread becomes another program without a moment in which the process seems to have ended. The
// runtime keeps main on that thread when it is asked before main begins.
func init() {
	if len(os.Args) > 1 && os.Args[1] == isolate {
		runtime.LockOSThread()
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "devcluster:", err)
		os.Exit(1)
	}
}

// settings are the flags of all commands.
type settings struct {
	root, dir string
}

func command() *cobra.Command {
	var s settings
	root := &cobra.Command{
		Use:           "devcluster",
		Short:         "A real Kubernetes on this machine, with PostgreSQL, Redis and Soma",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().StringVar(&s.root, "root", "", "the repository (default: the one that the current folder is in)")
	root.PersistentFlags().StringVar(&s.dir, "dir", ".soma", "where all state of the cluster is, below the repository unless absolute")
	root.AddCommand(upCommand(&s), downCommand(&s),
		s.simple("build", "Build the cluster's programs into bin of its folder", func(ctx context.Context, c *cluster.Cluster) error { return c.Build(ctx) }),
		s.simple("import", "Give the images that changed to the real node", func(ctx context.Context, c *cluster.Cluster) error { return c.Import(ctx) }),
		s.simple("status", "Show the cluster's processes; fails when one does not run", func(_ context.Context, c *cluster.Cluster) error { return c.Status() }),
		runCommand(&s), stopCommand(&s), execCommand(&s), forwardCommand(), isolateCommand(), gpuPluginCommand(),
	)
	return root
}

func upCommand(s *settings) *cobra.Command {
	var without bool
	cmd := &cobra.Command{
		Use: "up", Args: cobra.NoArgs, Short: "Bring the cluster up, or what of it does not run",
		Long: "Bring the cluster up, or what of it does not run. NODES in the environment says how many nodes are simulated; without it there are as many as before, 4 in a new cluster.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			nodes, err := nodes(os.Getenv("NODES"))
			if err != nil {
				return err
			}
			c, err := s.open(cluster.Options{Nodes: nodes, Platform: !without})
			if err != nil {
				return err
			}
			return c.Up(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&without, "without-platform", false, "do not install Soma")
	return cmd
}

// nodes reads how many nodes shall be simulated.
func nodes(text string) (int, error) {
	if text == "" {
		return cluster.AsBefore, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > cluster.MaxNodes {
		return 0, fmt.Errorf("NODES=%s: must be a number from 0 to %d", text, cluster.MaxNodes)
	}
	return n, nil
}

func downCommand(s *settings) *cobra.Command {
	var purge bool
	cmd := &cobra.Command{
		Use: "down", Args: cobra.NoArgs, Short: "End the cluster's processes and remove what it made on this machine; its data stays",
		RunE: func(*cobra.Command, []string) error {
			c, err := s.open(cluster.Options{})
			if err != nil {
				return err
			}
			return c.Down(purge)
		},
	}
	cmd.Flags().BoolVar(&purge, "purge", false, "remove the cluster's folder too: its data, logs, keys and programs")
	return cmd
}

func runCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use: "run NAME -- COMMAND [ARG…]", Args: cobra.MinimumNArgs(2), Short: "Start a program beside the cluster, with this environment; `down` ends it",
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := s.open(cluster.Options{})
			if err != nil {
				return err
			}
			return c.Run(args[0], args[1:])
		},
	}
}

func stopCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use: "stop NAME", Args: cobra.ExactArgs(1), Short: "End one process of the cluster, to see what happens without it; `up` starts it again",
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := s.open(cluster.Options{})
			if err != nil {
				return err
			}
			return c.Stop(args[0])
		},
	}
}

func execCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use: "exec -- COMMAND [ARG…]", Args: cobra.MinimumNArgs(1), Short: "Run a command in the cluster's own network, where services and pods have their addresses",
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := s.open(cluster.Options{})
			if err != nil {
				return err
			}
			return c.Exec(args)
		},
	}
}

func forwardCommand() *cobra.Command {
	var (
		path  string
		ports []int
		to    map[string]string
	)
	cmd := &cobra.Command{
		Use: "forward", Args: cobra.NoArgs, Hidden: true, Short: "Publish ports of a network namespace on the loopback",
		RunE: func(cmd *cobra.Command, _ []string) error { return forward.Run(cmd.Context(), path, ports, to) },
	}
	cmd.Flags().StringVar(&path, "netns", "", "the network namespace")
	cmd.Flags().IntSliceVar(&ports, "port", nil, "a port of 127.0.0.1, inside and outside")
	cmd.Flags().StringToStringVar(&to, "to", nil, "PORT=ADDRESS: a port of 127.0.0.1 outside, and what it leads to inside")
	return cmd
}

func isolateCommand() *cobra.Command {
	var binds []string
	cmd := &cobra.Command{
		Use: isolate, Args: cobra.MinimumNArgs(1), Hidden: true, Short: "Run a program that sees other folders in the place of some",
		RunE: func(_ *cobra.Command, args []string) error { return cluster.Isolate(binds, args) },
	}
	cmd.Flags().StringArrayVar(&binds, "bind", nil, "FOLDER:PLACE")
	return cmd
}

func gpuPluginCommand() *cobra.Command {
	var (
		dir   string
		count int
	)
	cmd := &cobra.Command{
		Use: "gpu-plugin", Args: cobra.NoArgs, Hidden: true, Short: "Advertise GPUs to a kubelet",
		RunE: func(cmd *cobra.Command, _ []string) error { return gpuplugin.Run(cmd.Context(), dir, count) },
	}
	cmd.Flags().StringVar(&dir, "dir", "", "the kubelet's folder of device plugins")
	cmd.Flags().IntVar(&count, "count", 0, "how many GPUs")
	return cmd
}

func (s *settings) simple(use, short string, do func(context.Context, *cluster.Cluster) error) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		c, err := s.open(cluster.Options{})
		if err != nil {
			return err
		}
		return do(cmd.Context(), c)
	}}
}

func (s *settings) open(options cluster.Options) (*cluster.Cluster, error) {
	root, err := s.repository()
	if err != nil {
		return nil, err
	}
	if options.Layout, err = cluster.NewLayout(root, s.dir); err != nil {
		return nil, err
	}
	options.Progress = &cluster.Progress{Out: os.Stdout}
	return cluster.Open(options), nil
}

// repository finds the folder that holds hack/devcluster, from the current one upwards.
func (s *settings) repository() (string, error) {
	if s.root != "" {
		return s.root, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "hack", "devcluster", "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("the current folder is not in Soma's repository: go there, or name it by --root")
		}
		dir = parent
	}
}
