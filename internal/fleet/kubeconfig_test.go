package fleet

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

func TestFromKubeconfig(t *testing.T) {
	data := base64.StdEncoding.EncodeToString([]byte("data"))
	const server = `server: "https://example.test:6443"`
	kubeconfig := func(cluster, user string) string {
		return fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: c}}],
clusters: [{name: c, cluster: {%s}}], users: [{name: c, user: {%s}}]}`, cluster, user)
	}
	tests := map[string]struct {
		kubeconfig string
		wantError  string
	}{
		"token":                {kubeconfig: kubeconfig(server+", certificate-authority-data: "+data, "token: t")},
		"client certificate":   {kubeconfig: kubeconfig(server, "client-certificate-data: "+data+", client-key-data: "+data)},
		"server name":          {kubeconfig: kubeconfig(server+", tls-server-name: kubernetes", "token: t")},
		"empty":                {"", "empty"},
		"too large":            {strings.Repeat(" ", MaxKubeconfig+1), "more than"},
		"not YAML":             {"{{{ secret", "not valid"},
		"no context":           {"{apiVersion: v1, kind: Config}", "no current-context"},
		"unknown context":      {"{apiVersion: v1, kind: Config, current-context: x}", `no context "x"`},
		"unknown cluster":      {"{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: x}}]}", `no cluster "x"`},
		"plain http":           {kubeconfig(`server: "http://example.test"`, "token: t"), "https://"},
		"credentials in URL":   {kubeconfig(`server: "https://a:b@example.test"`, "token: t"), "without credentials"},
		"skips verification":   {kubeconfig(server+", insecure-skip-tls-verify: true", "token: t"), "insecure-skip-tls-verify"},
		"CA by path":           {kubeconfig(server+", certificate-authority: /etc/passwd", "token: t"), "certificate-authority is a path"},
		"proxy":                {kubeconfig(server+`, proxy-url: "http://proxy.test"`, "token: t"), "proxy-url"},
		"exec":                 {kubeconfig(server, "exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, interactiveMode: Never}"), "exec is refused"},
		"auth provider":        {kubeconfig(server, "auth-provider: {name: oidc}"), "auth-provider is refused"},
		"token by path":        {kubeconfig(server, "tokenFile: /token"), "tokenFile is a path"},
		"certificate by path":  {kubeconfig(server, "client-certificate: /crt, client-key: /key"), "are paths"},
		"password":             {kubeconfig(server, "username: u, password: p"), "username and password"},
		"impersonation":        {kubeconfig(server, "token: t, as: admin"), "impersonation"},
		"impersonated group":   {kubeconfig(server, "token: t, as-groups: [g]"), "impersonation"},
		"certificate, no key":  {kubeconfig(server, "client-certificate-data: "+data), "given together"},
		"no credentials":       {kubeconfig(server, ""), "neither token"},
		"token and cert":       {kubeconfig(server, "token: t, client-certificate-data: "+data+", client-key-data: "+data), "give one of them"},
		"both sides are wrong": {kubeconfig(server+`, proxy-url: "http://proxy.test"`, "token: t, as: admin"), "impersonation"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			config, err := FromKubeconfig([]byte(test.kubeconfig))
			if test.wantError != "" {
				if err == nil || !strings.Contains(err.Error(), test.wantError) {
					t.Fatalf("error = %v, want one with %q", err, test.wantError)
				}
				if strings.Contains(err.Error(), "secret") {
					t.Errorf("the error quotes the document: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if config.Host != "https://example.test:6443" || config.Insecure || config.ExecProvider != nil || config.Proxy != nil {
				t.Errorf("unexpected configuration: %v", config)
			}
			if (config.BearerToken == "") == (len(config.CertData) == 0) {
				t.Errorf("the configuration has not exactly one credential: %v", config)
			}
		})
	}
}
