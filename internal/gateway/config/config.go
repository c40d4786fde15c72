// Package config reads the configuration of the gateway.
package config

import (
	"cmp"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"
)

const (
	maxFile    = 256 << 10
	maxIssuers = 16
	maxScopes  = 16
	// maxClaim bounds names of claims, scopes and clients.
	maxClaim = 128

	defaultLifetime = 12 * time.Hour
	maxLifetime     = 7 * 24 * time.Hour
	defaultIdle     = 2 * time.Hour
	minLifetime     = time.Minute

	defaultPagesAddress  = ":8444"
	defaultClusterDomain = "cluster.local"
)

// Config says how people sign in.
type Config struct {
	// ExternalURL is where browsers and command lines find the gateway: https, a host, perhaps a port, and nothing more.
	ExternalURL string `json:"externalURL"`
	// CAFile is the certificate authority that the gateway's own certificate is from, for command lines to know it by. Leave
	// it out where machines know it anyway.
	CAFile string `json:"caFile,omitempty"`
	// Issuers are the identity providers.
	Issuers []Issuer `json:"issuers"`
	// KeysFile has the keys of sessions, one a line, 32 bytes in base64. The first seals, all open: a new one is put before
	// the others, and the old one removed once sessions of it have ended.
	KeysFile string `json:"keysFile"`
	// SessionLifetime is when a session ends after signing in. 12 hours by default.
	SessionLifetime metav1.Duration `json:"sessionLifetime,omitempty"`
	// SessionIdle is when a session ends that is not used. 2 hours by default.
	SessionIdle metav1.Duration `json:"sessionIdle,omitempty"`
	// CreateUsers makes a User, who may do nothing yet, for whoever an identity provider lets in. Otherwise users are made by
	// others, and whoever is none is told what to send to whom.
	CreateUsers bool `json:"createUsers,omitempty"`
	// JobPages is how people come to see the pages that jobs serve. Without it they do not.
	JobPages *JobPages `json:"jobPages,omitempty"`
}

// JobPages is how people come to see the pages that jobs serve: through the gateway, or by a proxy that asks it before each request.
type JobPages struct {
	// Domain below which the hosts of pages are, as the Cluster has it in spec.jobPages.
	Domain string `json:"domain"`
	// ProxyTokenFile has what a proxy shows in the address at which it asks: 32 characters at least. Without it none asks.
	ProxyTokenFile string `json:"proxyTokenFile,omitempty"`
	// BindAddress is where the proxy asks, and nobody else is to reach. ":8444" by default.
	BindAddress string `json:"bindAddress,omitempty"`
	// AssertionKeyFile has the key with which jobs are told who asks: 32 bytes in base64, the seed of a key of Ed25519.
	AssertionKeyFile string `json:"assertionKeyFile"`
	// ClusterDomain is what the names of Services of the cluster end with. "cluster.local" by default.
	ClusterDomain string `json:"clusterDomain,omitempty"`
}

// Issuer is one identity provider that speaks OpenID Connect.
type Issuer struct {
	// Name names it in addresses of the gateway, DisplayName to people.
	Name        string `json:"name"`
	DisplayName string `json:"displayName,omitempty"`
	// URL is its address, exactly as its tokens have it in `iss`.
	URL string `json:"url"`
	// ClientID and ClientSecretFile are by what it knows the gateway. A public client has no secret.
	ClientID         string `json:"clientID"`
	ClientSecretFile string `json:"clientSecretFile,omitempty"`
	// CLIClientID is a public client of it, for command lines, whose tokens are taken as well. None by default.
	CLIClientID string `json:"cliClientID,omitempty"`
	// CAFile is the certificate authority that its certificate is from; those that the machine knows by default.
	CAFile string `json:"caFile,omitempty"`
	// Scopes are asked for besides openid: profile, email, groups and offline_access by default.
	Scopes []string `json:"scopes,omitempty"`
	// GroupsClaim is the claim with the names of the person's groups, `groups` by default.
	GroupsClaim string `json:"groupsClaim,omitempty"`
	// Groups of more than one provider can have one name: what is put before the names of these. Nothing by default. With
	// several providers each has another one, of which none begins with another and one may be empty.
	GroupsPrefix string `json:"groupsPrefix,omitempty"`

	// others are the prefixes of the other providers, empty ones left out.
	others []string
}

// Owns reports whether a group, with its prefix, is one of this provider's.
func (i *Issuer) Owns(group string) bool {
	return strings.HasPrefix(group, i.GroupsPrefix) &&
		(i.GroupsPrefix != "" || !slices.ContainsFunc(i.others, func(other string) bool { return strings.HasPrefix(group, other) }))
}

// Title is what people know the issuer by.
func (i *Issuer) Title() string {
	if i.DisplayName != "" {
		return i.DisplayName
	}
	return i.Name
}

// Origin is the origin of the gateway's address, as browsers say it.
func (c *Config) Origin() string { return c.ExternalURL }

// Loopback reports whether the gateway is this machine's alone.
func (c *Config) Loopback() bool {
	u, err := url.Parse(c.ExternalURL)
	return err == nil && slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname())
}

// Load reads a file, and refuses what it does not know.
func Load(path string) (*Config, error) {
	text, err := readBounded(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	c, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("the configuration %s: %w", path, err)
	}
	return c, nil
}

func readBounded(path string) ([]byte, error) {
	file, err := os.Open(path) //nolint:gosec // a file that who starts the gateway names
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // it was only read from
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s has more than %d bytes", path, maxFile)
	}
	return text, err
}

// Parse reads a configuration, fills in what is left out and says all that is wrong with it.
func Parse(text []byte) (*Config, error) {
	var c Config
	if err := yaml.UnmarshalStrict(text, &c); err != nil {
		return nil, err
	}
	c.ExternalURL = strings.TrimSuffix(c.ExternalURL, "/")
	if c.SessionLifetime.Duration == 0 {
		c.SessionLifetime.Duration = defaultLifetime
	}
	if c.SessionIdle.Duration == 0 {
		c.SessionIdle.Duration = min(defaultIdle, c.SessionLifetime.Duration)
	}
	for i := range c.Issuers {
		c.Issuers[i].complete()
		for j := range c.Issuers {
			if prefix := c.Issuers[j].GroupsPrefix; j != i && prefix != "" {
				c.Issuers[i].others = append(c.Issuers[i].others, prefix)
			}
		}
	}
	if c.JobPages != nil {
		c.JobPages.BindAddress = cmp.Or(c.JobPages.BindAddress, defaultPagesAddress)
		c.JobPages.ClusterDomain = cmp.Or(c.JobPages.ClusterDomain, defaultClusterDomain)
	}
	return &c, c.validate()
}

func (i *Issuer) complete() {
	if i.Scopes == nil {
		i.Scopes = []string{"profile", "email", "groups", "offline_access"}
	}
	if !slices.Contains(i.Scopes, "openid") {
		i.Scopes = append([]string{"openid"}, i.Scopes...)
	}
	if i.GroupsClaim == "" {
		i.GroupsClaim = "groups"
	}
}

func (c *Config) validate() error {
	var wrong []error
	if u, err := url.Parse(c.ExternalURL); err != nil || u.Scheme != "https" || u.Host == "" || c.ExternalURL != "https://"+u.Host ||
		c.ExternalURL != strings.ToLower(c.ExternalURL) || u.Port() == "443" {
		wrong = append(wrong, fmt.Errorf("externalURL %q must be https://HOST or https://HOST:PORT, in lower-case letters, as browsers write it", c.ExternalURL))
	}
	if c.KeysFile == "" {
		wrong = append(wrong, errors.New("keysFile must name the file with the keys of sessions"))
	}
	if d := c.SessionLifetime.Duration; d < minLifetime || d > maxLifetime {
		wrong = append(wrong, fmt.Errorf("sessionLifetime %s must be from %s to %s", d, minLifetime, maxLifetime))
	}
	if d := c.SessionIdle.Duration; d < minLifetime || d > c.SessionLifetime.Duration {
		wrong = append(wrong, fmt.Errorf("sessionIdle %s must be from %s to sessionLifetime, %s", d, minLifetime, c.SessionLifetime.Duration))
	}
	if len(c.Issuers) == 0 || len(c.Issuers) > maxIssuers {
		wrong = append(wrong, fmt.Errorf("issuers must have from 1 to %d identity providers", maxIssuers))
	}
	if p := c.JobPages; p != nil && (p.Domain == "" || p.AssertionKeyFile == "") {
		wrong = append(wrong, errors.New("jobPages must have a domain and an assertionKeyFile"))
	}
	if p := c.JobPages; p != nil && len(validation.IsDNS1123Subdomain(p.ClusterDomain)) > 0 {
		wrong = append(wrong, fmt.Errorf("jobPages.clusterDomain %q must be what names of Services end with, cluster.local for instance", p.ClusterDomain))
	}
	names, urls := map[string]bool{}, map[string]bool{}
	for i := range c.Issuers {
		issuer := &c.Issuers[i]
		if names[issuer.Name] || urls[issuer.URL] {
			wrong = append(wrong, fmt.Errorf("issuers[%d]: another has the same name or url", i))
		}
		names[issuer.Name], urls[issuer.URL] = true, true
		if err := issuer.validate(); err != nil {
			wrong = append(wrong, fmt.Errorf("issuers[%d]: %w", i, err))
		}
		for j := range c.Issuers[:i] {
			if mixed(issuer.GroupsPrefix, c.Issuers[j].GroupsPrefix) {
				wrong = append(wrong, fmt.Errorf("issuers[%d]: groupsPrefix %q must tell its groups from those of %s, which has %q: take one for each that ends in a sign like ':'",
					i, issuer.GroupsPrefix, c.Issuers[j].Name, c.Issuers[j].GroupsPrefix))
			}
		}
	}
	return errors.Join(wrong...)
}

// mixed reports whether a group with one prefix could be one with the other.
func mixed(a, b string) bool {
	return a == b || a != "" && b != "" && (strings.HasPrefix(a, b) || strings.HasPrefix(b, a))
}

var (
	nameForm  = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	scopeForm = regexp.MustCompile(`^[\x21\x23-\x5b\x5d-\x7e]+$`)
)

func (i *Issuer) validate() error {
	var wrong []error
	if !nameForm.MatchString(i.Name) {
		wrong = append(wrong, fmt.Errorf("name %q must have lower-case letters, digits and '-'", i.Name))
	}
	if u, err := url.Parse(i.URL); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || len(i.URL) > 512 {
		wrong = append(wrong, fmt.Errorf("url %q must be https://HOST/PATH, exactly as its tokens have it", i.URL))
	}
	if i.ClientID == "" || len(i.ClientID) > maxClaim || len(i.CLIClientID) > maxClaim {
		wrong = append(wrong, errors.New("clientID must be what the identity provider knows the gateway by"))
	}
	if i.ClientID == i.CLIClientID {
		wrong = append(wrong, errors.New("cliClientID must be another client than clientID: tokens of browsers are none of command lines"))
	}
	if len(i.Scopes) > maxScopes || slices.ContainsFunc(i.Scopes, func(s string) bool { return len(s) > maxClaim || !scopeForm.MatchString(s) }) {
		wrong = append(wrong, fmt.Errorf("scopes must be up to %d words", maxScopes))
	}
	if len(i.GroupsClaim) > maxClaim || len(i.GroupsPrefix) > maxClaim || len(i.DisplayName) > maxClaim {
		wrong = append(wrong, fmt.Errorf("displayName, groupsClaim and groupsPrefix must have up to %d bytes", maxClaim))
	}
	return errors.Join(wrong...)
}

// ProxyToken is what the proxy shows; empty where none asks.
func (p *JobPages) ProxyToken() (string, error) {
	if p.ProxyTokenFile == "" {
		return "", nil
	}
	text, err := readBounded(p.ProxyTokenFile)
	if err != nil {
		return "", fmt.Errorf("read the proxy's token: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// AssertionKey is the key with which jobs are told who asks.
func (p *JobPages) AssertionKey() (ed25519.PrivateKey, error) {
	text, err := readBounded(p.AssertionKeyFile)
	if err != nil {
		return nil, fmt.Errorf("read the key of assertions: %w", err)
	}
	seed, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("the file %s is not %d bytes in base64, as `head -c %[2]d /dev/urandom | base64` makes them", p.AssertionKeyFile, ed25519.SeedSize)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// Secret is the client's secret; empty for a public client.
func (i *Issuer) Secret() (string, error) {
	if i.ClientSecretFile == "" {
		return "", nil
	}
	text, err := readBounded(i.ClientSecretFile)
	if err != nil {
		return "", fmt.Errorf("issuer %s: read the client's secret: %w", i.Name, err)
	}
	secret := strings.TrimSpace(string(text))
	if secret == "" {
		return "", fmt.Errorf("issuer %s: the file of the client's secret %s is empty", i.Name, i.ClientSecretFile)
	}
	return secret, nil
}

// CA is the issuer's certificate authority in PEM; nil where it is one that machines know.
func (i *Issuer) CA() ([]byte, error) {
	ca, err := readCA(i.CAFile)
	if err != nil {
		return nil, fmt.Errorf("issuer %s: %w", i.Name, err)
	}
	return ca, nil
}

// CA is the gateway's certificate authority in PEM; nil where it is one that machines know.
func (c *Config) CA() ([]byte, error) { return readCA(c.CAFile) }

func readCA(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	text, err := readBounded(path)
	if err != nil {
		return nil, fmt.Errorf("read the certificate authority: %w", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("the file of a certificate authority %s has no certificate in PEM", path)
	}
	return text, nil
}
