package cli

import (
	"context"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
)

func newClone(a *app) *cobra.Command {
	var edits jobFlags
	var submit submitFlags
	var image string
	c := &cobra.Command{
		Use:   "clone JOB [flags] [-- COMMAND...]",
		Short: "Run a job again, with edits",
		Long: `Submit a job with the settings of another, also of one whose object is gone and that only the history knows.

Flags change single settings; variables and volumes are added or replaced one by one. COMMAND replaces the arguments.`,
		Example: a.examples(
			"clone train-x7k2p", "the same again",
			"clone train-x7k2p --preset gpu-large -e LR=0.001", "larger, with another learning rate",
			"clone train-x7k2p -- python train.py --epochs 20", "with another command",
		),
		ValidArgsFunction: once(a.allJobNames(), nil),
		RunE: func(c *cobra.Command, args []string) error {
			name, command, err := splitCommand(c, args, "the name of the job")
			if err != nil {
				return usageError(c, err)
			}
			if err := submit.check(c); err != nil {
				return err
			}
			spec, err := a.specOf(c.Context(), name)
			if err != nil {
				return err
			}
			if image != "" {
				spec.Image = image
			}
			made, err := cloneJob(&edits, givenFlags(c.Flags()), name, spec, command)
			if err != nil {
				return usageError(c, err)
			}
			return a.submit(c.Context(), &submit, made)
		},
	}
	edits.addTo(c, a)
	c.Flags().StringVar(&image, "image", "", "another image")
	submit.addTo(c)
	return c
}

// cloneJob makes a job like the one of the name, edited as the flags say. What belongs to the life of the other job, as
// who submitted it and whether it was cancelled, is left out.
func cloneJob(f *jobFlags, given func(string) bool, name string, spec *v1alpha1.JobSpec, command []string) (*v1alpha1.Job, error) {
	name, err := f.jobName(cloneStem(name))
	if err != nil {
		return nil, err
	}
	job := &v1alpha1.Job{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: *spec.DeepCopy()}
	job.Spec.SubmittedBy, job.Spec.SubmittedThrough, job.Spec.CancelledBy, job.Spec.Cancel, job.Spec.Suspend = "", "", "", nil, nil
	if len(command) > 0 {
		job.Spec.Args = command
	}
	return job, f.apply(&job.Spec, given)
}

// specOf finds the settings of a job: its object's, or those that the history recorded.
func (a *app) specOf(ctx context.Context, name string) (*v1alpha1.JobSpec, error) {
	job, _, err := a.getJob(ctx, name)
	if err == nil {
		return &job.Spec, nil
	}
	if !unseen(err) {
		return nil, err
	}
	record, historyError := a.findRecord(ctx, name)
	switch {
	case record == nil && historyError == nil, unseen(historyError):
		return nil, err
	case historyError != nil:
		return nil, unknownJob(name, historyError)
	}
	return recordedSpec(record)
}
