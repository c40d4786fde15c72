package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/test/performance/server"
)

const (
	systemNamespace = "soma-system"
	// poll is how often something is looked at that is waited for, readyTime how long that may take, endTime how long a process
	// may take to end.
	poll      = 100 * time.Millisecond
	readyTime = 5 * time.Minute
	endTime   = 30 * time.Second
)

// plane is an API server that runs for one measurement, and the scheduler that is measured.
type plane struct {
	*server.Server
	system system
	// scheduler is its process.
	scheduler server.Process
	command   *exec.Cmd
	ended     chan error
}

func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	return scheme, errors.Join(clientgoscheme.AddToScheme(scheme), platformv1.AddToScheme(scheme))
}

// startPlane starts an API server that knows the kinds of a system.
func startPlane(assets string, s system) (*plane, error) {
	scheme, err := newScheme()
	utilruntime.Must(err)
	started, err := server.Start(assets, scheme, s.crds(), map[string]string{
		// The bounds are those of Kueue's own performance test. Nobody here takes taints off new nodes.
		"max-requests-inflight": "5000", "max-mutating-requests-inflight": "2500", "disable-admission-plugins": "TaintNodesByCondition",
	})
	return &plane{Server: started, system: s}, err
}

// startScheduler starts the system, with some more arguments.
func (p *plane) startScheduler(args ...string) error {
	command, err := p.system.command()
	if err != nil {
		return err
	}
	command.Args = append(command.Args, args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+p.Kubeconfig)
	var words bytes.Buffer
	command.Stdout, command.Stderr = &words, &words
	// It ends with the measurement, also where that is killed.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.system.title(), err)
	}
	ended := make(chan error, 1)
	go func() {
		if err := command.Wait(); err != nil {
			ended <- fmt.Errorf("%s ended: %w: %s", p.system.title(), err, last(words.Bytes()))
		}
		close(ended)
	}()
	p.command, p.ended, p.scheduler = command, ended, server.Process(command.Process.Pid)
	return nil
}

// last is the end of what a process said.
func last(words []byte) []byte { return words[max(0, len(words)-2000):] }

// stopScheduler ends the system and waits for its end.
func (p *plane) stopScheduler() error {
	if p.command == nil {
		return nil
	}
	_ = p.command.Process.Signal(syscall.SIGTERM) // it may have ended already
	defer func() { p.command = nil }()
	select {
	case err := <-p.ended:
		return err
	case <-time.After(endTime):
		return p.command.Process.Kill()
	}
}

func (p *plane) stop() error { return errors.Join(p.stopScheduler(), p.Stop()) }
