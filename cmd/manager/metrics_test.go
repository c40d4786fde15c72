package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// foreign are metrics that alerts name and that others export: Prometheus and the API server. Those of the gateway are too.
var foreign = map[string]bool{"up": true, "aggregator_unavailable_apiservice": true}

// anybody is a client that does not ask who serves: the certificate of the metrics is signed by nobody.
func anybody() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
}

func (f *fixture) guardsMetrics(t *testing.T) {
	reader := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "metrics-reader"},
		Rules:      []rbacv1.PolicyRule{{NonResourceURLs: []string{"/metrics"}, Verbs: []string{"get"}}},
	}
	if err := f.server.Client.Create(t.Context(), reader); err != nil {
		t.Fatal(err)
	}
	url := "https://" + f.options.metricsAddr + "/metrics"
	for name, test := range map[string]struct {
		token string
		want  int
	}{
		"nobody": {want: http.StatusUnauthorized},
		// That the cluster does not know the token is, to the library, an error of asking it.
		"a forged token":   {token: "forged", want: http.StatusInternalServerError},
		"without the role": {token: f.token(t, "stranger"), want: http.StatusForbidden},
		"with the role":    {token: f.token(t, "prometheus", reader.Name), want: http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			code, body, err := get(t.Context(), anybody(), url, test.token)
			if err != nil || code != test.want {
				t.Errorf("the answer is %d, %v, want %d", code, err, test.want)
			}
			if has := strings.Contains(body, "soma_"); has != (test.want == http.StatusOK) {
				t.Errorf("the answer %d has metrics: %t", code, has)
			}
		})
	}
	if code, _, err := get(t.Context(), http.DefaultClient, "http://"+f.options.metricsAddr+"/metrics", ""); err != nil || code == http.StatusOK {
		t.Errorf("metrics are told without TLS: %d, %v", code, err)
	}
}

// An alert on a metric that nobody exports never fires.
func (f *fixture) exportsWhatAlertsName(t *testing.T) {
	var rules struct {
		Spec struct {
			Groups []struct {
				Rules []struct{ Alert, Expr string }
			}
		}
	}
	read(t, "prometheus/rules.yaml", &rules)
	// Some are told for each cluster or budget.
	hours := int64(1)
	for _, o := range []client.Object{
		&v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "local"}},
		&v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: "team"}, Spec: v1alpha1.QuotaSpec{
			Budgets: []v1alpha1.Budget{{Name: "daily", Period: v1alpha1.BudgetDay, GPUHours: &hours, Action: v1alpha1.BudgetNotify}},
		}},
	} {
		if err := f.server.Client.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	token := f.token(t, "alerts", "metrics-reader")
	named := regexp.MustCompile(`([a-zA-Z_:][a-zA-Z0-9_:]*)\{`)
	checked := 0
	f.eventually(t, "the metrics of all alerts", func(ctx context.Context) error {
		code, body, err := get(ctx, anybody(), "https://"+f.options.metricsAddr+"/metrics", token)
		if err != nil || code != http.StatusOK {
			return errors.Join(err, fmt.Errorf("the answer is %d", code))
		}
		checked = 0
		for _, group := range rules.Spec.Groups {
			for _, rule := range group.Rules {
				for _, match := range named.FindAllStringSubmatch(rule.Expr, -1) {
					name := match[1]
					if foreign[name] || strings.HasPrefix(name, "soma_gateway_") {
						continue
					}
					checked++
					if !strings.Contains(body, "\n"+name+"{") && !strings.Contains(body, "\n"+name+" ") {
						return fmt.Errorf("alert %s names %s, which is not exported", rule.Alert, name)
					}
				}
			}
		}
		return nil
	})
	if checked < 8 {
		t.Errorf("found %d names of metrics in the alerts: are they read rightly?", checked)
	}
}
