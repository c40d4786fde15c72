package access

import (
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"

	historyv1 "github.com/soma-platform/soma/api/history/v1alpha1"
	"github.com/soma-platform/soma/api/v1alpha1"
)

// What an action allows in Kubernetes. What is in this file is all that Soma ever lets anybody do there: the cluster roles of
// a project are made from it (config/rbac), and so are those for single objects and for what lies in no project.

var (
	look   = []string{"get", "list", "watch"}
	change = []string{"create", "delete", "deletecollection", "patch", "update"}
	// changeOne is what can be allowed of an object that is named: who may make one, may make all.
	changeOne = []string{"delete", "patch", "update"}
)

// connections are what one opens to a pod to work in it.
var connections = []string{"pods/attach", "pods/exec", "pods/portforward"}

// ProjectSchemes are those whose things are Kubernetes objects in a project's namespace.
var ProjectSchemes = []Scheme{Job, Secret, Project}

// ProjectRules are the rules, in the namespace of a project, for a level on all of a scheme in it. They are none where the
// level allows nothing there.
func ProjectRules(scheme Scheme, level Level) []rbacv1.PolicyRule {
	var rules []rbacv1.PolicyRule
	add := func(from Level, group string, verbs []string, resources ...string) {
		if level >= from {
			rules = append(rules, rbacv1.PolicyRule{APIGroups: []string{group}, Resources: resources, Verbs: verbs})
		}
	}
	switch scheme {
	case Job:
		add(Read, v1alpha1.GroupName, look, "jobs")
		add(Read, v1alpha1.GroupName, []string{"get"}, "jobs/status")
		add(Read, historyv1.GroupName, []string{"get", "list"}, "jobrecords")
		add(Read, "", look, "pods", "events")
		add(Read, "events.k8s.io", look, "events")
		add(Read, "", []string{"get"}, "pods/log")
		add(Write, v1alpha1.GroupName, change, "jobs")
		add(Write, "", []string{"create", "get"}, connections...)
	case Secret:
		add(Read, "", look, "secrets")
		add(Write, "", change, "secrets")
	case Project:
		add(Read, v1alpha1.GroupName, look, "grants")
	}
	return rules
}

// ShareRules let make and revoke grants in a project. Which of them somebody may make, admission decides.
func ShareRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{{
		APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"grants"}, Verbs: slices.Concat(look, changeOne, []string{"create"}),
	}}
}

// ObjectRules are the rules, in the namespace of a project, for a level on one thing of a scheme: for a job also on its pods,
// which are named.
func ObjectRules(scheme Scheme, level Level, name string, pods []string) []rbacv1.PolicyRule {
	var rules []rbacv1.PolicyRule
	add := func(from Level, group string, verbs, names []string, resources ...string) {
		if level >= from && len(names) > 0 {
			rules = append(rules, rbacv1.PolicyRule{APIGroups: []string{group}, Resources: resources, ResourceNames: names, Verbs: verbs})
		}
	}
	one := []string{name}
	switch scheme {
	case Job:
		add(Read, v1alpha1.GroupName, look, one, "jobs")
		add(Read, v1alpha1.GroupName, []string{"get"}, one, "jobs/status")
		add(Read, "", look, pods, "pods")
		add(Read, "", []string{"get"}, pods, "pods/log")
		add(Write, v1alpha1.GroupName, changeOne, one, "jobs")
		add(Write, "", []string{"create", "get"}, pods, connections...)
	case Secret:
		add(Read, "", look, one, "secrets")
		add(Write, "", changeOne, one, "secrets")
	}
	return rules
}

// kinds are those of ours that lie in no project, by scheme.
var kinds = map[Scheme]string{Cluster: "clusters", Role: "roles", User: "users", Quota: "quotas", Project: "projects"}

// PlatformRules are the rules for a level on all of a kind that lies in no namespace.
func PlatformRules(scheme Scheme, level Level) []rbacv1.PolicyRule {
	kind := kinds[scheme]
	if kind == "" || level < Read {
		return nil
	}
	rules := []rbacv1.PolicyRule{{APIGroups: []string{v1alpha1.GroupName}, Resources: []string{kind}, Verbs: look}}
	if level >= Write {
		rules = append(rules, rbacv1.PolicyRule{APIGroups: []string{v1alpha1.GroupName}, Resources: []string{kind}, Verbs: changeOfPlatform(scheme, level)})
	}
	return rules
}

// changeOfPlatform are the verbs for a level of Write or more on all of a kind.
func changeOfPlatform(scheme Scheme, level Level) []string {
	if scheme == Project && level < Manage {
		return []string{"patch", "update"}
	}
	return []string{"create", "delete", "patch", "update"}
}

// NamedRules are the rules for a level on one object of a kind that lies in no namespace. One may find a project from the
// level List on.
func NamedRules(scheme Scheme, level Level, names ...string) []rbacv1.PolicyRule {
	kind := kinds[scheme]
	if kind == "" || level == None || level == List && scheme != Project || len(names) == 0 {
		return nil
	}
	rule := func(verbs ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{v1alpha1.GroupName}, Resources: []string{kind}, ResourceNames: names, Verbs: verbs}
	}
	rules := []rbacv1.PolicyRule{rule(look...)}
	switch {
	case level >= Write && scheme != Project, level == Manage:
		rules = append(rules, rule(changeOne...))
	case level == Write:
		rules = append(rules, rule("patch", "update"))
	}
	return rules
}

// Everywhere are the rules, in all namespaces, for a level on all jobs there are: Soma's own kinds alone, as in the
// namespaces of others pods and secrets are not Soma's to give.
func Everywhere(level Level) []rbacv1.PolicyRule {
	if level < Read {
		return nil
	}
	return []rbacv1.PolicyRule{
		{APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"jobs"}, Verbs: look},
		{APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"jobs/status"}, Verbs: []string{"get"}},
		{APIGroups: []string{historyv1.GroupName}, Resources: []string{"jobrecords"}, Verbs: []string{"get", "list"}},
	}
}
