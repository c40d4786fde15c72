package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/test/performance/scrape"
)

const (
	systemNamespace = "soma-system"
	// poll is how often something is looked at that is waited for, readyTime how long that may take, endTime how long a process
	// may take to end.
	poll      = 100 * time.Millisecond
	readyTime = 5 * time.Minute
	endTime   = 30 * time.Second
	startTime = 2 * time.Minute
)

// plane is an etcd and an API server that run for one measurement, new and empty, and the scheduler that is measured.
type plane struct {
	client.WithWatch
	rest        rest.Interface
	environment *envtest.Environment
	system      system
	kubeconfig  string
	// etcd, server and scheduler are their processes.
	etcd, server, scheduler process
	command                 *exec.Cmd
	ended                   chan error
}

func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	return scheme, errors.Join(clientgoscheme.AddToScheme(scheme), platformv1.AddToScheme(scheme))
}

// startPlane starts an API server that knows the kinds of a system.
func startPlane(assets string, s system) (p *plane, err error) {
	scheme, err := newScheme()
	utilruntime.Must(err)
	p = &plane{system: s, environment: &envtest.Environment{
		Scheme: scheme, BinaryAssetsDirectory: assets, CRDDirectoryPaths: s.crds(), ErrorIfCRDPathMissing: true,
		ControlPlaneStartTimeout: startTime, ControlPlaneStopTimeout: startTime,
	}}
	// The bounds are those of Kueue's own performance test. Nobody here takes taints off new nodes.
	p.environment.ControlPlane.GetAPIServer().Configure().
		Append("max-requests-inflight", "5000").Append("max-mutating-requests-inflight", "2500").
		Append("disable-admission-plugins", "TaintNodesByCondition")
	config, err := p.environment.Start()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the API server: %w", err), p.environment.Stop())
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.stop())
		}
	}()
	admin, err := p.environment.AddUser(envtest.User{Name: "admin", Groups: []string{"system:masters"}}, nil)
	if err != nil {
		return p, fmt.Errorf("make a user: %w", err)
	}
	text, err := admin.KubeConfig()
	if err != nil {
		return p, fmt.Errorf("make a kubeconfig: %w", err)
	}
	p.kubeconfig = filepath.Join(p.environment.ControlPlane.APIServer.CertDir, "measurement.kubeconfig")
	if err := os.WriteFile(p.kubeconfig, text, 0o600); err != nil {
		return p, err
	}
	config.QPS = -1
	if p.WithWatch, err = client.NewWithWatch(config, client.Options{Scheme: scheme}); err != nil {
		return p, err
	}
	config.NegotiatedSerializer = clientgoscheme.Codecs.WithoutConversion()
	if p.rest, err = rest.UnversionedRESTClientFor(config); err != nil {
		return p, err
	}
	if p.etcd, err = child("etcd"); err != nil {
		return p, err
	}
	p.server, err = child("kube-apiserver")
	return p, err
}

// startScheduler starts the system, with some more arguments.
func (p *plane) startScheduler(args ...string) error {
	command, err := p.system.command()
	if err != nil {
		return err
	}
	command.Args = append(command.Args, args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+p.kubeconfig)
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
	p.command, p.ended, p.scheduler = command, ended, process(command.Process.Pid)
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

func (p *plane) stop() error { return errors.Join(p.stopScheduler(), p.environment.Stop()) }

// writes are the writes at the API server so far.
func (p *plane) writes(ctx context.Context) (scrape.Counts, error) {
	body, err := p.rest.Get().AbsPath("/metrics").SetHeader("Accept", "text/plain").Stream(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the metrics of the API server: %w", err)
	}
	defer func() { _ = body.Close() }()
	points, err := scrape.Parse(body, "apiserver_request_total")
	if err != nil {
		return nil, err
	}
	all := scrape.Counts{}
	for _, point := range points {
		if request := scrape.WriteOf(point.Labels); request != "" {
			all[request] += point.Value
		}
	}
	return all, nil
}
