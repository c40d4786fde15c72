package cluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"text/tabwriter"

	"github.com/soma-platform/soma/hack/devcluster/internal/process"
)

// ErrNotUp means that the cluster, or a part of it, does not run.
var ErrNotUp = errors.New("not all of the cluster runs; `up` brings up what does not")

// Status prints each process and whether it runs.
func (c *Cluster) Status() error {
	records, err := c.processes.List()
	if err != nil {
		return err
	}
	if len(records) == 0 {
		return fmt.Errorf("%s: %w", c.Dir, ErrNotUp)
	}
	table := tabwriter.NewWriter(c.progress.Out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "NAME\tPID\tSTATE\tLOG")
	all := true
	for _, record := range records {
		state := "running"
		if !record.Alive() {
			state, all = "ended", false
		}
		_, _ = fmt.Fprintf(table, "%s\t%d\t%s\t%s\n", record.Name, record.PID, state, record.Log)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if !all {
		return ErrNotUp
	}
	return nil
}

// Run starts a program beside the cluster, or again when its command changed; Down ends it.
func (c *Cluster) Run(name string, args []string) error {
	if running, err := c.running(); err != nil || !running {
		return errors.Join(err, ErrNotUp)
	}
	program, err := exec.LookPath(args[0])
	if err != nil {
		return err
	}
	if program, err = filepath.Abs(program); err != nil {
		return err
	}
	_, err = c.processes.Ensure(process.Spec{Name: name, Path: program, Args: args[1:], Env: os.Environ(), Log: c.log(name)})
	return err
}

// Stop ends one process of a running cluster; the next Up starts it again.
func (c *Cluster) Stop(name string) error {
	if _, err := c.processes.Get(name); errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("the cluster has no process %q; `status` lists them", name)
	}
	return c.processes.Stop(name)
}
