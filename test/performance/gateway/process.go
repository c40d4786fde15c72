package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a program that is measured.
type process struct {
	command *exec.Cmd
	ended   chan struct{}
}

// start starts a program, on the first core alone where pinned is set, and waits until it answers at an address.
func (b *bench) start(ctx context.Context, pinned bool, ready string, environment []string, program string, arguments ...string) (*process, error) {
	if pinned {
		environment = append(environment, "GOMAXPROCS=1")
		program, arguments = "taskset", append([]string{"-c", "0", program}, arguments...)
	}
	var said bytes.Buffer
	command := exec.Command(program, arguments...) //nolint:gosec // what the person who measures names
	command.Env = append(os.Environ(), environment...)
	command.Stdout, command.Stderr = &said, &said
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	p := &process{command: command, ended: make(chan struct{})}
	go func() { _ = command.Wait(); close(p.ended) }()
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{TLSClientConfig: unverified(), DisableKeepAlives: true}}
	err := b.until(ctx, func(ctx context.Context) bool {
		select {
		case <-p.ended:
			return true
		default:
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, ready, nil)
		if err != nil {
			return false
		}
		response, err := client.Do(request)
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	select {
	case <-p.ended:
		return nil, fmt.Errorf("%s ended: %s", program, said.String())
	default:
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s is not ready: %w", program, err), p.stop())
	}
	return p, nil
}

// startGateway starts the gateway.
func (b *bench) startGateway(ctx context.Context, pinned bool) (*process, error) {
	file, err := b.writeGatewayConfig()
	if err != nil {
		return nil, err
	}
	return b.start(ctx, pinned, b.externalURL()+"/readyz", []string{"KUBECONFIG=" + b.kubeconfig, "SOMA_DATABASE_URL=" + b.audit}, b.gateway,
		"--config="+file, "--bind-address="+strings.TrimPrefix(b.externalURL(), "https://"), "--namespace=soma-system",
		"--tls-cert-file="+b.identity.CertificateFile, "--tls-private-key-file="+b.identity.KeyFile)
}

// startOAuth2Proxy starts oauth2-proxy with the same identity provider and the same certificate, sessions in cookies, and no
// log of requests.
func (b *bench) startOAuth2Proxy(ctx context.Context) (*process, error) {
	return b.start(ctx, true, b.oauth2URL()+"/ping", nil, b.oauth2Proxy,
		"--provider=oidc", "--oidc-issuer-url="+b.identity.Issuer, "--client-id="+oauth2Proxy, "--client-secret="+clientSecret,
		"--provider-ca-file="+b.identity.CAFile, "--redirect-url="+b.oauth2URL()+"/oauth2/callback", "--email-domain=*",
		"--cookie-secret=0123456789abcdef0123456789abcdef", "--upstream=static://202", "--reverse-proxy=true", "--set-xauthrequest=true",
		"--skip-provider-button=true", "--approval-prompt=auto", "--request-logging=false", "--auth-logging=false", "--http-address=-",
		"--https-address="+strings.TrimPrefix(b.oauth2URL(), "https://"), "--tls-cert-file="+b.identity.CertificateFile, "--tls-key-file="+b.identity.KeyFile)
}

// stop ends the program as one is ended that is to finish.
func (p *process) stop() error {
	err := p.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		return nil
	case <-time.After(time.Minute):
		return errors.Join(err, p.command.Process.Kill())
	}
}

// memory is how many bytes of memory the program has resident.
func (p *process) memory() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, fmt.Errorf("no memory in %q", text)
	}
	pages, err := strconv.ParseFloat(fields[1], 64)
	return pages * float64(os.Getpagesize()), err
}

// unverified believes any certificate: what answers was started here.
func unverified() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12} //nolint:gosec // see above
}
