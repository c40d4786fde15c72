package pages_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"text/template"

	"github.com/soma-platform/soma/internal/testing/freeport"
)

// proxy is one before the pages.
type proxy struct {
	name, address string
}

// The proxies, by what starts them.
var proxies = map[string]func(*world) *proxy{"traefik": startTraefik, "caddy": startCaddy}

const traefikStatic = `
global: {checkNewVersion: false, sendAnonymousUsage: false}
log: {level: ERROR}
entryPoints:
  websecure: {address: "{{.Address}}"}
providers:
  file: {filename: {{.Dynamic}}}
`

// What docs/pages.md says, in the words of Traefik's files. Routers of jobs are as Traefik makes them of an Ingress.
const traefikDynamic = `
http:
  middlewares:
    job-pages:
      forwardAuth:
        address: https://{{.Asked}}/job-pages/auth/{{.Token}}
        tls: {ca: {{.CA}}}
        trustForwardHeader: false
        authResponseHeaders: [X-Soma-Assertion, Cookie, Authorization]
        authResponseHeadersRegex: (?i)^x[-_]soma[-_]
    job-pages-not-there:
      replacePath: {path: /.soma/not-there}
  routers:
    job-pages:
      entryPoints: [websecure]
      rule: HostRegexp(` + "`{{.Hosts}}`) && PathPrefix(`/.soma/`)" + `
      priority: 1000001
      service: gateway
      tls: {}
    job-streams:
      entryPoints: [websecure]
      rule: HostRegexp(` + "`{{.Hosts}}`) && (HeaderRegexp(`Upgrade`, `.+`) || HeaderRegexp(`Accept`, `(?i)text/event-stream`))" + `
      priority: 1000000
      service: gateway
      tls: {}
    job-none:
      entryPoints: [websecure]
      rule: HostRegexp(` + "`{{.Hosts}}`)" + `
      priority: 1
      middlewares: [job-pages, job-pages-not-there]
      service: gateway
      tls: {}
{{- range .Jobs}}
    {{.Name}}:
      entryPoints: [websecure]
      rule: Host(` + "`{{.Host}}`) && PathPrefix(`/`)" + `
      middlewares: [job-pages]
      service: {{.Name}}
      tls: {}
{{- end}}
  services:
    gateway:
      loadBalancer: {servers: [{url: "https://{{.Gateway}}"}], serversTransport: gateway}
{{- range .Jobs}}
    {{.Name}}:
      loadBalancer: {servers: [{url: "http://{{.Address}}"}]}
{{- end}}
  serversTransports:
    gateway: {rootCAs: [{{.CA}}], serverName: localhost}
tls:
  stores:
    default:
      defaultCertificate: {certFile: {{.Certificate}}, keyFile: {{.Key}}}
`

const caddyfile = `
{
	admin off
	auto_https off
	default_sni localhost
	servers {
		protocols h1 h2
	}
	log {
		level ERROR
	}
}
(gateway) {
	reverse_proxy https://{{.Gateway}} {
		transport http {
			tls_trusted_ca_certs {{.CA}}
			tls_server_name localhost
		}
	}
}
(page) {
	route {
		@own path /.soma/*
		handle @own {
			import gateway
		}
		@upgrades header Upgrade *
		handle @upgrades {
			import gateway
		}
		@events header_regexp Accept (?i)text/event-stream
		handle @events {
			import gateway
		}
		handle {
			request_header -*soma*
			forward_auth https://{{.Asked}} {
				uri /job-pages/auth/{{.Token}}
				copy_headers X-Soma-Assertion Cookie
				transport http {
					tls_trusted_ca_certs {{.CA}}
					tls_server_name localhost
				}
			}
			# What the gateway leaves out, this caddy copies as the name of its place.
			request_header -Authorization
			@cookieless header_regexp Cookie ^\{http\.
			request_header @cookieless -Cookie
			@unknown header_regexp X-Soma-Assertion ^\{http\.
			request_header @unknown -X-Soma-Assertion
			reverse_proxy {args.0}
		}
	}
}
{{- range .Jobs}}
https://{{.Host}}:{{$.Port}} {
	bind 127.0.0.1
	tls {{$.Certificate}} {{$.Key}}
	import page {{.Address}}
}
{{- end}}
https://*.jobs.example.org:{{.Port}} {
	bind 127.0.0.1
	tls {{.Certificate}} {{.Key}}
	import page {{.Gateway}}
}
`

type proxiedJob struct{ Name, Host, Address string }

// start writes a proxy's files and starts it.
func (w *world) start(name, program string, args func(folder string) []string, files map[string]string) *proxy {
	w.t.Helper()
	port, err := freeport.Find()
	if err != nil {
		w.t.Fatal(err)
	}
	folder := w.t.TempDir()
	p := &proxy{name: name, address: fmt.Sprintf("127.0.0.1:%d", port)}
	values := map[string]any{
		"Address": p.address, "Port": port, "Dynamic": filepath.Join(folder, "dynamic.yaml"), "Asked": w.asked, "Token": proxyToken, "CA": w.CAFile,
		"Gateway": w.gateway, "Certificate": w.CertificateFile, "Key": w.KeyFile, "Hosts": `^[a-z0-9-]+\.jobs\.example\.org\.?$`,
	}
	var jobs []proxiedJob
	for job, u := range w.upstreams {
		jobs = append(jobs, proxiedJob{job, host(job), u.address})
	}
	values["Jobs"] = jobs
	for file, text := range files {
		var out bytes.Buffer
		if err := template.Must(template.New(file).Parse(text)).Execute(&out, values); err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, file), out.Bytes(), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	cmd := exec.Command(program, args(folder)...)
	cmd.Env = []string{"HOME=" + folder, "PATH=/usr/bin:/bin"}
	said := &lines{}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		if w.t.Failed() {
			w.t.Logf("%s said:\n%s", name, said)
		}
	})
	w.eventually(name+" serves", func() bool {
		r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, "https://"+host(board)+"/", nil)
		if err != nil {
			w.t.Fatal(err)
		}
		answer, err := w.client(p.address).Do(r)
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	return p
}

// lines keeps the end of what a program says.
type lines struct {
	mu   sync.Mutex
	text string
}

func (l *lines) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text += string(data); len(l.text) > 4096 {
		l.text = l.text[len(l.text)-4096:]
	}
	return len(data), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.TrimSpace(l.text)
}

func startTraefik(w *world) *proxy {
	w.t.Helper()
	program := filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "traefik")
	if _, err := os.Stat(program); err != nil {
		w.t.Fatalf("Traefik is not there: %v; `make devcluster` builds it", err)
	}
	return w.start("traefik", program, func(folder string) []string { return []string{"--configFile=" + filepath.Join(folder, "static.yaml")} },
		map[string]string{"static.yaml": traefikStatic, "dynamic.yaml": traefikDynamic})
}

func startCaddy(w *world) *proxy {
	w.t.Helper()
	program, err := exec.LookPath("caddy")
	if err != nil {
		w.t.Fatal("caddy is not there: install Debian's package caddy, as `make up` does")
	}
	return w.start("caddy", program, func(folder string) []string {
		return []string{"run", "--adapter", "caddyfile", "--config", filepath.Join(folder, "Caddyfile")}
	}, map[string]string{"Caddyfile": caddyfile})
}
