// Package redis starts a throw-away Redis of the machine's own for tests, on a free loopback port and with nothing on disk.
package redis

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/soma-platform/soma/internal/testing/freeport"
)

// Server is a Redis that runs for a test.
type Server struct {
	// Address of the server.
	Address string

	port    int
	folder  string
	options []string
	command *exec.Cmd
	exited  chan error
}

// Start makes and starts a server. Stop it with Close.
func Start(ctx context.Context) (*Server, error) { return start(ctx) }

// StartTLS does the same with one that takes connections by TLS alone, with a certificate and its key in files.
func StartTLS(ctx context.Context, certFile, keyFile string) (*Server, error) {
	return start(ctx, "--tls-cert-file", certFile, "--tls-key-file", keyFile, "--tls-ca-cert-file", certFile, "--tls-auth-clients", "no")
}

func start(ctx context.Context, options ...string) (*Server, error) {
	port, err := freeport.Find()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "soma-redis-")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	s := &Server{Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), port: port, folder: folder, options: options}
	if err := s.Up(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Up starts the server, again if it was stopped with Down, with nothing in it, and waits until it answers.
func (s *Server) Up(ctx context.Context) error {
	if s.command != nil {
		return nil
	}
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return errors.New("there is no redis-server: `make up` installs it, or the package redis-server of Debian")
	}
	var output bytes.Buffer
	ports, asked := []string{"--port", strconv.Itoa(s.port)}, &redis.Options{Addr: s.Address, MaxRetries: -1}
	if len(s.options) > 0 {
		ports = []string{"--port", "0", "--tls-port", strconv.Itoa(s.port)}
		asked.TLSConfig = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // whether it answers at all
	}
	s.command = exec.Command(program, slices.Concat(ports, s.options, //nolint:gosec // what a test says
		[]string{"--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", s.folder})...)
	s.command.Stdout = &output
	if err := s.command.Start(); err != nil {
		s.command = nil
		return fmt.Errorf("start redis-server: %w", err)
	}
	s.exited = make(chan error, 1)
	go func(c *exec.Cmd, exited chan<- error) { exited <- c.Wait() }(s.command, s.exited)
	client := redis.NewClient(asked)
	defer client.Close() //nolint:errcheck // it was only read from
	err = wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, 20*time.Second, true, func(ctx context.Context) (bool, error) {
		select {
		case err := <-s.exited:
			s.command = nil
			return false, fmt.Errorf("redis-server ended at once: %w: %s", err, output.String())
		default:
		}
		return client.Ping(ctx).Err() == nil, nil
	})
	if err != nil {
		return fmt.Errorf("wait for redis-server: %w", err)
	}
	return nil
}

// Down stops the server at once; what was in it is lost.
func (s *Server) Down() error {
	if s.command == nil {
		return nil
	}
	if err := s.command.Process.Kill(); err != nil {
		return fmt.Errorf("stop redis-server: %w", err)
	}
	<-s.exited //nolint:errcheck // it was killed
	s.command = nil
	return nil
}

// Close stops the server and removes its folder.
func (s *Server) Close() error { return errors.Join(s.Down(), os.RemoveAll(s.folder)) }
