package access

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/soma-platform/soma/internal/access"
)

// The manager can give whatever may have to be given: it may bind what is installed, and has what it makes roles of.
func TestManagerHasWhatItGives(t *testing.T) {
	has := installedRules(t, "../../config/rbac/role.yaml")
	for _, role := range access.ClusterRoles() {
		want := rbacv1.PolicyRule{
			APIGroups: []string{rbacv1.GroupName}, Resources: []string{"clusterroles"}, Verbs: []string{"bind"}, ResourceNames: []string{role.Name},
		}
		if !covered(want, has) {
			t.Errorf("it may not bind cluster role %s: name it in a marker", role.Name)
		}
	}
	var made []rbacv1.PolicyRule
	for _, scheme := range []access.Scheme{access.Job, access.Secret} {
		made = append(made, access.ObjectRules(scheme, access.Write, "one", []string{"one-1-0"})...)
	}
	for _, scheme := range append(slices.Clone(access.ByName), access.Project) {
		made = append(made, access.PlatformRules(scheme, access.Manage)...)
		made = append(made, access.NamedRules(scheme, access.Manage, "one")...)
	}
	made = append(made, access.Everywhere(access.Manage)...)
	// What everybody may, whoever they are.
	for _, role := range access.NewMembership(access.NewDirectory()).CompilePlatform() {
		made = append(made, role.Rules...)
	}
	for _, rule := range made {
		if !covered(rule, has) {
			t.Errorf("it cannot give %+v, which it has not", rule)
		}
	}
}

// Nobody, the manager included, may do whatever there is, or give what they have not.
func TestNothingIsUnbounded(t *testing.T) {
	for _, file := range []string{"role.yaml", "access.yaml"} {
		for _, rule := range installedRules(t, "../../config/rbac/"+file) {
			for _, of := range [][]string{rule.Verbs, rule.APIGroups, rule.Resources, rule.ResourceNames} {
				if slices.ContainsFunc(of, func(s string) bool { return s == "*" || s == "escalate" || s == "impersonate" }) {
					t.Errorf("%s: %+v", file, rule)
				}
			}
			if slices.Contains(rule.Verbs, "bind") && len(rule.ResourceNames) == 0 {
				t.Errorf("%s: %+v binds anything", file, rule)
			}
		}
	}
}

// covered reports whether rules allow all that one does.
func covered(want rbacv1.PolicyRule, has []rbacv1.PolicyRule) bool {
	for _, group := range want.APIGroups {
		for _, resource := range want.Resources {
			for _, verb := range want.Verbs {
				if !slices.ContainsFunc(has, func(rule rbacv1.PolicyRule) bool {
					return slices.Contains(rule.APIGroups, group) && slices.Contains(rule.Resources, resource) && slices.Contains(rule.Verbs, verb) &&
						(len(rule.ResourceNames) == 0 || slices.Equal(rule.ResourceNames, want.ResourceNames) ||
							len(want.ResourceNames) == 1 && slices.Contains(rule.ResourceNames, want.ResourceNames[0]))
				}) {
					return false
				}
			}
		}
	}
	return true
}

// installedRules are those of the cluster roles of a file.
func installedRules(t *testing.T, file string) []rbacv1.PolicyRule {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var rules []rbacv1.PolicyRule
	for decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), len(text)); ; {
		var role rbacv1.ClusterRole
		if err := decoder.Decode(&role); errors.Is(err, io.EOF) {
			return rules
		} else if err != nil {
			t.Fatal(err)
		}
		if role.Kind == "ClusterRole" {
			rules = append(rules, role.Rules...)
		}
	}
}
