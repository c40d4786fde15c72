package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/soma-platform/soma/api/v1alpha1"
)

func newExplain(a *app) *cobra.Command {
	var out output
	c := &cobra.Command{
		Use:               "explain JOB",
		Short:             "Say why a job waits, or what happened to it, and what to do",
		Example:           a.examples("explain train-x7k2p", "why it waits, or what happened"),
		Args:              oneArg("the name of the job"),
		ValidArgsFunction: once(a.allJobNames(), noMore),
		RunE: func(c *cobra.Command, args []string) error {
			if err := out.check(c); err != nil {
				return err
			}
			fields, err := a.explain(c.Context(), args[0])
			if err != nil {
				return err
			}
			if !out.table() {
				return out.data(a.out, args[0], fieldMap(fields))
			}
			a.printFields(a.out, fields)
			return nil
		},
	}
	out.addTo(c)
	return c
}

// fieldMap has what fields say under their labels, of which the words are joined: toDo, exitCode.
func fieldMap(fields []field) map[string]string {
	said := map[string]string{}
	for _, f := range fields {
		if f.text == "" {
			continue
		}
		words := strings.Fields(strings.ToLower(f.label))
		for i := 1; i < len(words); i++ {
			words[i] = strings.ToUpper(words[i][:1]) + words[i][1:]
		}
		said[strings.Join(words, "")] = f.text
	}
	return said
}

func (a *app) explain(ctx context.Context, name string) ([]field, error) {
	job, _, err := a.getJob(ctx, name)
	if unseen(err) {
		record, historyError := a.findRecord(ctx, name)
		switch {
		case record == nil && historyError == nil, unseen(historyError):
			return nil, err
		case historyError != nil:
			return nil, unknownJob(name, historyError)
		}
		job = &v1alpha1.Job{ObjectMeta: record.ObjectMeta, Status: v1alpha1.JobStatus{
			Phase: v1alpha1.JobPhase(record.Status.Phase), Reason: v1alpha1.JobReason(record.Status.Reason),
			Message: record.Status.Message, ExitCode: record.Status.ExitCode,
			StartTime: record.Status.StartTime, FinishTime: record.Status.FinishTime,
		}}
		job.Name = record.Spec.Job
		return append(explainJob(job, nil, strings.TrimSpace(a.command("")), a.now()), field{"Object", "gone; this is its record in the history"}), nil
	}
	if err != nil {
		return nil, err
	}
	// The quota is told where it is the reason. It helps, so that a user without the right to see it goes on without.
	var quota *chain
	if quotaMatters(job.Status.Reason) {
		if quota, err = a.quotaOf(ctx, job.Namespace); err != nil {
			quota = nil
		}
	}
	return explainJob(job, quota, strings.TrimSpace(a.command("")), a.now()), nil
}

// explainJob says where a job is, what that means and what to do.
func explainJob(job *v1alpha1.Job, quota *chain, program string, now time.Time) []field {
	status := &job.Status
	known := adviceFor(status.Reason)
	fields := []field{{"Job", job.Name}, {"State", stateText(status.Phase, string(status.Reason))}}
	switch {
	case status.ObservedGeneration < 0 || status.Phase == "":
		fields = append(fields, field{"Meaning", "no controller has looked at the job yet; that takes a moment"},
			field{"To do", "wait; if it goes on, ask an administrator whether Soma's manager runs"})
	default:
		fields = append(fields, field{"Meaning", known.meaning})
	}
	if status.Reason.Impossible() && !status.Phase.Finished() {
		fields = append(fields, field{"Will it start", "not before something is changed; waiting alone does not help"})
	}
	fields = append(fields, field{"Message", status.Message})
	if q := status.Queue; q != nil {
		text := ""
		if q.Position > 0 {
			text = fmt.Sprintf("position %d", q.Position)
		}
		if q.Since != nil && !q.Since.After(now) { // a retry waits from when it is due
			text = strings.TrimPrefix(text+", waiting for "+ago(q.Since.Time, now), ", ")
		}
		fields = append(fields, field{"Queue", text}, field{"Starts", expectedStart(q, now)}, field{"Held by", heldBy(q)})
	}
	fields = append(fields, field{"Next attempt", nextAttempt(status, now)})
	if quota != nil {
		fields = append(fields, field{"Quota", strings.Join(describeQuotas(quota, job), "\n")})
	}
	if status.ExitCode != nil {
		fields = append(fields, field{"Exit code", exitCodeText(*status.ExitCode)})
	}
	fields = append(fields, field{"Ran", jobRan(status).text(now)},
		field{"Cancelled by", job.Spec.CancelledBy}, field{"Failures", describeFailures(status)}, field{"Attempts", describeAttempts(status, now)})
	return append(fields, field{"To do", known.next(status.Phase, program, job.Name)})
}

// expectedStart says when a waiting job starts, as far as that is known.
func expectedStart(q *v1alpha1.QueueStatus, now time.Time) string {
	if q.ExpectedStart == nil {
		return ""
	}
	at := q.ExpectedStart.Local().Format(time.DateTime)
	switch {
	case overdue(q, now):
		return fmt.Sprintf("later than was expected, which was at %s at the latest; when, nobody can tell yet", at)
	case !q.ExpectedStart.After(now):
		return "in a moment, as far as can be told"
	}
	return fmt.Sprintf("at %s at the latest (in %s), if nobody goes before it", at, ago(now, q.ExpectedStart.Time))
}

// startOverdue is for how long an expected start that has passed may still be one that comes in a moment: it is told in minutes.
const startOverdue = 2 * time.Minute

// overdue reports whether the job should have started long ago: what was told of its start does not hold any more.
func overdue(q *v1alpha1.QueueStatus, now time.Time) bool {
	return now.Sub(q.ExpectedStart.Time) > startOverdue
}

// nextAttempt says when a job is tried again that waits for that.
func nextAttempt(status *v1alpha1.JobStatus, now time.Time) string {
	if status.RetryTime == nil {
		return ""
	}
	text := "not before " + status.RetryTime.Local().Format(time.DateTime)
	if status.RetryTime.After(now) {
		text += fmt.Sprintf(" (in %s)", ago(now, status.RetryTime.Time))
	}
	return text
}

// describeFailures says what the attempts of a job failed of, all those together that status has forgotten.
func describeFailures(status *v1alpha1.JobStatus) string {
	lines := make([]string, 0, len(status.Failures))
	for _, f := range status.Failures {
		text := fmt.Sprintf("%d: %s", f.Count, f.Category)
		if f.ExitCode != 0 {
			text += fmt.Sprintf(" %d", f.ExitCode)
		}
		lines = append(lines, text)
	}
	return strings.Join(lines, "\n")
}

// heldBy says who holds what a job waits for.
func heldBy(q *v1alpha1.QueueStatus) string {
	lines := make([]string, 0, len(q.HeldBy))
	for _, h := range q.HeldBy {
		text := fmt.Sprintf("%s: %d jobs", h.Quota, h.Jobs)
		if h.GPUs > 0 {
			text += fmt.Sprintf(", %d GPUs", h.GPUs)
		}
		lines = append(lines, text)
	}
	return strings.Join(lines, "\n")
}

// exitCodeText tells what an exit code usually means.
func exitCodeText(code int32) string {
	meaning := map[int32]string{
		126: "the command cannot be executed", 127: "the command was not found",
		134: "the program aborted (SIGABRT)", 137: "the program was killed (SIGKILL)",
		139: "the program crashed (SIGSEGV)", 143: "the program was ended (SIGTERM)",
	}[code]
	if meaning == "" {
		return fmt.Sprint(code)
	}
	return fmt.Sprintf("%d: %s", code, meaning)
}
