package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	history "github.com/soma-platform/soma/api/history/v1alpha1"
	"github.com/soma-platform/soma/api/v1alpha1"
)

func newStatus(a *app) *cobra.Command {
	var out output
	c := &cobra.Command{
		Use:               "status JOB",
		Short:             "Show how a job stands, or how it ended",
		Long:              "Show all that is known of a job: of its object, or of its record in the history when the object is gone.",
		Example:           a.examples("status train-x7k2p", "for people", "status train-x7k2p -o jsonpath='{.status.phase}'", "for programs"),
		Args:              oneArg("the name of the job"),
		ValidArgsFunction: once(a.allJobNames(), noMore),
		RunE: func(c *cobra.Command, args []string) error {
			if err := out.check(c); err != nil {
				return err
			}
			return a.status(c.Context(), args[0], &out)
		},
	}
	out.addTo(c)
	return c
}

func (a *app) status(ctx context.Context, name string, out *output) error {
	job, u, err := a.getJob(ctx, name)
	if unseen(err) {
		record, historyError := a.findRecord(ctx, name)
		switch {
		case record == nil && historyError == nil, unseen(historyError):
			return err
		case historyError != nil:
			return unknownJob(name, historyError)
		case !out.table():
			u, err := toUnstructuredWhole(record)
			if err != nil {
				return err
			}
			return out.object(a.out, u)
		}
		a.printFields(a.out, describeRecord(record, a.now()))
		return nil
	}
	if err != nil {
		return err
	}
	return a.printJob(job, u, out)
}

// printJob prints a job, of which u is the object as it was read, in the format.
func (a *app) printJob(job *v1alpha1.Job, u *unstructured.Unstructured, out *output) error {
	if !out.table() {
		return out.object(a.out, u)
	}
	a.printFields(a.out, describeJob(job, a.now()))
	return nil
}

// describeJob is what people want to know of a job.
func describeJob(job *v1alpha1.Job, now time.Time) []field {
	spec, status := &job.Spec, &job.Status
	fields := []field{
		{"Name", job.Name}, {"Project", job.Namespace}, {"State", stateText(status.Phase, string(status.Reason))}, {"Message", status.Message},
		{"Description", spec.Description}, {"Tags", strings.Join(spec.Tags, ", ")},
		{"Owner", spec.SubmittedBy}, {"Cancelled by", spec.CancelledBy},
		{"Image", spec.Image}, {"Digest", status.ImageDigest},
		{"Entry point", commandLine(spec.Command)}, {"Command", commandLine(spec.Args)},
		{"Size", describeSize(job)}, {"Priority", string(spec.Priority)},
		{"Energy schedule", spec.EnergySchedule},
		{"Place", describePlace(status)}, {"Host name", status.InternalHostname}, {"Page", status.URL},
		{"Submitted", describeTime(job.CreationTimestamp.Time, now)},
		{"Started", describeTime(timeOf(status.StartTime), now)},
		{"Ended", describeTime(timeOf(status.FinishTime), now)},
		{"Ran", jobRan(status).text(now)},
	}
	if status.Queue != nil && status.Queue.Position > 0 {
		fields = append(fields, field{"Queue", fmt.Sprintf("position %d, for %s", status.Queue.Position, ago(timeOf(status.Queue.Since), now))},
			field{"Starts", expectedStart(status.Queue, now)})
	}
	fields = append(fields, field{"Next attempt", nextAttempt(status, now)})
	if status.ExitCode != nil {
		fields = append(fields, field{"Exit code", fmt.Sprint(*status.ExitCode)})
	}
	if status.Cost != nil {
		fields = append(fields, field{"Cost", costText(status.Cost)})
	}
	if e := status.Energy; e != nil {
		fields = append(fields, field{"Energy", energyText(string(e.WattHours), string(e.CO2Grams))})
	}
	return append(fields, field{"Attempts", describeAttempts(status, now)})
}

func describeSize(job *v1alpha1.Job) string {
	var parts []string
	if preset := job.Status.Preset; preset != "" {
		parts = append(parts, "preset "+preset)
	} else if job.Spec.Preset != "" {
		parts = append(parts, "preset "+job.Spec.Preset)
	}
	if r := job.Status.Placement().Replica; r != nil {
		parts = append(parts, r.CPU.String()+" CPU", r.Memory.String()+" memory")
		if r.GPUs > 0 {
			parts = append(parts, strings.TrimSpace(fmt.Sprintf("%d GPU %s", r.GPUs, r.GPUModel)))
		}
	} else if r := job.Spec.Resources; r != nil && r.CPU != nil && r.Memory != nil {
		parts = append(parts, r.CPU.String()+" CPU", r.Memory.String()+" memory")
		if r.GPU != nil {
			parts = append(parts, strings.TrimSpace(fmt.Sprintf("%d GPU %s", r.GPU.Count, r.GPU.Model)))
		}
	}
	if n := job.Spec.ReplicaCount(); n > 1 {
		parts = append(parts, fmt.Sprintf("%d replicas", n))
	}
	return strings.Join(parts, ", ")
}

// describePlace is where a job runs, or where its newest attempt ran.
func describePlace(status *v1alpha1.JobStatus) string {
	at := status.Placement()
	nodes := []string{at.Node}
	if r := status.Reservation; r != nil {
		nodes = nodes[:0]
		for _, share := range r.Nodes {
			nodes = append(nodes, share.Node)
		}
	}
	var parts []string
	for _, part := range []field{{"cluster", at.Cluster}, {"pool", at.Pool}, {"node", strings.Join(nodes, ", ")}} {
		if part.text != "" {
			parts = append(parts, part.label+" "+part.text)
		}
	}
	return shorten(strings.Join(parts, ", "), 300)
}

// describeAttempts tells how the attempts ended that have. A job of one attempt that is over is that attempt.
func describeAttempts(status *v1alpha1.JobStatus, now time.Time) string {
	if len(status.Attempts) < 2 && status.Phase.Finished() {
		return ""
	}
	lines := make([]string, 0, len(status.Attempts))
	for _, at := range status.Attempts {
		text := fmt.Sprintf("%d: ran %s", at.Number, elapsed(timeOf(at.StartTime), timeOf(at.FinishTime), now))
		if at.StartTime == nil {
			text = fmt.Sprintf("%d: did not run", at.Number)
		}
		if at.Node != "" {
			text += " on " + at.Node
		}
		if at.Reason != "" {
			text += ", " + string(at.Reason)
		}
		if at.ExitCode != nil {
			text += fmt.Sprintf(", exit code %d", *at.ExitCode)
		}
		lines = append(lines, text)
	}
	return strings.Join(lines, "\n")
}

// describeRecord is what people want to know of a job whose object is gone.
func describeRecord(r *history.JobRecord, now time.Time) []field {
	spec, status := &r.Spec, &r.Status
	fields := []field{
		{"Name", spec.Job}, {"Project", spec.Project}, {"State", stateText(v1alpha1.JobPhase(status.Phase), status.Reason)}, {"Message", status.Message},
		{"Description", spec.Description}, {"Tags", strings.Join(spec.Tags, ", ")}, {"Owner", spec.User},
		{"Image", spec.Image}, {"Digest", spec.ImageDigest},
		{"Entry point", commandLine(spec.Command)}, {"Command", commandLine(spec.Args)},
		{"Preset", spec.Preset}, {"Energy schedule", spec.EnergySchedule}, {"Cluster", spec.Cluster}, {"Node", status.Node},
		{"Submitted", describeTime(status.SubmitTime.Time, now)},
		{"Started", describeTime(timeOf(status.StartTime), now)},
		{"Ended", describeTime(timeOf(status.FinishTime), now)},
		{"Ran", recordRan(status).text(now)},
		{"Object deleted", describeTime(timeOf(status.DeletedTime), now)},
	}
	if spec.GPUs > 0 {
		fields = append(fields, field{"GPUs", strings.TrimSpace(fmt.Sprintf("%d %s", spec.GPUs, spec.GPUModel))})
	}
	if status.ExitCode != nil {
		fields = append(fields, field{"Exit code", fmt.Sprint(*status.ExitCode)})
	}
	if status.Cost != nil {
		fields = append(fields, field{"Cost", strings.TrimSpace(status.Cost.Amount + " " + status.Cost.Currency)})
	}
	if e := status.Energy; e != nil {
		fields = append(fields, field{"Energy", energyText(e.WattHours, e.CO2Grams)})
	}
	lines := make([]string, 0, len(status.Transitions))
	for _, t := range status.Transitions {
		lines = append(lines, t.Time.Local().Format(time.DateTime)+" "+stateText(v1alpha1.JobPhase(t.Phase), t.Reason))
	}
	return append(fields, field{"Life", strings.Join(lines, "\n")})
}

func describeTime(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return fmt.Sprintf("%s (%s ago)", t.Local().Format(time.DateTime), ago(t, now))
}

// commandLine writes words as a shell would read them.
func commandLine(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		if quoted[i] = word; word == "" || strings.ContainsAny(word, " \t\n\"'$`\\|&;<>()*?[]#~!{}") {
			quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return shorten(strings.Join(quoted, " "), 1000)
}
