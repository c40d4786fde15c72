package cluster

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/soma-platform/soma/hack/devcluster/internal/process"
)

// person is somebody who can sign in at the development cluster. Everybody knows the passwords: nothing but this machine's
// loopback reaches it.
type person struct {
	ID, Email, Name, Username, Password string
	Groups                              []string
}

// people are all of them. A User is made for each but admin, who becomes the first administrator by a link.
var people = []person{
	{ID: "alice", Email: "alice@soma.dev", Name: "Alice", Username: "alice", Password: "alice", Groups: []string{"vision"}},
	{ID: "bob", Email: "bob@soma.dev", Name: "Bob", Username: "bob", Password: "bob", Groups: []string{"research"}},
	{ID: "carol", Email: "carol@soma.dev", Name: "Carol", Username: "carol", Password: "carol", Groups: []string{"research", "vision"}},
	{ID: adminPerson, Email: "admin@soma.dev", Name: "Admin", Username: "admin", Password: "admin", Groups: []string{"platform"}},
}

const adminPerson = "admin"

// issuerURL is the identity provider's address. It has no path: below one, Dex lets no public client have both the browser of
// this machine and another device.
func (c *Cluster) issuerURL() string { return fmt.Sprintf("https://localhost:%d", c.Ports.Dex) }

func (c *Cluster) gatewayURL() string { return fmt.Sprintf("https://localhost:%d", c.Ports.Gateway) }

// pagesHost is the domain below which the hosts of jobs' pages are: browsers look for all below localhost on the loopback.
const pagesHost = "jobs.localhost"

// pagesDomain is the same with the port.
func (c *Cluster) pagesDomain() string { return fmt.Sprintf("%s:%d", pagesHost, c.Ports.Pages) }

// caFile has the certificate authorities of the cluster and of Soma, for programs of this machine.
func (c *Cluster) caFile() string { return c.path("ca.crt") }

// startDex brings the identity provider up. It knows the people, and forgets everything else when it ends.
func (c *Cluster) startDex(ctx context.Context, creds credentials) error {
	listen := loopback(c.Ports.Dex)
	if c.Rooted {
		// Pods reach it by the node's address.
		listen = net.JoinHostPort("", strconv.Itoa(c.Ports.Dex))
	}
	text, err := json.Marshal(map[string]any{
		"Issuer": c.issuerURL(), "Listen": listen, "Certificate": creds.dex.Cert, "Key": creds.dex.Key, "People": people,
		"Clients": []map[string]any{
			{"ID": "soma", "Name": "Soma", "Secret": c.GatewaySecret, "RedirectURIs": []string{c.gatewayURL() + "/signin/callback"}},
			{"ID": "soma-cli", "Name": "Soma's command line"},
		},
	})
	if err != nil {
		return err
	}
	file := c.conf("dex.json")
	if err := writeFile(file, string(text), 0o600); err != nil {
		return err
	}
	if err := c.writeUsers(); err != nil {
		return err
	}
	if err := c.writeCA(creds.ca.Cert); err != nil {
		return err
	}
	return c.start(ctx, process.Spec{Name: "dex", Path: c.bin("dex"), Args: []string{"-config", file}, Settings: string(text)}, func(ctx context.Context) error {
		return c.healthy(ctx, creds.ca.Cert, c.issuerURL()+"/.well-known/openid-configuration")
	})
}

// writeCA begins the file of certificate authorities with the cluster's; Soma's is added once its manager has made it.
func (c *Cluster) writeCA(file string) error {
	own, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		return err
	}
	if there, err := os.ReadFile(c.caFile()); err == nil && strings.HasPrefix(string(there), string(own)) {
		return nil
	}
	return writeFile(c.caFile(), string(own), 0o644)
}

// writeUsers writes the objects of the people, for hack/deploy/dev.
func (c *Cluster) writeUsers() error {
	var text strings.Builder
	for _, p := range people {
		if p.ID == adminPerson {
			continue
		}
		object, err := json.Marshal(map[string]any{
			"apiVersion": "platform.soma.dev/v1alpha1", "kind": "User", "metadata": map[string]any{"name": p.ID},
			"spec": map[string]any{
				"displayName": p.Name, "email": p.Email,
				"identities": []map[string]any{{"issuer": c.issuerURL(), "subject": subject(p.ID)}},
			},
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "---\n%s\n", object)
	}
	return writeFile(c.conf("users.yaml"), text.String(), 0o600)
}

// subject is what the identity provider calls a person: made of their ID and of how they sign in.
func subject(id string) string {
	const connector = "local"
	text := append([]byte{0x0a, byte(len(id))}, id...)
	text = append(append(text, 0x12, byte(len(connector))), connector...)
	return base64.RawURLEncoding.EncodeToString(text)
}

// sayHowToSignIn ends with a link to sign in, and one for the first administrator while there is none.
func (c *Cluster) sayHowToSignIn(ctx context.Context) error {
	var names []string
	for _, p := range people {
		names = append(names, p.Email)
	}
	c.progress.Say("Sign in as %s; the password is what is before the @.", strings.Join(names, ", "))
	cmd := exec.CommandContext(ctx, filepath.Join(c.Root, "hack", "deploy", "sign-in-link")) //nolint:gosec // our own program
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.kubeconfig(), "SOMA_DEV_DIR="+c.Dir)
	cmd.Stdout, cmd.Stderr = c.progress.Out, c.progress.Out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("make a link to sign in (hack/deploy/sign-in-link): %w", err)
	}
	return nil
}
