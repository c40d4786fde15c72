package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// submitFlags say how a job is submitted and what happens then.
type submitFlags struct {
	detach, quiet, wait bool
	dryRun, timeout     string
	output              output
}

func (f *submitFlags) addTo(c *cobra.Command) {
	flags := c.Flags()
	flags.BoolVarP(&f.detach, "detach", "d", false, "submit the job, print its name and end")
	flags.BoolVar(&f.wait, "wait", false, "with --detach: end when the job runs")
	addTimeout(c, &f.timeout, "with --wait: ")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "show no progress")
	flags.StringVar(&f.dryRun, "dry-run", "", "print the job instead of submitting it: client, or server, which checks it too")
	f.output.addTo(c)
	must(c.RegisterFlagCompletionFunc("dry-run", cobra.FixedCompletions([]string{"client", "server"}, cobra.ShellCompDirectiveNoFileComp)))
}

func (f *submitFlags) check(c *cobra.Command) error {
	switch {
	case f.dryRun != "" && f.dryRun != "client" && f.dryRun != "server":
		return usageError(c, fmt.Errorf("--dry-run is client or server, not %q", f.dryRun))
	case f.wait && !f.detach:
		return usageError(c, fmt.Errorf("--wait needs --detach: without it the command waits for the job's end"))
	case f.timeout != "" && !f.wait:
		return usageError(c, fmt.Errorf("--timeout needs --wait; --schedule-timeout limits how long the job itself waits for its start"))
	case f.output.format != "" && f.dryRun == "" && !f.detach:
		return usageError(c, fmt.Errorf("-o needs --detach or --dry-run: otherwise standard output is the job's"))
	}
	_, cancel, err := limited(c.Context(), f.timeout)
	if err != nil {
		return usageError(c, err)
	}
	cancel()
	return f.output.check(c)
}

// submit creates the job and, unless it is detached, shows its progress and output and ends with its exit code.
func (a *app) submit(ctx context.Context, f *submitFlags, job *v1alpha1.Job) error {
	job.APIVersion, job.Kind = v1alpha1.GroupVersion.String(), "Job"
	c, err := a.connect()
	if err != nil && f.dryRun != "client" {
		return err
	}
	if err == nil {
		job.Namespace = c.project
	}
	if f.dryRun == "client" {
		return f.printManifest(a.out, job, job.Spec.SubmittedBy)
	}
	if err := a.checkSubmitter(ctx, job); err != nil {
		return err
	}
	u, err := a.create(ctx, jobs, job.Namespace, job, f.dryRun == "server")
	if err != nil {
		return err
	}
	if f.dryRun == "server" {
		return f.printManifest(a.out, u, job.Spec.SubmittedBy)
	}
	made, err := decode[v1alpha1.Job](u)
	if err != nil {
		return err
	}
	if !f.detach {
		return a.runToEnd(ctx, made, f.quiet)
	}
	if !f.output.table() {
		err = f.output.object(a.out, u)
	} else {
		_, err = fmt.Fprintln(a.out, made.Name)
	}
	if err != nil {
		return err
	}
	if !f.quiet && a.style.terminal {
		a.sayHowToComeBack(made.Name)
	}
	if !f.wait {
		return nil
	}
	ctx, cancel, err := limited(ctx, f.timeout)
	if err != nil {
		return err
	}
	defer cancel()
	_, err = a.waitForJob(ctx, made, forRunning)
	return err
}

// checkSubmitter fails where a job would not count as that of whom it names: unless that one lets them, Soma records who submits it
// instead. It asks without submitting it.
func (a *app) checkSubmitter(ctx context.Context, job *v1alpha1.Job) error {
	wanted := job.Spec.SubmittedBy
	if wanted == "" {
		return nil
	}
	u, err := a.create(ctx, jobs, job.Namespace, job, true)
	if err != nil {
		return err
	}
	would, err := decode[v1alpha1.Job](u)
	if err != nil || would.Spec.SubmittedBy == wanted {
		return err
	}
	return fmt.Errorf("the job would be yours, %s, and not that of %s\n%[2]s has to let you by \"%[3]s user delegate add NAME\", and to have the right to run jobs in project %[4]q",
		would.Spec.SubmittedBy, wanted, a.program, job.Namespace)
}

// printManifest prints the job as it is kept in Git and applied, with the submitter whom it is to name; as YAML where nothing else is said.
func (f *submitFlags) printManifest(w io.Writer, object runtime.Object, submitter string) error {
	printed := f.output
	if printed.table() {
		printed.format = "yaml"
	}
	u, err := toUnstructured(object)
	if err != nil {
		return err
	}
	// What admission writes by itself has no place in a manifest, which others apply too.
	unstructured.RemoveNestedField(u.Object, "metadata", "finalizers")
	if submitter == "" {
		unstructured.RemoveNestedField(u.Object, "spec", "submittedBy")
	}
	unstructured.RemoveNestedField(u.Object, "spec", "submittedThrough")
	return printed.object(w, u)
}

// runToEnd shows the job's progress on standard error and its output on standard output, until it ended.
func (a *app) runToEnd(ctx context.Context, job *v1alpha1.Job, quiet bool) error {
	progress, style := a.err, a.style
	if quiet {
		progress, style = io.Discard, styleFor(io.Discard, func(string) string { return "" })
	}
	live := newLiveLine(progress, style)
	defer live.close()
	live.show(line{text: fmt.Sprintf("Job %s submitted to project %s", job.Name, job.Namespace), lasting: true})

	told := &teller{live: live, leave: a.howToLeave(job.Name), said: narrator{last: submitted}} // that it is submitted is told already
	last, err := a.attach(ctx, job, live.over(a.out), logOptions{tail: -1, rank: -1, begins: told.begins}, told.see)
	live.close()
	switch {
	case ctx.Err() != nil:
		if !quiet {
			fmt.Fprintf(a.err, "\nDetached; job %s goes on.\n", job.Name)
			a.sayHowToComeBack(job.Name)
		}
		return exitWith(exitInterrupted)
	case last.Status.Phase.Finished():
		if !quiet {
			end := describeEnd(&last.Status)
			fmt.Fprintln(a.err, a.style.tone(end.tone, end.text))
			if last.Status.Phase == v1alpha1.JobFailed {
				fmt.Fprintf(a.err, "%s %s\n", a.style.dim("what to do:"), a.command("explain "+job.Name))
			}
		}
		if err != nil && !errors.Is(err, errGone) {
			fmt.Fprintf(a.err, "%s %v\n", a.style.warn("warning:"), err)
		}
		return exitWith(jobExitCode(&last.Status))
	case errors.Is(err, errGone):
		return a.gone(ctx, job, &exitError{code: exitCancelled, err: fmt.Errorf("job %q was deleted before its end", job.Name)})
	default:
		return err
	}
}

func (a *app) sayHowToComeBack(name string) {
	fmt.Fprintf(a.err, "  see its output:  %s\n  how it stands:   %s\n  end it:          %s\n",
		a.command("logs -f "+name), a.command("status "+name), a.command("kill "+name))
}

// howToLeave is what a person can do about a job that cannot start until somebody changes something.
func (a *app) howToLeave(name string) string {
	return fmt.Sprintf("\n  It waits until that changes, also when you leave it by Ctrl-C.\n  what to do:      %s\n  end it:          %s",
		a.command("explain "+name), a.command("kill "+name))
}

// command is a command line that the user can type, with the flags that lead to the same place.
func (a *app) command(rest string) string {
	words := []string{a.program}
	for _, f := range []struct{ flag, value string }{
		{"--kubeconfig", a.kube.kubeconfig}, {"--context", a.kube.context}, {"--project", a.kube.project},
	} {
		if f.value != "" {
			words = append(words, f.flag, f.value)
		}
	}
	return strings.Join(append(words, rest), " ")
}
