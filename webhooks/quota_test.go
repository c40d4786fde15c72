package webhooks

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
)

func TestDecideQuota(t *testing.T) {
	of := func(parent string) *quota {
		return &quota{ObjectMeta: metav1.ObjectMeta{Name: "new"}, Spec: v1alpha1.QuotaSpec{Parent: parent}}
	}
	for name, tc := range map[string]struct {
		asker         string
		before, after *quota
		want          string
	}{
		"below one's own":             {asker: "soma:erin", before: of(""), after: of("small")},
		"below another's":             {asker: "soma:erin", before: of(""), after: of("large"), want: "you lack write on quota://large: spec.parent"},
		"below one that is not there": {asker: "soma:erin", before: of("small"), after: of("gone"), want: "you lack write on quota://gone: spec.parent"},
		"where it is":                 {asker: "soma:erin", before: of("large"), after: of("large")},
		"below none":                  {asker: "soma:erin", before: of("large"), after: of("")},
		"a new one, below another's":  {asker: "soma:dave", before: &quota{}, after: of("small"), want: "you lack write on quota://small"},
		"by who manages all of them":  {asker: "soma:alice", before: &quota{}, after: of("large")},
		"by who is no user of Soma's": {asker: "kubernetes-admin", before: of(""), after: of("large")},
	} {
		t.Run(name, func(t *testing.T) {
			outcome(t, false, decideQuota(asking(t, company(), tc.asker), tc.before, tc.after), tc.want)
		})
	}
}
