package report

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Main is the main function of a program that measures. An interrupt ends what it does, a second one ends it at once.
func Main(name string, measure func(context.Context) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if err := measure(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

// Run is a measurement while it is made: what it has found, and what that is held against at its end.
type Run struct {
	Result
	path    string
	budgets []Budget
	// began is when it was first told how far the run is.
	began time.Time
}

// BudgetsFlag lets the command line name a file of budgets.
func (r *Run) BudgetsFlag() {
	flag.StringVar(&r.path, "budgets", "", "file of budgets to check; a figure over its budget fails the run")
}

// Begin begins the measurement of what stands in the columns. It reads the budgets.
func (r *Run) Begin(columns ...Column) (err error) {
	r.Columns = columns
	r.budgets, err = ReadBudgets(r.path, columns)
	return err
}

// Say tells how far the run is, on the side: the result alone goes to the standard output.
func (r *Run) Say(format string, args ...any) {
	if r.began.IsZero() {
		r.began = time.Now()
	}
	fmt.Fprintf(os.Stderr, "%5.0fs  %s\n", time.Since(r.began).Seconds(), fmt.Sprintf(format, args...))
}

// End prints what was found, which is of use also where the rest failed, and after it other tables. It returns that failure, or
// else which figures miss their budgets.
func (r *Run) End(failure error, others ...string) error {
	fmt.Print(r.Table("", r.budgets))
	for _, table := range others {
		if table != "" {
			fmt.Print("\n", table)
		}
	}
	if failure != nil {
		return failure
	}
	return r.Check(r.budgets)
}
