package cli

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	review "github.com/soma-platform/soma/api/access/v1alpha1"
	"github.com/soma-platform/soma/api/v1alpha1"
)

// objectsOf are objects as the API server lists them.
func objectsOf(t *testing.T, kind string, all ...runtime.Object) *unstructured.UnstructuredList {
	t.Helper()
	list := &unstructured.UnstructuredList{}
	for _, object := range all {
		u, err := toUnstructuredWhole(object)
		if err != nil {
			t.Fatal(err)
		}
		u.SetAPIVersion(v1alpha1.GroupVersion.String())
		u.SetKind(kind)
		delete(u.Object, "status")
		list.Items = append(list.Items, *u)
	}
	return list
}

// What is said of rights is read by people in a pipe, and by programs.
func TestGoldenRights(t *testing.T) {
	local := time.Local
	time.Local = time.UTC
	t.Cleanup(func() { time.Local = local })
	made := metav1.NewTime(noon.Add(-26 * time.Hour))
	until := metav1.NewTime(noon.Add(6 * 24 * time.Hour))
	named := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name, CreationTimestamp: made} }
	inVision := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: "vision", Name: name, CreationTimestamp: made}
	}
	because := review.Because{
		Text: "read on job:train was granted by carol on 2026-02-28, until 2026-03-07T12:00:00Z (grant bob.read.job.train in project vision)",
		URI:  "job://*/acme/vision/train", Action: "read", Grant: &review.GrantReference{Project: "vision", Name: "bob.read.job.train"}, GrantedBy: "carol", ExpiresAt: &until,
	}
	grantList := objectsOf(t, "Grant",
		&v1alpha1.Grant{ObjectMeta: inVision("bob.read.job.train"), Spec: v1alpha1.GrantSpec{To: v1alpha1.Grantee{User: "bob"}, URI: "job:train", Action: "read", GrantedBy: "carol", ExpiresAt: &until}},
		&v1alpha1.Grant{ObjectMeta: inVision("group.ml.project-reader"), Spec: v1alpha1.GrantSpec{To: v1alpha1.Grantee{Group: "ml"}, Role: "project-reader", GrantedBy: "ada"}},
		&v1alpha1.Grant{ObjectMeta: inVision("eve.write.job"), Spec: v1alpha1.GrantSpec{To: v1alpha1.Grantee{User: "eve"}, URI: "job:", Action: "write", GrantedBy: "ada", ExpiresAt: &made}},
	)
	userList := objectsOf(t, "User",
		&v1alpha1.User{ObjectMeta: named("carol"), Spec: v1alpha1.UserSpec{Type: "Person", DisplayName: "Carol", Email: "carol@example.com", Roles: []v1alpha1.HeldRole{{Role: "organization-manager", Organization: "acme"}}}},
		&v1alpha1.User{ObjectMeta: named("ci"), Spec: v1alpha1.UserSpec{Type: "ServiceAccount", Owner: "carol", Disabled: new(true), Tokens: []v1alpha1.Token{
			{ID: "build", ExpiresAt: until, Scope: []v1alpha1.Permission{{URI: "job://local/acme/vision", Action: "write"}}}, {ID: "old", ExpiresAt: made},
		}}},
	)
	roleList := objectsOf(t, "Role",
		&v1alpha1.Role{ObjectMeta: named("project-reader"), Spec: v1alpha1.RoleSpec{Description: "Looks at a project's work.", Grants: []v1alpha1.Permission{{URI: "job:", Action: "read"}, {URI: "secret:", Action: "list"}}}},
		&v1alpha1.Role{ObjectMeta: named("project-writer"), Spec: v1alpha1.RoleSpec{Description: "Works in a project.", Includes: []string{"project-reader"}, Grants: []v1alpha1.Permission{{URI: "job:", Action: "write"}}}},
	)
	own := &chain{whole: true, quotas: []v1alpha1.Quota{
		{ObjectMeta: named("research"), Spec: v1alpha1.QuotaSpec{Parent: "acme", Nominal: v1alpha1.ResourceAmounts{GPUs: new(int32(4))}, PerUser: &v1alpha1.ResourceAmounts{GPUs: new(int32(2))}},
			Status: v1alpha1.QuotaStatus{Used: &v1alpha1.ResourceAmounts{GPUs: new(int32(3))}, Users: []v1alpha1.UserUsage{{Name: "bob", Used: v1alpha1.ResourceAmounts{GPUs: new(int32(1))}}}}},
		{ObjectMeta: named("acme"), Spec: v1alpha1.QuotaSpec{
			Nominal: v1alpha1.ResourceAmounts{GPUs: new(int32(16))}, Budgets: []v1alpha1.Budget{{Name: "monthly", Period: "Month", GPUHours: new(int64(1000)), Action: "StartNothing"}},
		}, Status: v1alpha1.QuotaStatus{
			Used: &v1alpha1.ResourceAmounts{GPUs: new(int32(7))}, Pool: &v1alpha1.QuotaPool{Total: v1alpha1.ResourceAmounts{GPUs: new(int32(20))}, Used: v1alpha1.ResourceAmounts{GPUs: new(int32(7))}},
			Budgets: []v1alpha1.BudgetStatus{{
				Name: "monthly", Limit: "1000", Unit: "GPU-hours", WindowStart: made, WindowEnd: until, Used: "12.500000", Forecast: "752.000000",
			}},
		}},
	}}
	whole := func(object runtime.Object) *unstructured.Unstructured {
		u, err := toUnstructuredWhole(object)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	holders := &review.HoldersReview{TypeMeta: reviewType("HoldersReview"), Spec: review.HoldersReviewSpec{URI: "job:train", Project: "vision", Action: "read"}, Status: review.HoldersReviewStatus{
		Holders: []review.Holder{{User: "carol", DisplayName: "Carol", Level: "manage", Because: "user carol has role organization-manager in organization acme"}, {User: "bob", Level: "read", Because: because.Text}},
	}}
	self := &review.SelfReview{TypeMeta: reviewType("SelfReview"), Status: review.SelfReviewStatus{
		User: "bob", Username: "soma:bob", DisplayName: "Bob", Groups: []string{"ml", "vision"}, Roles: []v1alpha1.HeldRole{{Role: "auditor", Organization: "acme"}},
		Rights: []review.HeldRight{{URI: "cluster://", Action: "read", Because: review.Because{Text: "everybody has role everyone"}}, {URI: because.URI, Action: "read", Because: because}},
	}}
	commands := map[string]func(a *app, out *output) error{
		"can-i": func(a *app, _ *output) error {
			a.printAnswer(a.out, &review.AccessReview{Status: review.AccessReviewStatus{User: "bob", Allowed: true, Level: "read", Because: []review.Because{because, {Text: "user bob has role auditor in organization acme"}}}})
			a.printAnswer(a.out, &review.AccessReview{Status: review.AccessReviewStatus{User: "bob", Level: "read", Managers: []string{"ada", "carol"}, Missing: []review.MissingRight{{URI: "job://local/acme/vision/train", Action: "write"}}}})
			a.printAnswer(a.out, &review.AccessReview{Status: review.AccessReviewStatus{Missing: []review.MissingRight{{URI: "job:train", Action: "read"}}, Message: `Soma does not know "root"`}})
			return nil
		},
		"who-can": func(a *app, out *output) error { return a.printHolders(holders, whole(holders), out) },
		"whoami":  func(a *app, out *output) error { return a.printSelf(self, whole(self), out) },
		"acl ls":  func(a *app, out *output) error { return grantListing().print(a.out, grantList, out, noon) },
		"user get": func(a *app, _ *output) error {
			carol := &v1alpha1.User{ObjectMeta: named("carol"), Spec: v1alpha1.UserSpec{
				Type: "Person", DisplayName: "Carol", Email: "carol@example.com", Identities: []v1alpha1.Identity{{Issuer: "https://id.example", Subject: "8f1c"}},
				Roles: []v1alpha1.HeldRole{{Role: "organization-manager", Organization: "acme"}, {Role: "auditor"}}, Delegates: []string{"ci"},
			}, Status: v1alpha1.UserStatus{Groups: []string{"ml", "vision"}, LastSignIn: &made}}
			service := &v1alpha1.User{ObjectMeta: named("ci"), Spec: v1alpha1.UserSpec{Type: "ServiceAccount", Owner: "carol", Disabled: new(true), NotBefore: &made, Tokens: []v1alpha1.Token{
				{ID: "build", ExpiresAt: until, Scope: []v1alpha1.Permission{{URI: "job://local/acme/vision", Action: "write"}}}, {ID: "old", ExpiresAt: made},
			}}}
			for _, user := range []*v1alpha1.User{carol, service} {
				a.printFields(a.out, userFields(user, []*v1alpha1.User{carol, service}, noon))
				fmt.Fprintln(a.out)
			}
			return nil
		},
		"role ls": func(a *app, out *output) error { l := roleListing(); return l.print(a.out, roleList, out, noon) },
		"user ls": func(a *app, out *output) error { l := userListing(); return l.print(a.out, userList, out, noon) },
		"service-account ls": func(a *app, out *output) error {
			l, found := serviceAccountListing(), userList.DeepCopy()
			l.order(found)
			return l.print(a.out, found, out, noon)
		},
		"role describe": func(a *app, _ *output) error {
			tree := map[string]*v1alpha1.Role{"auditor": {Spec: v1alpha1.RoleSpec{Includes: []string{"project-writer", "project-reader", "hidden"}}}}
			for i := range roleList.Items {
				role, err := decode[v1alpha1.Role](&roleList.Items[i])
				if err != nil {
					return err
				}
				tree[role.Name] = role
			}
			describeRole(a.out, "auditor", tree, "", map[string]bool{})
			return nil
		},
		"quota": func(a *app, out *output) error {
			return a.printOwnQuota("bob", "vision", own, out.wide())
		},
	}
	formats := map[string]string{"table": "", "wide": "wide", "json": "json", "yaml": "yaml", "name": "name", "jsonpath": "jsonpath={.kind}"}
	peopleAlone := map[string]bool{"user get": true, "can-i": true, "role describe": true, "quota": true}
	for name, run := range commands {
		for format, flag := range formats {
			if peopleAlone[name] && flag != "" {
				continue
			}
			t.Run(name+"/"+format, func(t *testing.T) {
				var out, errOut bytes.Buffer
				a := &app{program: "soma", out: &out, err: &errOut, now: func() time.Time { return noon }, clients: &clients{project: "vision"},
					style: styleFor(&errOut, func(string) string { return "" })}
				if err := run(a, &output{format: flag}); err != nil {
					t.Fatal(err)
				}
				if errOut.Len() > 0 {
					t.Errorf("standard error has %q", errOut.String())
				}
				golden(t, strings.ReplaceAll(name, " ", "-")+"."+format, out.Bytes())
			})
		}
	}
}

// What is listed of a grant says whether it counts, by what Soma found and by the clock.
func TestCountsText(t *testing.T) {
	at := func(after time.Duration) *metav1.Time { return &metav1.Time{Time: noon.Add(after)} }
	found := func(status metav1.ConditionStatus, reason string) []metav1.Condition {
		return []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: status, Reason: reason}}
	}
	tests := map[string]struct {
		expires    *metav1.Time
		conditions []metav1.Condition
		want       string
	}{
		"not looked at":       {nil, nil, ""},
		"for ever":            {nil, found(metav1.ConditionTrue, v1alpha1.ReasonAvailable), "yes"},
		"for a while":         {at(time.Hour), found(metav1.ConditionTrue, v1alpha1.ReasonAvailable), "yes"},
		"over":                {at(-3 * time.Hour), found(metav1.ConditionFalse, v1alpha1.ReasonExpired), "no, ended 3h ago"},
		"over, not told yet":  {at(0), found(metav1.ConditionTrue, v1alpha1.ReasonAvailable), "no, ended 0s ago"},
		"of a role of no use": {nil, found(metav1.ConditionFalse, v1alpha1.ReasonGivesNothing), "no, GivesNothing"},
	}
	for name, test := range tests {
		g := &v1alpha1.Grant{Spec: v1alpha1.GrantSpec{ExpiresAt: test.expires}, Status: v1alpha1.GrantStatus{Conditions: test.conditions}}
		if got := countsText(g, noon); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
