package pages_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/soma-platform/soma/internal/gateway/jobpages"
)

func startTraefik(w *world) *proxy {
	w.t.Helper()
	return w.startTraefik(w.traefikConfig("traefik.yaml"))
}

func startTraefikAsking(w *world) *proxy {
	w.t.Helper()
	config := w.traefikConfig("traefik.yaml", "forward-auth/traefik.yaml")
	// What Traefik makes of the Ingresses of jobs.
	for job, u := range w.upstreams {
		config.Routers["ingress-"+job] = map[string]any{
			"entryPoints": []string{"websecure"}, "rule": fmt.Sprintf("Host(`%s`) && PathPrefix(`/`)", host(job)), "priority": ingressPriority,
			"middlewares": []string{"job-pages"}, "service": job, "tls": map[string]any{},
		}
		config.Services[job] = balanced("http://" + u.address)
	}
	p := w.startTraefik(config)
	p.asks = true
	return p
}

func (w *world) startTraefik(config *traefikConfig) *proxy {
	w.t.Helper()
	program := filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "traefik")
	if _, err := os.Stat(program); err != nil {
		w.t.Fatalf("Traefik is not there: %v; `make devcluster` builds it", err)
	}
	dynamic, err := yaml.Marshal(map[string]any{
		"http": config,
		"tls": map[string]any{"stores": map[string]any{"default": map[string]any{
			"defaultCertificate": map[string]any{"certFile": w.CertificateFile, "keyFile": w.KeyFile},
		}}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.start("traefik", program, func(folder string) []string { return []string{"--configFile=" + filepath.Join(folder, "static.yaml")} },
		map[string]string{"static.yaml": traefikStatic, "dynamic.yaml": string(dynamic)})
}

// traefikConfig is what Traefik reads from a file, in the place of objects.
type traefikConfig struct {
	Routers           map[string]map[string]any `json:"routers"`
	Middlewares       map[string]map[string]any `json:"middlewares,omitempty"`
	Services          map[string]map[string]any `json:"services"`
	ServersTransports map[string]map[string]any `json:"serversTransports"`
}

// traefikConfig is what Traefik makes of the objects in files of config/job-pages. What is elsewhere here is replaced: where the
// gateway is, the proxy's token, and the authority of the certificates.
func (w *world) traefikConfig(files ...string) *traefikConfig {
	w.t.Helper()
	config := &traefikConfig{
		Routers: map[string]map[string]any{}, Middlewares: map[string]map[string]any{}, ServersTransports: map[string]map[string]any{},
		Services: map[string]map[string]any{"soma-gateway": balanced("https://" + w.gateway)},
	}
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join("../../../config/job-pages", file))
		if err != nil {
			w.t.Fatal(err)
		}
		for part := range strings.SplitSeq(string(text), "\n---\n") {
			var object struct {
				Kind     string
				Metadata struct{ Name string }
				Spec     map[string]any
			}
			if err := yaml.Unmarshal([]byte(part), &object); err != nil {
				w.t.Fatal(err)
			}
			switch name := object.Metadata.Name; object.Kind {
			case "IngressRoute":
				w.addRoutes(config, name, []byte(part))
			case "Middleware":
				asks := object.Spec["forwardAuth"].(map[string]any)
				asks["address"], asks["tls"] = "https://"+w.asked+jobpages.AuthPath+proxyToken, map[string]any{"ca": w.CAFile}
				config.Middlewares[name] = object.Spec
			case "ServersTransport":
				object.Spec["serverName"], object.Spec["rootCAs"] = "localhost", []string{w.CAFile}
				config.ServersTransports[name] = object.Spec
				config.Services["soma-gateway"]["loadBalancer"].(map[string]any)["serversTransport"] = name
			default:
				w.t.Fatalf("%s: what does Traefik make of a %q?", file, object.Kind)
			}
		}
	}
	return config
}

func (w *world) addRoutes(config *traefikConfig, name string, text []byte) {
	w.t.Helper()
	var object struct {
		Spec struct {
			EntryPoints []string
			Routes      []struct {
				Match       string
				Priority    int
				Middlewares []struct{ Name string }
				Services    []struct{ Name string }
			}
			TLS map[string]any
		}
	}
	if err := yaml.Unmarshal(text, &object); err != nil {
		w.t.Fatal(err)
	}
	for i, route := range object.Spec.Routes {
		if len(route.Services) != 1 || route.Services[0].Name != "soma-gateway" {
			w.t.Fatalf("route %d of %s does not lead to the gateway alone: %v", i, name, route.Services)
		}
		router := map[string]any{
			"entryPoints": object.Spec.EntryPoints, "rule": route.Match, "priority": route.Priority, "service": route.Services[0].Name, "tls": object.Spec.TLS,
		}
		if len(route.Middlewares) > 0 {
			router["middlewares"] = []string{route.Middlewares[0].Name}
		}
		config.Routers[fmt.Sprintf("%s-%d", name, i)] = router
	}
}

func balanced(address string) map[string]any {
	return map[string]any{"loadBalancer": map[string]any{"servers": []map[string]any{{"url": address}}}}
}
