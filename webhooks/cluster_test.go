package webhooks

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
)

func TestDecideCluster(t *testing.T) {
	of := func(pages *v1alpha1.JobPages) *cluster {
		return &cluster{ObjectMeta: metav1.ObjectMeta{Name: "east"}, Spec: v1alpha1.ClusterSpec{JobPages: pages}}
	}
	pages := func(middleware v1alpha1.AnnotationValue) *v1alpha1.JobPages {
		return &v1alpha1.JobPages{Domain: "jobs.example.org", Annotations: map[string]v1alpha1.AnnotationValue{"middlewares": middleware}}
	}
	by := func(secret, key string) *cluster {
		reached := of(nil)
		reached.Spec.KubeconfigSecret = &v1alpha1.KubeconfigSecret{Name: secret, Key: key}
		return reached
	}
	d := company()
	operator := roleOf("operator", nil, "write cluster://east")
	d.SetRole(operator.Name, operator)
	d.SetUser("olga", person("olga", operator.Name))
	priced := of(pages("asks"))
	priced.Spec.Prices = &v1alpha1.Prices{Currency: "EUR"}
	for name, tc := range map[string]struct {
		asker         string
		before, after *cluster
		want          string
	}{
		"prices":                      {asker: "soma:olga", before: of(pages("asks")), after: priced},
		"a new one without pages":     {asker: "soma:olga", before: &cluster{}, after: of(nil)},
		"a new one with pages":        {asker: "soma:olga", before: &cluster{}, after: of(pages("asks")), want: "you lack manage on cluster://east: spec.jobPages"},
		"pages where there were none": {asker: "soma:olga", before: of(nil), after: of(pages("asks")), want: "you lack manage on cluster://east"},
		"a proxy that does not ask":   {asker: "soma:olga", before: of(pages("asks")), after: of(pages("open")), want: "you lack manage on cluster://east"},
		"no pages any more":           {asker: "soma:olga", before: of(pages("asks")), after: of(nil), want: "you lack manage on cluster://east"},
		"by who manages the cluster":  {asker: "soma:alice", before: of(pages("asks")), after: of(pages("open"))},
		"by who is no user of Soma's": {asker: "kubernetes-admin", before: of(nil), after: of(pages("open"))},
		"a new one with a kubeconfig": {asker: "soma:olga", before: &cluster{}, after: by("east", ""), want: "you lack manage on cluster://east: spec.kubeconfigSecret"},
		"the kubeconfig as it was":    {asker: "soma:olga", before: by("east", ""), after: by("east", "")},
		"another secret":              {asker: "soma:olga", before: by("east", ""), after: by("soma-redis", ""), want: "you lack manage on cluster://east: spec.kubeconfigSecret"},
		"another key":                 {asker: "soma:olga", before: by("east", ""), after: by("east", "keys"), want: "you lack manage on cluster://east: spec.kubeconfigSecret"},
		"no kubeconfig any more":      {asker: "soma:olga", before: by("east", ""), after: of(nil), want: "you lack manage on cluster://east: spec.kubeconfigSecret"},
		"a kubeconfig by who manages": {asker: "soma:alice", before: of(nil), after: by("east", "")},
	} {
		t.Run(name, func(t *testing.T) {
			outcome(t, false, decideCluster(asking(t, d, tc.asker), tc.before, tc.after), tc.want)
		})
	}
}
