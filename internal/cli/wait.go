package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// goal is what is waited for: given a job it reports whether waiting is over, and the exit code then.
type goal func(*v1alpha1.Job) (done bool, code int)

// forComplete waits for the end of a job and takes its exit code.
func forComplete(job *v1alpha1.Job) (bool, int) {
	if !job.Status.Phase.Finished() {
		return false, exitOK
	}
	return true, jobExitCode(&job.Status)
}

// forFinished waits for the end of a job, whichever it is.
func forFinished(job *v1alpha1.Job) (bool, int) { return job.Status.Phase.Finished(), exitOK }

// forRunning waits until a job runs. A job that ended well ran; any other end is told by its exit code.
func forRunning(job *v1alpha1.Job) (bool, int) {
	if job.Status.Phase == v1alpha1.JobRunning && job.Status.Reason != v1alpha1.JobReasonTerminating {
		return true, exitOK
	}
	return forComplete(job)
}

// forCondition waits until a condition has a status. A job that ended without it is told by its exit code, or 1.
func forCondition(kind string, status metav1.ConditionStatus) goal {
	return func(job *v1alpha1.Job) (bool, int) {
		if meta.IsStatusConditionPresentAndEqual(job.Status.Conditions, kind, status) {
			return true, exitOK
		}
		if !job.Status.Phase.Finished() {
			return false, exitOK
		}
		return true, max(jobExitCode(&job.Status), exitFailure)
	}
}

var goalWords = []string{"complete", "running", "finished", "condition=Ready"}

// parseGoal reads complete, running, finished or condition=TYPE[=STATUS].
func parseGoal(text string) (goal, error) {
	switch strings.ToLower(text) {
	case "complete":
		return forComplete, nil
	case "running":
		return forRunning, nil
	case "finished":
		return forFinished, nil
	}
	condition, found := strings.CutPrefix(text, "condition=")
	kind, status, withStatus := strings.Cut(condition, "=")
	if !found || kind == "" || withStatus && status == "" {
		return nil, fmt.Errorf("--for is complete, running, finished or condition=TYPE[=STATUS], not %q", text)
	}
	if !withStatus {
		status = string(metav1.ConditionTrue)
	}
	return forCondition(kind, metav1.ConditionStatus(strings.ToUpper(status[:1])+strings.ToLower(status[1:]))), nil
}

func newWait(a *app) *cobra.Command {
	var word, timeout string
	var out output
	c := &cobra.Command{
		Use:   "wait JOB...",
		Short: "Wait until jobs ended, run, or have a condition",
		Long: `Wait for jobs, all together.

  --for complete      the end; the exit code is the job's
  --for finished      the end, whichever it is; the exit code is 0
  --for running       the start; a job that ends before it runs gives its exit code
  --for condition=T   a condition of the job's status, also condition=T=False

The exit code is that of the first job named that did not reach the goal, 124 when the time is up. Nothing is printed
unless -o asks for the jobs as they are then.`,
		Example:           a.examples("wait train-x7k2p", "end with the job's exit code", "wait --for running --timeout 10m train-x7k2p", "until it runs"),
		Args:              someArgs("the name of a job"),
		ValidArgsFunction: a.jobNames(stateWords["active"]...),
		RunE: func(c *cobra.Command, names []string) error {
			if err := out.check(c); err != nil {
				return err
			}
			reached, err := parseGoal(word)
			if err != nil {
				return usageError(c, err)
			}
			ctx, cancel, err := limited(c.Context(), timeout)
			if err != nil {
				return usageError(c, err)
			}
			defer cancel()
			last, err := a.waitAll(ctx, names, reached)
			return errors.Join(a.printWaited(&out, last), err)
		},
	}
	c.Flags().StringVar(&word, "for", "complete", "what to wait for: complete, running, finished or condition=TYPE[=STATUS]")
	addTimeout(c, &timeout, "")
	out.addTo(c)
	must(c.RegisterFlagCompletionFunc("for", cobra.FixedCompletions(goalWords, cobra.ShellCompDirectiveNoFileComp)))
	return c
}

// addTimeout adds the flag that limits a wait; when says which one, "" where the command does nothing else.
func addTimeout(c *cobra.Command, timeout *string, when string) {
	c.Flags().StringVar(timeout, "timeout", "", when+"how long to wait, for instance 10m (default: without end)")
}

// limited is a context that ends with the time limit, which is without end where it is "".
func limited(ctx context.Context, timeout string) (context.Context, context.CancelFunc, error) {
	if timeout == "" {
		return ctx, func() {}, nil
	}
	limit, err := parseDuration(timeout)
	if err != nil {
		return nil, nil, fmt.Errorf("--timeout: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not reached within %s", timeout))
	return ctx, cancel, nil
}

// waitAll waits for all jobs. It returns them as they were seen last, nil for one that was not, and the first error in the
// order of the names.
func (a *app) waitAll(ctx context.Context, names []string, reached goal) ([]*v1alpha1.Job, error) {
	if _, err := a.connect(); err != nil {
		return nil, err
	}
	last, results := make([]*v1alpha1.Job, len(names)), make([]error, len(names))
	var group errgroup.Group
	group.SetLimit(50)
	for i, name := range names {
		group.Go(func() error {
			job, _, err := a.getJob(ctx, name)
			if err == nil {
				last[i], err = a.waitForJob(ctx, job, reached)
			}
			results[i] = err
			return nil
		})
	}
	_ = group.Wait() // the errors are in the results
	var first error
	for _, err := range results {
		var exit *exitError
		silent := errors.As(err, &exit) && exit.err == nil
		switch {
		case first == nil:
			first = err
		case err != nil && !silent && !errors.Is(err, context.Canceled):
			fmt.Fprintf(a.err, "%s %v\n", a.style.bad("error:"), err)
		}
	}
	return last, first
}

// printWaited prints the jobs that were waited for where a format asks for them.
func (a *app) printWaited(out *output, waited []*v1alpha1.Job) error {
	if out.format == "" {
		return nil
	}
	list := &unstructured.UnstructuredList{}
	var rows []row
	for _, job := range waited {
		if job == nil {
			continue
		}
		u, err := toUnstructuredWhole(job)
		if err != nil {
			return err
		}
		list.Items = append(list.Items, *u)
		rows = append(rows, jobRow(job))
	}
	switch {
	case len(rows) == 0:
		return nil
	case out.wide():
		return jobTable(rows, false, a.now()).print(a.out, true, true)
	case len(waited) == 1:
		return out.object(a.out, &list.Items[0])
	default:
		return out.list(a.out, list)
	}
}

// waitForJob waits until the job reached the goal. It returns the job as it was seen last, and the error with its exit code.
func (a *app) waitForJob(ctx context.Context, job *v1alpha1.Job, reached goal) (last *v1alpha1.Job, err error) {
	code := exitOK
	last = job
	err = a.followJob(ctx, job, func(now *v1alpha1.Job) (done bool, err error) {
		last = now
		done, code = reached(now)
		return done, nil
	})
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return last, &exitError{code: exitTimeout, err: fmt.Errorf("job %q: %w; now: %s\nwhat to do: \"%s\"", job.Name, context.Cause(ctx), describeProgress(last).text, a.command("explain "+job.Name))}
	case errors.Is(err, errGone):
		return last, a.gone(ctx, job, &exitError{code: exitCancelled, err: fmt.Errorf("job %q was deleted before that", job.Name)})
	case err != nil:
		return last, err
	case code != exitOK:
		return last, &exitError{code: code, err: fmt.Errorf("job %q: %s", job.Name, describeEnd(&last.Status).text)}
	}
	return last, nil
}
