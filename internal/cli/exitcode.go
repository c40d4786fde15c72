package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// The exit codes of the command line. Any other code is that of the job.
const (
	exitOK          = 0
	exitFailure     = 1   // the command failed, or a job without an exit code did
	exitUsage       = 2   // the command was called wrongly
	exitTimeout     = 124 // a time limit was reached, as timeout(1) says it
	exitNoCommand   = 127 // the command of exec does not exist, as a shell says it
	exitInterrupted = 130 // Ctrl-C
	exitCancelled   = 143 // the job was cancelled, as a program ended by SIGTERM
)

// exitError ends the command with a code, and says why where err is given.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// exitWith returns the error that ends the command silently with the code, nil for 0.
func exitWith(code int) error {
	if code == exitOK {
		return nil
	}
	return &exitError{code: code}
}

// usageError tells that the command was called wrongly, and where to read how it is called.
func usageError(c *cobra.Command, err error) error {
	var exit *exitError
	if errors.As(err, &exit) {
		return err
	}
	return &exitError{code: exitUsage, err: fmt.Errorf("%w\nsee %q", err, displayPath(c)+" --help")}
}

// displayPath is the command's path as the user types it.
func displayPath(c *cobra.Command) string { return c.CommandPath() }

// usageArgs makes errors about arguments errors of usage.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return usageError(c, err)
		}
		return nil
	}
}

// noArgs wants no arguments.
func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%q is too much: it takes no arguments", args[0])
	}
	return nil
}

// atMostOneArg wants one argument or none.
func atMostOneArg(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return fmt.Errorf("at most one argument is wanted, not %d", len(args))
	}
	return nil
}

// neverRan are the reasons for which a job ends without its program having run.
var neverRan = map[v1alpha1.JobReason]bool{
	v1alpha1.JobReasonErrImagePull: true, v1alpha1.JobReasonImagePullBackOff: true, v1alpha1.JobReasonImageNotFound: true,
	v1alpha1.JobReasonImageUnauthorized: true, v1alpha1.JobReasonInvalidImageName: true,
	v1alpha1.JobReasonDiskUnavailable: true, v1alpha1.JobReasonPolicyDenied: true,
}

// jobExitCode is the exit code with which a command ends that waited for the end of the job.
func jobExitCode(status *v1alpha1.JobStatus) int {
	switch {
	case status.Phase == v1alpha1.JobSucceeded:
		return exitOK
	case status.Reason == v1alpha1.JobReasonScheduleTimeout, status.Reason == v1alpha1.JobReasonLifeSpanEnded:
		return exitTimeout
	case status.Phase == v1alpha1.JobCancelled:
		return exitCancelled
	case neverRan[status.Reason]:
		return exitFailure // an exit code would be that of a container which was taken down again
	case status.ExitCode != nil && *status.ExitCode > 0 && *status.ExitCode < 256:
		return int(*status.ExitCode)
	default:
		return exitFailure
	}
}

// oneArg wants exactly one argument, of which subject says what it is.
func oneArg(subject string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) > 1 {
			return fmt.Errorf("one argument is wanted, %s, not %d", subject, len(args))
		}
		return someArgs(subject)(c, args)
	}
}

// someArgs wants one argument or more.
func someArgs(subject string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return fmt.Errorf("%s is missing", subject)
		}
		return nil
	}
}

// twoArgs wants exactly two arguments, of which the subjects say what they are.
func twoArgs(first, second string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return fmt.Errorf("%s is missing", first)
		case 1:
			return fmt.Errorf("%s is missing", second)
		case 2:
			return nil
		}
		return fmt.Errorf("two arguments are wanted, %s and %s, not %d", first, second, len(args))
	}
}
