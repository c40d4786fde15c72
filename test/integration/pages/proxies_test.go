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
	// asks: it asks the gateway before each request, and carries itself what is not meant to stay open.
	asks bool
}

// The proxies, by what starts them. Traefik leads to the gateway as config/job-pages says, and asks it as forward-auth there does.
var proxies = map[string]func(*world) *proxy{"traefik": startTraefik, "traefik asks": startTraefikAsking, "caddy asks": startCaddy}

// ingressPriority is that of jobs' Ingresses, by the annotations that docs/pages.md has for them.
const ingressPriority = 1000002

const traefikStatic = `
global: {checkNewVersion: false, sendAnonymousUsage: false}
log: {level: ERROR}
entryPoints:
  websecure: {address: "{{.Address}}"}
providers:
  file: {filename: {{.Dynamic}}}
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
(kept) {
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
}
(page) {
	route {
		import kept
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
	route {
		import kept
		handle {
			forward_auth https://{{.Asked}} {
				uri /job-pages/auth/{{.Token}}
				transport http {
					tls_trusted_ca_certs {{.CA}}
					tls_server_name localhost
				}
			}
			import gateway
		}
	}
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
		"Gateway": w.gateway, "Certificate": w.CertificateFile, "Key": w.KeyFile,
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

func startCaddy(w *world) *proxy {
	w.t.Helper()
	program, err := exec.LookPath("caddy")
	if err != nil {
		w.t.Fatal("caddy is not there: install Debian's package caddy, as `make up` does")
	}
	p := w.start("caddy", program, func(folder string) []string {
		return []string{"run", "--adapter", "caddyfile", "--config", filepath.Join(folder, "Caddyfile")}
	}, map[string]string{"Caddyfile": caddyfile})
	p.asks = true
	return p
}
