package main

import (
	"context"
	"strings"

	"github.com/soma-platform/soma/internal/testing/process"
)

// start starts a program, on the first core alone where pinned is set, and waits until it answers at an address.
func (b *bench) start(ctx context.Context, pinned bool, ready string, environment []string, program string, arguments ...string) (*process.Process, error) {
	if pinned {
		environment = append(environment, "GOMAXPROCS=1")
		program, arguments = "taskset", append([]string{"-c", "0", program}, arguments...)
	}
	return process.Start(ctx, b.timeout, ready, environment, program, arguments...)
}

// startGateway starts the gateway.
func (b *bench) startGateway(ctx context.Context, pinned bool) (*process.Process, error) {
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
func (b *bench) startOAuth2Proxy(ctx context.Context) (*process.Process, error) {
	return b.start(ctx, true, b.oauth2URL()+"/ping", nil, b.oauth2Proxy,
		"--provider=oidc", "--oidc-issuer-url="+b.identity.Issuer, "--client-id="+oauth2Proxy, "--client-secret="+clientSecret,
		"--provider-ca-file="+b.identity.CAFile, "--redirect-url="+b.oauth2URL()+"/oauth2/callback", "--email-domain=*",
		"--cookie-secret=0123456789abcdef0123456789abcdef", "--upstream=static://202", "--reverse-proxy=true", "--set-xauthrequest=true",
		"--skip-provider-button=true", "--approval-prompt=auto", "--request-logging=false", "--auth-logging=false", "--http-address=-",
		"--https-address="+strings.TrimPrefix(b.oauth2URL(), "https://"), "--tls-cert-file="+b.identity.CertificateFile, "--tls-key-file="+b.identity.KeyFile)
}
