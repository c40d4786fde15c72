// Package cli is the command line of Soma: a thin client of the Kubernetes API. It decides nothing that the platform
// decides; whatever it does can be done with kubectl too.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/klog/v2"
)

// app is what every command shares.
type app struct {
	in       io.Reader
	out, err io.Writer
	// program is how the user called the command: "soma", or "kubectl soma".
	program string
	now     func() time.Time
	kube    kubeFlags
	style   style

	clients *clients // made when first needed, by connect
}

// Main runs the command line with args, of which the first is the name it was called by, and returns the exit code.
func Main(args []string, in io.Reader, out, errOut io.Writer) int {
	// The libraries' own log is for programmers, who ask for it by --verbose; what matters to the user comes back as errors.
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	utilruntime.ErrorHandlers = nil

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// After the first signal the next one ends the process at once.
	context.AfterFunc(ctx, stop)

	a := &app{in: in, out: out, err: errOut, program: programName(args[0]), now: time.Now, style: styleFor(errOut, os.Getenv)}
	root := newRoot(a)
	root.SetArgs(args[1:])
	return a.finish(root.ExecuteContext(ctx))
}

// programName tells how a user calls the command whose file name is given: kubectl runs its plugins as kubectl-<name>.
func programName(file string) string {
	if name := strings.TrimSuffix(filepath.Base(file), ".exe"); strings.HasPrefix(name, "kubectl-") {
		return "kubectl soma"
	}
	return "soma"
}

// finish says what went wrong and returns the exit code.
func (a *app) finish(err error) int {
	var exit *exitError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &exit):
		if exit.err != nil {
			fmt.Fprintf(a.err, "%s %v\n", a.style.bad("error:"), exit.err)
		}
		return exit.code
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	default:
		fmt.Fprintf(a.err, "%s %v\n", a.style.bad("error:"), err)
		return exitFailure
	}
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "soma",
		Short: "Run machine-learning jobs on Kubernetes",
		Long: `Soma runs machine-learning jobs on Kubernetes. The namespace of the kubeconfig's context is the current project.

Exit codes: the job's own where there is one; 0 success; 1 failure; 2 wrong usage; 124 a time limit was reached;
130 interrupted; 143 the job was cancelled.`,
		Example: a.examples(
			"run --preset gpu-small pytorch -- python train.py", "submit a job, see its output, end with its exit code",
			"ps", "the jobs that wait or run",
			"logs -f train-x7k2p", "the output of a job, as it comes",
			"explain train-x7k2p", "why a job waits, or what happened to it",
			"project use vision", "make a project the current one",
		),
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Annotations:       map[string]string{cobra.CommandDisplayNameAnnotation: a.program},
		PersistentPreRunE: func(*cobra.Command, []string) error { return a.kube.tell() },
		RunE:              func(c *cobra.Command, _ []string) error { return a.greet(c) },
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usageError(c, err) })
	root.SetGlobalNormalizationFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "namespace" { // a project's namespace has the project's name
			name = "project"
		}
		return pflag.NormalizedName(name)
	})
	a.kube.addTo(root.PersistentFlags())
	completeFlag(root, "project", a.objectNames(projects))
	completeFlag(root, "context", a.contextNames())

	root.AddGroup(&cobra.Group{ID: "jobs", Title: "Jobs:"}, &cobra.Group{ID: "platform", Title: "Platform:"},
		&cobra.Group{ID: "people", Title: "People and rights:"}, &cobra.Group{ID: "other", Title: "Other:"})
	root.SetHelpCommandGroupID("other")
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("jobs", newRun(a), newPs(a), newQueue(a), newStatus(a), newExplain(a), newLogs(a), newExec(a), newPortForward(a), newWait(a),
		newKill(a), newSuspend(a), newResume(a), newClone(a))
	add("platform", newProject(a), newCluster(a), newPreset(a), newQuota(a), newCapacity(a))
	add("people", newLogin(a), newLogout(a), newWhoAmI(a), newShare(a), newACL(a), newCanI(a), newWhoCan(a), newRole(a), newUser(a), newServiceAccount(a))
	add("other", newDoctor(a), newAuth(a), newVersion(a), newCompletion(a))
	root.InitDefaultHelpCmd()
	walk(root, func(c *cobra.Command) {
		if c.Parent() == root && c.Name() == "help" {
			c.Args = noSuchTopic
		}
		if c.HasSubCommands() {
			c.Args, c.ValidArgsFunction = noSuchCommand, noMore
			if c.RunE == nil {
				c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
			}
		}
		if c.Args != nil {
			c.Args = usageArgs(c.Args)
		}
		withoutFiles(c)
	})
	return root
}

// greet is what the command alone says: the first things to do.
func (a *app) greet(c *cobra.Command) error {
	_, err := fmt.Fprintf(a.out, "%s\n\n%s\n\nAll commands: %s --help\n", c.Short, c.Example, a.program)
	return err
}

// noSuchCommand refuses words behind a command that has only commands, and names those that are meant perhaps.
func noSuchCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("there is no command %q", displayPath(c)+" "+args[0])
	c.SuggestionsMinimumDistance = 2
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		text += fmt.Sprintf("; did you mean %q?", displayPath(c)+" "+strings.Join(near, " or "))
	}
	return errors.New(text)
}

// noSuchTopic refuses words of which help would say nothing but what there is without them.
func noSuchTopic(c *cobra.Command, args []string) error {
	about, rest, err := c.Root().Find(args)
	if err != nil || !about.HasSubCommands() {
		return err
	}
	return noSuchCommand(about, rest)
}

func walk(c *cobra.Command, visit func(*cobra.Command)) {
	visit(c)
	for _, child := range c.Commands() {
		walk(child, visit)
	}
}

// examples formats pairs of a command line without the program's name, and what it does.
func (a *app) examples(pairs ...string) string {
	width := 0
	for i := 0; i+1 < len(pairs); i += 2 {
		width = max(width, len(pairs[i]))
	}
	var b strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		fmt.Fprintf(&b, "  %s %-*s  # %s\n", a.program, width, pairs[i], pairs[i+1])
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// must is for errors that only a mistake in this package can cause; the test that builds every command finds them.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
