package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// logFlags are the flags of `soma logs`.
type logFlags struct {
	follow, timestamps, previous bool
	tail                         int64
	since                        string
	attempt, rank                int32
}

func newLogs(a *app) *cobra.Command {
	f := &logFlags{}
	c := &cobra.Command{
		Use:   "logs JOB",
		Short: "Show the output of a job",
		Long: `Show the output of the newest attempt of a job, also after its end for as long as its pods are kept.

With --follow the output is shown as it comes, that of later attempts too, until the job ended. A broken connection is
made anew without a gap. Lines of several replicas are marked with their rank.`,
		Example: a.examples(
			"logs -f train-x7k2p", "as it comes", "logs --tail 50 train-x7k2p", "the last lines",
			"logs --previous train-x7k2p", "of the attempt before", "logs --rank 2 train-x7k2p", "of one replica",
		),
		Args:              oneArg("the name of the job"),
		ValidArgsFunction: once(a.jobNames(phases...), noMore),
		RunE: func(c *cobra.Command, args []string) error {
			from, err := since(f.since, a.now())
			if err != nil {
				return usageError(c, fmt.Errorf("--since: %w", err))
			}
			if f.previous && f.attempt > 0 {
				return usageError(c, fmt.Errorf("--previous and --attempt exclude each other"))
			}
			options := logOptions{follow: f.follow, timestamps: f.timestamps, tail: f.tail, since: from, attempt: f.attempt, rank: f.rank}
			return a.logs(c.Context(), args[0], options, f.previous)
		},
	}
	flags := c.Flags()
	flags.BoolVarP(&f.follow, "follow", "f", false, "go on until the job ended")
	flags.BoolVar(&f.timestamps, "timestamps", false, "with the time of every line")
	flags.BoolVar(&f.previous, "previous", false, "of the attempt before the newest")
	flags.Int64Var(&f.tail, "tail", -1, "number of lines from the end (default: all)")
	flags.StringVar(&f.since, "since", "", "since a time, or how long ago, for instance 10m")
	flags.Int32Var(&f.attempt, "attempt", 0, "of this attempt, from 1 (default: the newest)")
	flags.Int32Var(&f.rank, "rank", -1, "of this replica, from 0 (default: all)")
	for _, all := range []string{"tail", "rank"} {
		flags.Lookup(all).DefValue = "0" // help says it in words
	}
	completeFlag(c, "attempt", a.ofJob(attemptsOf))
	completeFlag(c, "rank", a.ofJob(ranksOf))
	return c
}

func (a *app) logs(ctx context.Context, name string, options logOptions, previous bool) error {
	job, _, err := a.getJob(ctx, name)
	if unseen(err) {
		return fmt.Errorf("job %q in project %q has no object, or none that you may see, and the output of a job goes with its object\nsee what there is with \"%s\", and its record, if there is one, with \"%s\"",
			name, a.clients.project, a.command("ps -a"), a.command("status "+name))
	}
	if err != nil {
		return err
	}
	if previous {
		if job.Status.Attempt < 2 {
			return fmt.Errorf("job %q has no attempt before the newest", name)
		}
		options.attempt = job.Status.Attempt - 1
	}
	if options.follow && !job.Status.Phase.Finished() {
		return a.followLogs(ctx, job, options)
	}
	options.follow = false
	found, err := a.podsOf(ctx, job, options.attempt, options.rank)
	if err != nil {
		return err
	}
	found = newestAttempt(found)
	reading := newStreams(a, a.out, job, options)
	for _, pod := range found { // one after the other, by rank
		reading.offer(ctx, pod)
		if err := reading.wait(); err != nil {
			return err
		}
	}
	if reading.seen() == 0 {
		return a.noOutput(job, options)
	}
	return nil
}

// followLogs shows the output until the job ended. How it ended is told on standard error.
func (a *app) followLogs(ctx context.Context, job *v1alpha1.Job, options logOptions) error {
	live := newLiveLine(a.err, a.style)
	defer live.close()
	var said narrator
	last, err := a.attach(ctx, job, live.over(a.out), options, func(now *v1alpha1.Job) {
		var l *line
		if said, l = said.next(now); l != nil && now.Status.Phase == v1alpha1.JobPending {
			live.show(*l)
		}
	})
	live.close()
	if ctx.Err() != nil {
		return exitWith(exitInterrupted)
	}
	if last.Status.Phase.Finished() && last.Status.Phase != v1alpha1.JobSucceeded {
		end := describeEnd(&last.Status)
		fmt.Fprintln(a.err, a.style.tone(end.tone, end.text))
	}
	if errors.Is(err, errGone) {
		return a.gone(ctx, job, fmt.Errorf("job %q was deleted; its record: \"%s\"", job.Name, a.command("status "+job.Name)))
	}
	return err
}

// newestAttempt keeps the pods of the newest attempt among them, in the order of their ranks.
func newestAttempt(all []*corev1.Pod) []*corev1.Pod {
	newest := 0
	for _, pod := range all {
		newest = max(newest, labelNumber(pod, v1alpha1.LabelAttempt))
	}
	kept := slices.DeleteFunc(slices.Clone(all), func(pod *corev1.Pod) bool {
		return labelNumber(pod, v1alpha1.LabelAttempt) != newest
	})
	slices.SortFunc(kept, func(x, y *corev1.Pod) int {
		return labelNumber(x, v1alpha1.LabelRank) - labelNumber(y, v1alpha1.LabelRank)
	})
	return kept
}

func labelNumber(pod *corev1.Pod, label string) int {
	number, err := strconv.Atoi(pod.Labels[label])
	if err != nil {
		return 0
	}
	return number
}

// noOutput says why there is nothing to show.
func (a *app) noOutput(job *v1alpha1.Job, options logOptions) error {
	switch {
	case options.rank >= job.Spec.ReplicaCount():
		return fmt.Errorf("job %q has no rank %d; its highest is %d", job.Name, options.rank, job.Spec.ReplicaCount()-1)
	case options.attempt > job.Status.Attempt:
		return fmt.Errorf("job %q has no attempt %d; it had %d", job.Name, options.attempt, job.Status.Attempt)
	case options.attempt > 0 && options.attempt < job.Status.Attempt:
		return fmt.Errorf("the pods of attempt %d of job %q are gone, and its output with them\nhow it ended: \"%s\"", options.attempt, job.Name, a.command("status "+job.Name))
	case job.Status.Phase.Finished() && job.Status.StartTime == nil:
		return fmt.Errorf("job %q never ran, so it has no output\nwhat happened: \"%s\"", job.Name, a.command("explain "+job.Name))
	case job.Status.Phase.Finished():
		return fmt.Errorf("the pods of job %q are gone, and its output with them\nwhat is known: \"%s\"", job.Name, a.command("explain "+job.Name))
	default:
		return fmt.Errorf("job %q has no output yet: %s\nwait for it with \"%s\"", job.Name, describeProgress(job).text, a.command("logs -f "+job.Name))
	}
}

// since is the time of a flag such as --since 10m, nil where it is not given.
func since(text string, now time.Time) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	t, err := parseTime(text, now)
	return &t, err
}
