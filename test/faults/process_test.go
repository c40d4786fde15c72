package faults

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/soma-platform/soma/internal/testing/faultproxy"
)

// shortLease is how long a manager of these tests may be unheard of before another leads.
const shortLease = 3 * time.Second

// process is cmd/manager, which leads or waits until it can.
type process struct {
	proxy   *faultproxy.Proxy
	command *exec.Cmd
	ended   chan struct{}
}

// launch starts the program that `make build` made.
func (w *world) launch(prepare func(p *process)) (*process, error) {
	program := os.Getenv("SOMA_MANAGER")
	if program == "" {
		program = filepath.Join("..", "..", "bin", "manager")
	}
	if _, err := os.Stat(program); err != nil {
		return nil, fmt.Errorf("the manager's program is needed: run `make build`, or set SOMA_MANAGER: %w", err)
	}
	proxy, err := faultproxy.Start(w.server.Config, w.server.Scheme())
	if err != nil {
		return nil, err
	}
	kubeconfig, err := proxy.Kubeconfig()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp(w.folder, "manager-")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(folder, "kubeconfig")
	if err := os.WriteFile(file, kubeconfig, 0o600); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	output, err := os.Create(filepath.Join(folder, "output"))
	if err != nil {
		return nil, err
	}
	p := &process{proxy: proxy, ended: make(chan struct{}), command: exec.Command(program, //nolint:gosec // the repository's own program
		"--kubeconfig="+file, "--namespace="+systemNamespace, "--leader-elect", "--leader-elect-lease-duration="+shortLease.String(),
		"--metrics-bind-address=0", "--health-probe-bind-address=0",
		"--webhook-host=127.0.0.1", "--webhook-port="+strconv.Itoa(port), "--cert-rotation=false", "--cert-dir="+folder)}
	p.command.Env = append(os.Environ(), "SOMA_DATABASE_URL="+w.historyURL)
	p.command.Stdout, p.command.Stderr = output, output
	// It ends with the test, also where the test is killed.
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if prepare != nil {
		prepare(p)
	}
	if err := p.command.Start(); err != nil {
		return nil, errors.Join(err, proxy.Close())
	}
	go func() {
		defer close(p.ended)
		_ = p.command.Wait() // how it ends is not what is looked at
		_ = output.Close()
		_ = p.proxy.Close()
	}()
	return p, nil
}

// signal sends a signal, unless the process has ended.
func (p *process) signal(signal syscall.Signal) {
	select {
	case <-p.ended:
	default:
		_ = p.command.Process.Signal(signal) // it may end at any moment
	}
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// pair are two processes, of which one leads and the other is ready to.
type pair struct {
	mutex sync.Mutex
	all   []*process
	// ended is called before the processes are ended.
	ended func()
}

func (c *pair) start(prepare func(p *process)) error {
	p, err := there.launch(prepare)
	if err != nil {
		return err
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.all = append(c.all, p)
	return nil
}

func (c *pair) proxies() []*faultproxy.Proxy {
	var all []*faultproxy.Proxy
	for _, p := range c.all {
		all = append(all, p.proxy)
	}
	return all
}

func (c *pair) end() error {
	if c.ended != nil {
		c.ended()
	}
	for _, p := range c.all {
		p.proxy.Disarm()
		p.signal(syscall.SIGCONT)
		p.signal(syscall.SIGTERM)
	}
	for _, p := range c.all {
		select {
		case <-p.ended:
		case <-time.After(patience):
			p.signal(syscall.SIGKILL)
			return errors.New("a manager did not end when it was told to")
		}
	}
	return nil
}
