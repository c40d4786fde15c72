// Package signin signs a command line in: it finds out from a gateway how, signs a person in at their identity provider by a
// browser or by a code for another device, keeps the tokens in a file and renews them.
package signin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// WellKnownPath is where a gateway tells how to sign in.
const WellKnownPath = "/.well-known/soma"

// CauseBarred is the cause, in the details of an answer of the gateway, for which somebody is not let in whose credentials are good.
const CauseBarred = "Barred"

const (
	maxAnswer  = 1 << 20
	askTimeout = 30 * time.Second
	maxIssuers = 16
)

// Discovery is what a gateway tells of itself.
type Discovery struct {
	// Gateway is its address.
	Gateway string `json:"gateway"`
	// Kubernetes is where it serves the API of Kubernetes with the caller's rights.
	Kubernetes string `json:"kubernetes"`
	// CA is the certificate authority of its certificate, in PEM; empty where machines know it.
	CA string `json:"ca,omitempty"`
	// Issuers are the identity providers at which command lines sign in.
	Issuers []Issuer `json:"issuers"`
}

// Issuer is an identity provider.
type Issuer struct {
	Name        string   `json:"name"`
	DisplayName string   `json:"displayName"`
	URL         string   `json:"url"`
	ClientID    string   `json:"clientID"`
	Scopes      []string `json:"scopes"`
	CA          string   `json:"ca,omitempty"`
}

// Whoami is who a gateway takes somebody for.
type Whoami struct {
	User        string    `json:"user"`
	DisplayName string    `json:"displayName,omitempty"`
	Groups      []string  `json:"groups,omitempty"`
	Via         string    `json:"via"`
	ExpiresAt   time.Time `json:"expiresAt"`
}

// Discover asks a gateway how to sign in. Its certificate is from the authority, in PEM, or from one that the machine knows.
func Discover(ctx context.Context, gateway string, ca []byte) (*Discovery, error) {
	gateway, err := Address(gateway)
	if err != nil {
		return nil, err
	}
	var found Discovery
	if err := get(ctx, gateway+WellKnownPath, "", ca, &found); err != nil {
		return nil, fmt.Errorf("ask %s how to sign in: %w", gateway, err)
	}
	if found.Gateway != gateway {
		return nil, fmt.Errorf("%s says that its address is %q: use that one", gateway, found.Gateway)
	}
	if k, err := url.Parse(found.Kubernetes); err != nil || k.Scheme != "https" || k.Host == "" {
		return nil, fmt.Errorf("%s says that the API of Kubernetes is at %q, which is no address of https", gateway, found.Kubernetes)
	}
	if len(found.Issuers) == 0 || len(found.Issuers) > maxIssuers {
		return nil, fmt.Errorf("%s names no identity provider for command lines, or more than %d: its administrator sets cliClientID", gateway, maxIssuers)
	}
	for i := range found.Issuers {
		if u, err := url.Parse(found.Issuers[i].URL); err != nil || u.Scheme != "https" || u.Host == "" || found.Issuers[i].ClientID == "" {
			return nil, fmt.Errorf("%s names an identity provider at %q, which is no address of https, or no client of it", gateway, found.Issuers[i].URL)
		}
	}
	return &found, nil
}

// Who asks a gateway who a token is from.
func Who(ctx context.Context, d *Discovery, token string) (*Whoami, error) {
	var who Whoami
	err := get(ctx, d.Gateway+"/whoami", token, []byte(d.CA), &who)
	if said, notTaken := NotTaken(err); notTaken {
		return nil, fmt.Errorf("%s does not let you in: %s", d.Gateway, said)
	}
	if err != nil {
		return nil, fmt.Errorf("ask %s who you are: %w", d.Gateway, err)
	}
	return &who, nil
}

// Choose is the identity provider of a name, or the only one where the name is empty.
func (d *Discovery) Choose(name string) (*Issuer, error) {
	names := make([]string, 0, len(d.Issuers))
	for i := range d.Issuers {
		if d.Issuers[i].Name == name || name == "" && len(d.Issuers) == 1 {
			return &d.Issuers[i], nil
		}
		names = append(names, d.Issuers[i].Name)
	}
	if name == "" {
		return nil, fmt.Errorf("there are several identity providers: choose one of %s", strings.Join(names, ", "))
	}
	return nil, fmt.Errorf("there is no identity provider %q: choose one of %s", name, strings.Join(names, ", "))
}

// Address is the address of a gateway as it is kept: https, a host, perhaps a port.
func Address(gateway string) (string, error) {
	if !strings.Contains(gateway, "://") {
		gateway = "https://" + gateway
	}
	u, err := url.Parse(gateway)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("%q is no address of a gateway: it is https://HOST or https://HOST:PORT", gateway)
	}
	return "https://" + strings.ToLower(u.Host), nil
}

// client asks with certificates from an authority. Redirects are not followed, least of all with a token.
func client(ca []byte) (*http.Client, error) {
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil, errors.New("the transport of HTTP was replaced")
	}
	transport = transport.Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if len(ca) > 0 {
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(ca) {
			return nil, errors.New("the certificate authority has no certificate in PEM")
		}
	}
	return &http.Client{
		Transport: transport, Timeout: askTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

func get(ctx context.Context, address, token string, ca []byte, into any) error {
	c, err := client(ca)
	if err != nil {
		return err
	}
	defer c.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := c.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return &refusal{code: response.StatusCode, status: response.Status, said: shortened(body)}
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("it does not answer as a gateway of Soma: %w", err)
	}
	return nil
}

// maxSaid is how much is told of what a refusal says.
const maxSaid = 1000

// refusal is an answer that is not the one that was asked for.
type refusal struct {
	code         int
	status, said string
}

func (r *refusal) Error() string { return strings.TrimSuffix("it answers "+r.status+": "+r.said, ": ") }

// shortened is the beginning of what an answer says.
func shortened(body []byte) string {
	return strings.TrimSpace(string(body[:min(len(body), maxSaid)]))
}
