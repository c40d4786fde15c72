package cluster

import (
	"errors"
	"fmt"
	"os"
	"text/tabwriter"
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

// Stop ends one process of a running cluster; the next Up starts it again.
func (c *Cluster) Stop(name string) error {
	if _, err := c.processes.Get(name); errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("the cluster has no process %q; `status` lists them", name)
	}
	return c.processes.Stop(name)
}
