package server

import (
	"fmt"
	"os"

	"github.com/prometheus/procfs"
)

// Process is one by its number, of which /proc tells.
type Process int

// child is the process of a name that this one started.
func child(name string) (Process, error) {
	all, err := procfs.AllProcs()
	if err != nil {
		return 0, fmt.Errorf("look for %s: %w", name, err)
	}
	for _, p := range all {
		// What ended meanwhile is none of them.
		if stat, err := p.Stat(); err == nil && stat.PPID == os.Getpid() && stat.Comm == name {
			return Process(p.PID), nil
		}
	}
	return 0, fmt.Errorf("there is no process %s of this one", name)
}

// CPU is how many seconds of CPU it has used.
func (p Process) CPU() (float64, error) {
	proc, err := procfs.NewProc(int(p))
	if err != nil {
		return 0, err
	}
	stat, err := proc.Stat()
	return stat.CPUTime(), err
}

// Memory is the most that it held at a time, in bytes.
func (p Process) Memory() (float64, error) {
	proc, err := procfs.NewProc(int(p))
	if err != nil {
		return 0, err
	}
	status, err := proc.NewStatus()
	return float64(status.VmHWM), err
}
