package manifests

import (
	"encoding/base64"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	"sigs.k8s.io/yaml"
)

// TestChartInstallsAlike compares every object of the chart with that of a folder of config.
func TestChartInstallsAlike(t *testing.T) {
	for folder, values := range map[string]map[string]any{
		"default":      nil,
		"cert-manager": {"certManager": map[string]any{"enabled": true}},
	} {
		t.Run(folder, func(t *testing.T) { installsAlike(t, folder, values) })
	}
}

func installsAlike(t *testing.T, folder string, values map[string]any) {
	want := kustomize(t, folder)
	// Helm makes the release's namespace itself (--create-namespace).
	delete(want, "/v1, Kind=Namespace /soma-system")
	got, err := helm(t, values)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got[name] == nil {
			t.Errorf("the chart lacks %s", name)
			continue
		}
		if diff := cmp.Diff(text(t, want[name].Object), text(t, withoutHelm(got[name].Object))); diff != "" {
			t.Errorf("%s differs (-config/%s, +chart; `make generate` copies what they share):\n%s", name, folder, diff)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if want[name] == nil {
			t.Errorf("config/%s lacks %s, which the chart has", folder, name)
		}
	}
}

// withoutHelm removes what Helm itself adds.
func withoutHelm(object map[string]any) map[string]any {
	metadata, _ := object["metadata"].(map[string]any)
	labels, _ := metadata["labels"].(map[string]any)
	for _, label := range []string{"app.kubernetes.io/managed-by", "app.kubernetes.io/instance", "helm.sh/chart"} {
		delete(labels, label)
	}
	if annotations, has := metadata["annotations"].(map[string]any); has {
		for _, annotation := range []string{
			"helm.sh/resource-policy", "helm.sh/hook", "meta.helm.sh/release-name", "meta.helm.sh/release-namespace",
		} {
			delete(annotations, annotation)
		}
		if len(annotations) == 0 {
			delete(metadata, "annotations")
		}
	}
	return object
}

func text(t *testing.T, object map[string]any) string {
	t.Helper()
	data, err := yaml.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// gateway are values with which the chart installs the front door.
var gateway = map[string]any{"gateway": map[string]any{
	"enabled": true, "secrets": map[string]any{"id": "s"},
	"config": map[string]any{"externalURL": "https://soma.example.org", "issuers": []any{map[string]any{"name": "id"}}},
}}

// TestChartInstallsGatewayAlike compares what the chart installs for the gateway with config/gateway.
func TestChartInstallsGatewayAlike(t *testing.T) {
	got, err := helm(t, gateway)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range kustomize(t, "gateway") {
		if got[name] == nil {
			t.Errorf("the chart lacks %s", name)
			continue
		}
		if diff := cmp.Diff(text(t, want.Object), text(t, withoutHelm(got[name].Object))); diff != "" {
			t.Errorf("%s differs (-config/gateway, +chart; `make generate` copies what they share):\n%s", name, diff)
		}
	}
	manager := text(t, got["apps/v1, Kind=Deployment soma-system/soma-manager"].Object)
	if !strings.Contains(manager, "--serving-name=soma.example.org") {
		t.Error("the manager does not make a certificate for the gateway's name")
	}
	config := text(t, got["/v1, Kind=ConfigMap soma-system/soma-gateway"].Object)
	if !strings.Contains(config, "keysFile: /etc/soma/secrets/keys") || !strings.Contains(config, "externalURL: https://soma.example.org") {
		t.Errorf("the configuration is %s", config)
	}
}

// pages are values with which the chart installs what leads to the pages of jobs.
func pages(domain string, forwardAuth bool) map[string]any {
	front := maps.Clone(gateway["gateway"].(map[string]any))
	front["jobPages"] = map[string]any{"domain": domain}
	if forwardAuth {
		front["jobPages"] = map[string]any{"domain": domain, "forwardAuth": true, "proxyToken": strings.Repeat("t", 32)}
	}
	return map[string]any{"gateway": front}
}

// TestChartInstallsJobPagesAlike compares what the chart installs for the pages of jobs with config/job-pages.
func TestChartInstallsJobPagesAlike(t *testing.T) {
	for name, forwardAuth := range map[string]bool{"by the gateway": false, "by the proxy": true} {
		t.Run(name, func(t *testing.T) {
			got, err := helm(t, pages("jobs.example.org", forwardAuth))
			if err != nil {
				t.Fatal(err)
			}
			wanted := kustomize(t, "job-pages")
			if forwardAuth {
				maps.Copy(wanted, kustomize(t, "job-pages/forward-auth"))
			}
			for name, object := range wanted {
				want := strings.ReplaceAll(text(t, object.Object), "/TOKEN", "/"+strings.Repeat("t", 32))
				if got[name] == nil {
					t.Errorf("the chart lacks %s", name)
					continue
				}
				if diff := cmp.Diff(want, text(t, withoutHelm(got[name].Object))); diff != "" {
					t.Errorf("%s differs (-config/job-pages, +chart; `make generate` copies what they share):\n%s", name, diff)
				}
			}
			config := text(t, got["/v1, Kind=ConfigMap soma-system/soma-gateway"].Object)
			if !strings.Contains(config, "domain: jobs.example.org") || strings.Contains(config, "proxyTokenFile: /etc/soma/secrets/pages-proxy-token") != forwardAuth {
				t.Errorf("the configuration is %s", config)
			}
			if asks := got["traefik.io/v1alpha1, Kind=Middleware soma-pages/job-pages"] != nil; asks != forwardAuth {
				t.Errorf("Traefik asks: %t", asks)
			}
		})
	}
	other, err := helm(t, pages("pages.example.net:8443", true))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"job-pages": 1, "job-pages-gateway": 2} {
		routes := text(t, other["traefik.io/v1alpha1, Kind=IngressRoute soma-pages/"+name].Object)
		if strings.Count(routes, `\.pages\.example\.net\.?$`) != want || strings.Contains(routes, "example.org") {
			t.Errorf("the routes of another domain are %s", routes)
		}
	}
}

func TestChartValues(t *testing.T) {
	tests := map[string]struct {
		values    map[string]any
		wantError string
		// wantObjects are names that must be there, in the form of objects' keys.
		wantObjects []string
	}{
		"a database makes its secret": {
			values:      map[string]any{"database": map[string]any{"url": "postgres://soma@db/soma"}},
			wantObjects: []string{"/v1, Kind=Secret soma-system/soma-database"},
		},
		"Redis makes its secret": {
			values:      map[string]any{"redis": map[string]any{"url": "redis://:secret@redis:6379/0"}},
			wantObjects: []string{"/v1, Kind=Secret soma-system/soma-redis"},
		},
		"an authority that is none":   {values: map[string]any{"database": map[string]any{"ca": "/etc/ca.crt"}}, wantError: "ca"},
		"a writer that is no address": {values: map[string]any{"database": map[string]any{"auditURL": "db"}}, wantError: "auditURL"},
		"a Redis that is no address":  {values: map[string]any{"redis": map[string]any{"url": "redis:6379"}}, wantError: "url"},
		"monitoring": {
			values:      map[string]any{"prometheus": map[string]any{"enabled": true}},
			wantObjects: []string{"monitoring.coreos.com/v1, Kind=PrometheusRule soma-system/soma"},
		},
		"a gateway": {
			values:      gateway,
			wantObjects: []string{"/v1, Kind=Secret soma-system/soma-gateway", "/v1, Kind=ConfigMap soma-system/soma-gateway"},
		},
		"pages of jobs": {
			values:      pages("jobs.example.org", false),
			wantObjects: []string{"traefik.io/v1alpha1, Kind=IngressRoute soma-pages/job-pages"},
		},
		"pages below no domain":         {values: pages("https://jobs.example.org", false), wantError: "domain"},
		"a gateway without an address":  {values: map[string]any{"gateway": map[string]any{"enabled": true}}, wantError: "externalURL"},
		"a value that does not exist":   {values: map[string]any{"replicaCount": 3}, wantError: "replicaCount"},
		"a negative number of replicas": {values: map[string]any{"manager": map[string]any{"replicas": -1}}, wantError: "replicas"},
		"a database that is no address": {values: map[string]any{"database": map[string]any{"url": "localhost"}}, wantError: "url"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := helm(t, test.values)
			if (err != nil) != (test.wantError != "") || err != nil && !strings.Contains(err.Error(), test.wantError) {
				t.Fatalf("rendering: %v, want an error with %q", err, test.wantError)
			}
			for _, want := range test.wantObjects {
				if got[want] == nil {
					t.Errorf("lacks %s", want)
				}
			}
		})
	}
}

// TestGatewaysDoNotHaveTheOwner checks that a gateway gets the address of the audit log's writer, and of the owner's secret the
// authority alone.
func TestGatewaysDoNotHaveTheOwner(t *testing.T) {
	gateway := text(t, kustomize(t, "gateway")["apps/v1, Kind=Deployment soma-system/soma-gateway"].Object)
	if strings.Count(gateway, "secretKeyRef:") != 1 || !strings.Contains(gateway, "name: soma-audit") {
		t.Error("the gateway's environment has more of the database than soma-audit")
	}
	const mounted = "secret:\n          defaultMode: 288\n          items:\n          - key: ca.crt\n            path: ca.crt\n          optional: true\n          secretName: soma-database\n"
	if strings.Count(gateway, "soma-database") != 1 || !strings.Contains(gateway, mounted) {
		t.Errorf("the gateway has more of soma-database than its authority:\n%s", gateway)
	}
}

// TestChartMakesSecretsOfStores checks what secrets have for PostgreSQL, Redis and the audit log.
func TestChartMakesSecretsOfStores(t *testing.T) {
	const authority = "-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----\n"
	values := maps.Clone(gateway)
	values["database"] = map[string]any{"url": "postgres://soma@db/soma", "ca": authority, "auditURL": "postgres://writer@db/soma"}
	values["redis"] = map[string]any{"url": "rediss://redis", "ca": authority}
	got, err := helm(t, values)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"soma-database": "ca.crt: |\n    -----BEGIN CERTIFICATE-----\n    YQ==\n",
		"soma-redis":    "ca.crt: " + base64.StdEncoding.EncodeToString([]byte(authority)),
		"soma-audit":    "url: postgres://writer@db/soma",
	} {
		if secret := text(t, got["/v1, Kind=Secret soma-system/"+name].Object); !strings.Contains(secret, want) {
			t.Errorf("the secret %s is\n%s", name, secret)
		}
	}
}

// TestManifestsAreValid decodes every object of Kubernetes' own kinds strictly: an unknown or repeated field, or a value
// of the wrong type, is an error.
func TestManifestsAreValid(t *testing.T) {
	known := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, apiextensionsv1.AddToScheme, apiregistrationv1.AddToScheme} {
		if err := add(known); err != nil {
			t.Fatal(err)
		}
	}
	decoder := serializer.NewCodecFactory(known, serializer.EnableStrict).UniversalDeserializer()
	for _, folder := range []string{"default", "gateway", "job-pages", "job-pages/forward-auth", "cert-manager", "prometheus", "argocd"} {
		for name, object := range kustomize(t, folder) {
			switch object.GroupVersionKind().Group {
			case "monitoring.coreos.com", "cert-manager.io", "traefik.io", "platform.soma.dev":
				continue
			}
			if _, _, err := decoder.Decode([]byte(text(t, object.Object)), nil, nil); err != nil {
				t.Errorf("config/%s: %s: %v", folder, name, err)
			}
		}
	}
}

// TestNamesAgree checks what objects say of each other by name, which no schema sees.
func TestNamesAgree(t *testing.T) {
	all := kustomize(t, "default")
	services := map[string]map[string]any{}
	var podLabels []map[string]string
	for _, object := range all {
		switch object.GetKind() {
		case "Service":
			services[object.GetName()] = object.Object
		case "Deployment":
			template, _ := object.Object["spec"].(map[string]any)["template"].(map[string]any)
			labels := map[string]string{}
			for key, value := range template["metadata"].(map[string]any)["labels"].(map[string]any) {
				labels[key], _ = value.(string)
			}
			podLabels = append(podLabels, labels)
		}
	}
	for name, service := range services {
		selector, _ := service["spec"].(map[string]any)["selector"].(map[string]any)
		if !slices.ContainsFunc(podLabels, func(labels map[string]string) bool {
			for key, value := range selector {
				if labels[key] != value {
					return false
				}
			}
			return len(selector) > 0
		}) {
			t.Errorf("no Deployment's pods have the labels that the service %s selects: %v", name, selector)
		}
	}
	for _, wanted := range []string{"soma-webhook", "soma-history", "soma-metrics"} {
		if services[wanted] == nil {
			t.Errorf("there is no service %s", wanted)
		}
	}
}

// TestAlertsSayWhatToDo checks that every alert tells a person what happened, what it means and what to do.
func TestAlertsSayWhatToDo(t *testing.T) {
	var rules struct {
		Spec struct {
			Groups []struct {
				Rules []struct {
					Alert       string            `json:"alert"`
					Expr        string            `json:"expr"`
					Labels      map[string]string `json:"labels"`
					Annotations map[string]string `json:"annotations"`
				} `json:"rules"`
			} `json:"groups"`
		} `json:"spec"`
	}
	object := kustomize(t, "prometheus")["monitoring.coreos.com/v1, Kind=PrometheusRule soma-system/soma"]
	if object == nil {
		t.Fatal("config/prometheus has no PrometheusRule")
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &rules); err != nil {
		t.Fatal(err)
	}
	for _, group := range rules.Spec.Groups {
		for _, rule := range group.Rules {
			got := []bool{rule.Expr != "", rule.Labels["severity"] != ""}
			for _, annotation := range []string{"summary", "description", "runbook"} {
				got = append(got, rule.Annotations[annotation] != "")
			}
			if !reflect.DeepEqual(got, []bool{true, true, true, true, true}) {
				t.Errorf("alert %s lacks one of expr, severity, summary, description, runbook", rule.Alert)
			}
		}
	}
}
