package cli

import (
	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
)

func newRun(a *app) *cobra.Command {
	var job jobFlags
	var submit submitFlags
	c := &cobra.Command{
		Use:   "run [flags] IMAGE [-- COMMAND...]",
		Short: "Submit a job, see its output and end with its exit code",
		Long: `Submit a job, show how it stands on standard error and its output on standard output, and end with its exit code.

COMMAND replaces the arguments of the image, as with docker run; --entrypoint replaces its entry point.
Ctrl-C leaves the job running and says how to come back to it and how to end it.

Exit codes: the job's own; 0 success; 1 the job failed without an exit code, or the command failed; 2 wrong usage;
124 the job's schedule timeout or life span ended; 130 Ctrl-C; 143 the job was cancelled.`,
		Example: a.examples(
			"run --preset gpu-small pytorch -- python train.py", "by a preset of the cluster",
			"run --cpu 4 --memory 16Gi --gpu 1 pytorch -- python train.py", "with its own size",
			"run -e HF_TOKEN=secret:hugging-face/token IMAGE", "with a value of a secret",
			"run -v scratch:50Gi:/data IMAGE", "with scratch space",
			"run -d --name train IMAGE", "in the background",
			"run --dry-run=client -o yaml IMAGE > job.yaml", "a manifest to apply from Git",
		),
		ValidArgsFunction: once(a.ofJobs(imageOf), nil),
		RunE: func(c *cobra.Command, args []string) error {
			image, command, err := splitCommand(c, args, "the image")
			if err != nil {
				return usageError(c, err)
			}
			if err := submit.check(c); err != nil {
				return err
			}
			made, err := newJob(&job, givenFlags(c.Flags()), image, command)
			if err != nil {
				return usageError(c, err)
			}
			return a.submit(c.Context(), &submit, made)
		},
	}
	job.addTo(c, a)
	submit.addTo(c)
	return c
}

// newJob makes the job that the flags describe.
func newJob(f *jobFlags, given func(string) bool, image string, command []string) (*v1alpha1.Job, error) {
	if !given("life-span") {
		f.lifeSpan = defaultLifeSpan
		byUser := given
		given = func(flag string) bool { return flag == "life-span" || byUser(flag) }
	}
	name, err := f.jobName(nameStem(image))
	if err != nil {
		return nil, err
	}
	job := &v1alpha1.Job{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.JobSpec{Image: image, Args: command}}
	return job, f.apply(&job.Spec, given)
}
