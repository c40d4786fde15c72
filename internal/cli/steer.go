package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// steering is a command that sets one field of jobs: kill, suspend, resume.
type steering struct {
	use, short, long string
	aliases          []string
	field            string
	value            bool
	from             []v1alpha1.JobPhase
	// says is what is said of the job as it was found.
	says func(job *v1alpha1.Job) string
}

func newKill(a *app) *cobra.Command { return a.newSteering(killing()) }

func killing() steering {
	return steering{
		use: "kill JOB...", aliases: []string{"cancel"}, short: "End jobs for good",
		long:  "End jobs for good. Their programs get a SIGTERM, and a SIGKILL if they have not ended after a while. The record is kept; the\noutput goes with the pods, so save what you need of it before.",
		field: "cancel", value: true, from: stateWords["active"],
		says: func(job *v1alpha1.Job) string {
			if job.Spec.CancelRequested() {
				return "is being ended already"
			}
			return "is being ended"
		},
	}
}

func newSuspend(a *app) *cobra.Command { return a.newSteering(suspending()) }

func suspending() steering {
	return steering{
		use: "suspend JOB...", short: "End the pods of jobs and keep the jobs",
		long:  "End the pods of jobs and keep the jobs. What a job did not save is lost, its output too; it starts anew when it is resumed.",
		field: "suspend", value: true, from: []v1alpha1.JobPhase{v1alpha1.JobPending, v1alpha1.JobRunning},
		says: func(job *v1alpha1.Job) string {
			switch {
			case job.Status.Phase == v1alpha1.JobSuspended && job.Spec.SuspendRequested():
				return "is suspended already"
			case job.Spec.SuspendRequested():
				return "is being suspended already"
			default:
				return "is being suspended"
			}
		},
	}
}

func newResume(a *app) *cobra.Command { return a.newSteering(resuming()) }

func resuming() steering {
	return steering{
		use: "resume JOB...", short: "Start suspended jobs again",
		long:  "Let suspended jobs wait for their start again, as their next attempts. Where the pods of the last attempt still end, that\nis waited for.",
		field: "suspend", value: false, from: []v1alpha1.JobPhase{v1alpha1.JobSuspended},
		says: func(job *v1alpha1.Job) string {
			switch {
			case !job.Spec.SuspendRequested():
				return "is not suspended"
			case job.Status.Phase != v1alpha1.JobSuspended && job.Status.Reservation != nil:
				return "is resumed; it starts again when the pods of its last attempt have ended"
			default:
				return "is resumed"
			}
		},
	}
}

func (a *app) newSteering(s steering) *cobra.Command {
	var out output
	c := &cobra.Command{
		Use: s.use, Aliases: s.aliases, Short: s.short, Long: s.long,
		Args:              someArgs("the name of a job"),
		ValidArgsFunction: a.jobNames(s.from...),
		RunE: func(c *cobra.Command, names []string) error {
			if err := out.check(c); err != nil {
				return err
			}
			var all error
			for _, name := range names {
				all = errors.Join(all, a.steer(c.Context(), s, name, &out))
			}
			return all
		},
	}
	out.addTo(c)
	return c
}

// steer sets the field of one job. A job that ended already is told, and left as it is.
func (a *app) steer(ctx context.Context, s steering, name string, out *output) error {
	job, _, err := a.getJob(ctx, name)
	if err != nil {
		return err
	}
	if job.Status.Phase.Finished() {
		return fmt.Errorf("job %q has ended already: %s\nrun it again with \"%s\"", name, describeEnd(&job.Status).text, a.command("clone "+name))
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": job.UID}, // not another job of the same name
		"spec":     map[string]any{s.field: s.value},
	})
	if err != nil {
		return err
	}
	ctx, cancel := a.request(ctx)
	defer cancel()
	options := metav1.PatchOptions{FieldValidation: metav1.FieldValidationStrict, FieldManager: "soma"}
	u, err := a.clients.dynamic.Resource(jobs).Namespace(job.Namespace).Patch(ctx, name, types.MergePatchType, patch, options)
	if err != nil {
		return a.explainError(ctx, err, jobs, job.Namespace, name)
	}
	if !out.table() {
		return out.object(a.out, u)
	}
	_, err = fmt.Fprintf(a.out, "%s %s\n", name, s.says(job))
	return err
}
