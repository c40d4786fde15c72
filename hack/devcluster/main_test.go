package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/soma-platform/soma/hack/devcluster/internal/cluster"
	"github.com/soma-platform/soma/hack/devcluster/internal/process"
)

// The test's own program is devcluster, when it is called so.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == isolate {
		main()
	}
	os.Exit(m.Run())
}

// A process whose first thread does not live on in the new program looks for a moment as if it had ended.
func TestIsolatedProgramNeverSeemsToHaveEnded(t *testing.T) {
	for range 20 {
		cmd := exec.Command(os.Args[0], isolate, "--", "/bin/sleep", "60")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		record, err := process.Observe(cmd.Process.Pid, "isolated", syscall.SIGKILL)
		if err != nil {
			t.Fatal(err)
		}
		for became := ""; became != "sleep" && !t.Failed(); {
			if !record.Alive() {
				t.Error("the process seems to have ended while it becomes another program")
			}
			name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", cmd.Process.Pid))
			if err != nil {
				t.Error(err)
			}
			became = strings.TrimSpace(string(name))
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			return
		}
	}
}

func TestNodes(t *testing.T) {
	tests := map[string]struct {
		want int
		err  bool
	}{
		"":      {want: cluster.AsBefore},
		"0":     {want: 0},
		"1000":  {want: 1000},
		"-1":    {err: true},
		"many":  {err: true},
		"99999": {err: true},
	}
	for text, test := range tests {
		got, err := nodes(text)
		if got != test.want || (err != nil) != test.err {
			t.Errorf("nodes(%q) = %d, %v; want %d, error %v", text, got, err, test.want, test.err)
		}
	}
}
