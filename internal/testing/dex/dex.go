// Package dex runs a real identity provider for tests, Dex, and signs people in at it as a browser would.
package dex

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/soma-platform/soma/internal/testing/freeport"
)

// Person is somebody who can sign in.
type Person struct {
	ID, Email, Name, Username, Password string
	Groups                              []string
}

// Client is a program that people can sign in to. One without a secret is public.
type Client struct {
	ID, Name, Secret string
	RedirectURIs     []string
}

// Provider is an identity provider that runs for a test.
type Provider struct {
	// Issuer is its address.
	Issuer string
	Certificates
	People []Person

	settings string
	process  *exec.Cmd
	ended    chan struct{}
}

// Options say what it knows.
type Options struct {
	Clients []Client
	People  []Person
	// TokenLifetime is how long ID tokens count; an hour by default.
	TokenLifetime time.Duration
	// Sessions keeps people signed in at the provider itself, where they can sign out then.
	Sessions bool
}

// Start starts one, which ends with the test. It needs the program dex in the folder KUBEBUILDER_ASSETS, by default that of the
// development cluster.
func Start(t testing.TB, o Options) *Provider {
	t.Helper()
	p, err := Launch(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// Launch is Start for what is no test: with a folder for its files, and until Close.
func Launch(folder string, o Options) (*Provider, error) {
	port, err := freeport.Find()
	if err != nil {
		return nil, err
	}
	certificates, err := makeCertificates(folder)
	if err != nil {
		return nil, err
	}
	address := net.JoinHostPort("127.0.0.1", fmt.Sprint(port))
	// Below a path, Dex lets no public client have both the browser of its machine and another device.
	p := &Provider{Issuer: "https://" + address, Certificates: certificates, People: o.People, settings: filepath.Join(folder, "dex.json")}
	lifetime := ""
	if o.TokenLifetime > 0 {
		lifetime = o.TokenLifetime.String()
	}
	text, err := json.Marshal(map[string]any{
		"Issuer": p.Issuer, "Listen": address, "Certificate": p.CertificateFile, "Key": p.KeyFile,
		"Clients": o.Clients, "People": o.People, "TokenLifetime": lifetime, "Sessions": o.Sessions,
	})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(p.settings, text, 0o600); err != nil {
		return nil, err
	}
	return p, p.run()
}

// Program finds the program.
func Program() (string, error) {
	folder := os.Getenv("KUBEBUILDER_ASSETS")
	if folder == "" {
		return "", fmt.Errorf("the program dex is needed: run `make up`, or set KUBEBUILDER_ASSETS to its folder")
	}
	path := filepath.Join(folder, "dex")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("the program dex is needed in KUBEBUILDER_ASSETS: run `make up`: %w", err)
	}
	return path, nil
}

// Run starts it again after Stop. It has forgotten everything that is not in its settings, its keys as well.
func (p *Provider) Run(t testing.TB) {
	t.Helper()
	if err := p.run(); err != nil {
		t.Fatal(err)
	}
}

func (p *Provider) run() error {
	program, err := Program()
	if err != nil {
		return err
	}
	var said bytes.Buffer
	process := exec.Command(program, "-config", p.settings)
	process.Stdout, process.Stderr = &said, &said
	process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := process.Start(); err != nil {
		return fmt.Errorf("start dex: %w", err)
	}
	p.process, p.ended = process, make(chan struct{})
	go func(ended chan struct{}) { _ = process.Wait(); close(ended) }(p.ended)
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.Pool}}}
	for deadline := time.Now().Add(time.Minute); ; {
		response, err := client.Get(p.Issuer + "/.well-known/openid-configuration")
		if err == nil {
			return response.Body.Close()
		}
		select {
		case <-p.ended:
			return fmt.Errorf("dex ended: %s", said.String())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return errors.Join(fmt.Errorf("dex does not answer: %w", err), p.Close())
		}
	}
}

// Stop ends it: nobody answers at its address.
func (p *Provider) Stop(t testing.TB) {
	t.Helper()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}

// Close is Stop for what is no test. It can be called again.
func (p *Provider) Close() error {
	err := p.process.Process.Kill()
	<-p.ended
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// Subject is the subject of a person in its tokens.
func (p *Provider) Subject(person Person) string { return Subject(person.ID) }

// Subject is the subject of the person with an ID: Dex makes it of that and of how they signed in.
func Subject(id string) string {
	const connector = "local"
	text := append([]byte{0x0a, byte(len(id))}, id...)
	text = append(append(text, 0x12, byte(len(connector))), connector...)
	return base64.RawURLEncoding.EncodeToString(text)
}

var form = regexp.MustCompile(`<form[^>]*action="([^"]*)"`)

// SignIn goes to an address that leads to the provider, fills in its form as the person does, and follows from there. The
// client needs a jar of cookies. The answer is that of wherever it ends; the caller closes it.
func (p *Provider) SignIn(client *http.Client, address string, person Person) (*http.Response, error) {
	to, _, err := p.form(client.Get(address))
	if err != nil {
		return nil, err
	}
	return client.PostForm(to, url.Values{"login": {person.Email}, "password": {person.Password}})
}

// EnterCode goes to where a code for another device is entered, enters one, and signs in as SignIn does. A code that the provider
// did not give is an error.
func (p *Provider) EnterCode(client *http.Client, address, code string, person Person) (*http.Response, error) {
	to, _, err := p.form(client.Get(address))
	if err != nil {
		return nil, err
	}
	to, page, err := p.form(client.PostForm(to, url.Values{"user_code": {code}}))
	if err != nil {
		return nil, err
	}
	if bytes.Contains(page, []byte("user_code")) {
		return nil, fmt.Errorf("the provider does not take the code %s", code)
	}
	return client.PostForm(to, url.Values{"login": {person.Email}, "password": {person.Password}})
}

// form is where the form of the provider's page leads to, and the page.
func (p *Provider) form(response *http.Response, err error) (to string, page []byte, _ error) {
	if err != nil {
		return "", nil, err
	}
	page, err = io.ReadAll(io.LimitReader(response.Body, 1<<20))
	_ = response.Body.Close()
	if err != nil {
		return "", nil, err
	}
	found, at := form.FindSubmatch(page), response.Request.URL
	if found == nil || !strings.HasPrefix(at.String(), p.Issuer) {
		return "", nil, fmt.Errorf("%s has no form of the provider's: %s: %.300s", at, response.Status, page)
	}
	leads, err := at.Parse(html.UnescapeString(string(found[1])))
	if err != nil {
		return "", nil, err
	}
	return leads.String(), page, nil
}
