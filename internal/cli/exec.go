package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"
	"k8s.io/streaming/pkg/httpstream"

	"github.com/soma-platform/soma/api/v1alpha1"
)

func newExec(a *app) *cobra.Command {
	var stdin, tty bool
	var rank int32
	c := &cobra.Command{
		Use:   "exec JOB [flags] [-- COMMAND...]",
		Short: "Run a command in a running job",
		Long: `Run a command in the container of a running job and end with its exit code.

Without COMMAND an interactive shell is started.`,
		Example: a.examples(
			"exec train-x7k2p", "a shell", "exec train-x7k2p -- nvidia-smi", "one command",
			"exec -i train-x7k2p -- tar x < data.tar", "with standard input",
		),
		ValidArgsFunction: once(a.jobNames(v1alpha1.JobRunning), nil),
		RunE: func(c *cobra.Command, args []string) error {
			name, command, err := splitCommand(c, args, "the name of the job")
			if err != nil {
				return usageError(c, err)
			}
			if len(command) == 0 {
				command, stdin, tty = []string{"sh"}, true, isTerminal(a.in)
			}
			if tty && !isTerminal(a.in) {
				return usageError(c, fmt.Errorf("--tty needs a terminal as standard input"))
			}
			return a.exec(c.Context(), name, rank, command, stdin || tty, tty)
		},
	}
	c.Flags().BoolVarP(&stdin, "stdin", "i", false, "pass standard input on")
	c.Flags().BoolVarP(&tty, "tty", "t", false, "give the command a terminal")
	c.Flags().Int32Var(&rank, "rank", 0, "replica in which the command runs, from 0")
	completeFlag(c, "rank", a.ofJob(ranksOf))
	return c
}

// runningPod finds the pod of the replica that runs.
func (a *app) runningPod(ctx context.Context, name string, rank int32) (*v1alpha1.Job, *corev1.Pod, error) {
	job, _, err := a.getJob(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	found, err := a.podsOf(ctx, job, 0, rank)
	if err != nil {
		return nil, nil, err
	}
	for _, pod := range newestAttempt(found) {
		if started, ended := containerState(pod); started && !ended {
			return job, pod, nil
		}
	}
	if rank >= job.Spec.ReplicaCount() {
		return nil, nil, a.noOutput(job, logOptions{rank: rank})
	}
	return nil, nil, fmt.Errorf("job %q does not run: %s\nsee \"%s\"", name, describeProgress(job).text, a.command("explain "+name))
}

func (a *app) exec(ctx context.Context, name string, rank int32, command []string, stdin, tty bool) error {
	job, pod, err := a.runningPod(ctx, name, rank)
	if err != nil {
		return err
	}
	c := a.clients
	url := c.core.Post().Namespace(pod.Namespace).Resource("pods").Name(pod.Name).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Container: container, Command: command, Stdin: stdin, Stdout: true, Stderr: !tty, TTY: tty}, c.params).URL()
	overWebSocket, err := remotecommand.NewWebSocketExecutor(c.config, "GET", url.String())
	if err != nil {
		return err
	}
	overSPDY, err := remotecommand.NewSPDYExecutor(c.config, "POST", url)
	if err != nil {
		return err
	}
	executor, err := remotecommand.NewFallbackExecutor(overWebSocket, overSPDY, upgradeRefused)
	if err != nil {
		return err
	}
	options := remotecommand.StreamOptions{Stdout: a.out, Stderr: a.err, Tty: tty}
	if stdin {
		options.Stdin = a.in
	}
	if tty {
		options.Stderr = nil
		restore, sizes, err := rawTerminal(ctx, a.in)
		if err != nil {
			return err
		}
		defer restore()
		options.TerminalSizeQueue = sizes
	}
	err = executor.StreamWithContext(ctx, options)
	var exit exec.CodeExitError
	switch {
	case errors.As(err, &exit):
		return exitWith(exit.Code)
	case ctx.Err() != nil:
		return exitWith(exitInterrupted)
	case err != nil && strings.Contains(err.Error(), "executable file not found"):
		return &exitError{code: exitNoCommand, err: fmt.Errorf("the image of job %q has no command %q", name, command[0])}
	case err != nil:
		return a.brokeOff(ctx, job, v1alpha1.ActionWrite, fmt.Sprintf("the command in job %q", name), err)
	}
	return nil
}

// upgradeRefused reports that a proxy on the way does not know WebSockets.
func upgradeRefused(err error) bool {
	return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
}

// rawTerminal passes every key on to the job until restore is called, and follows the terminal's size.
func rawTerminal(ctx context.Context, in io.Reader) (restore func(), sizes remotecommand.TerminalSizeQueue, err error) {
	file, ok := in.(*os.File)
	if !ok {
		return nil, nil, fmt.Errorf("standard input is not a terminal")
	}
	fd := int(file.Fd())
	state, err := term.MakeRaw(fd)
	if err != nil {
		return nil, nil, fmt.Errorf("the terminal cannot be prepared: %w", err)
	}
	queue := newSizeQueue(ctx, fd)
	return func() {
		queue.stop()
		_ = term.Restore(fd, state) // nothing can be done about a terminal that is gone
	}, queue, nil
}
