package access

import (
	"fmt"
	"testing"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// large is a directory of 10,000 users and 1,000 projects, each user with a role in three of them; some oversee an organization.
func large() (*Directory, *Membership) {
	const users, projects, organizations = 10_000, 1_000, 100
	d := NewDirectory()
	for _, r := range []*v1alpha1.Role{
		role(EveryoneRole, nil, "read cluster://"),
		role("reader", nil, "read job:", "read app:", "read flow:", "read disk:", "read storage:", "read project:", "list secret:"),
		role("writer", []string{"reader"}, "write job:", "write app:", "write flow:", "write disk:", "write storage:", "write secret:"),
	} {
		d.SetRole(r.Name, r)
	}
	for i := range projects {
		d.SetProject(fmt.Sprintf("project-%d", i), &ProjectFacts{Organization: fmt.Sprintf("org-%d", i%organizations)})
	}
	for i := range users {
		name := fmt.Sprintf("user-%d", i)
		u := user(name, nil)
		if i%100 == 0 {
			u.Spec.Roles = []v1alpha1.HeldRole{{Role: "writer", Organization: fmt.Sprintf("org-%d", i%organizations)}}
		}
		d.SetUser(name, u)
		for n := range 3 {
			g := grant(fmt.Sprintf("project-%d", (i*7919+n*104729)%projects), fmt.Sprintf("grant-%d-%d", i, n), v1alpha1.GrantSpec{
				To: v1alpha1.Grantee{User: name}, Role: []string{"reader", "writer"}[(i+n)%2],
			})
			d.SetGrant(g.Namespace, g.Name, g)
		}
	}
	m := NewMembership(d)
	m.Update(noon, d.Users()...)
	return d, m
}

// BenchmarkChange is what it costs to find, after a grant, what the user may do, and to compile what follows from it.
func BenchmarkChange(b *testing.B) {
	d, m := large()
	for i := 0; b.Loop(); i++ {
		name := fmt.Sprintf("user-%d", (i*31+7)%10_000)
		g := grant(fmt.Sprintf("project-%d", i%1_000), fmt.Sprint("change-", i), v1alpha1.GrantSpec{To: v1alpha1.Grantee{User: name}, Role: "writer"})
		d.SetGrant(g.Namespace, g.Name, g)
		for _, project := range m.Update(noon, name) {
			m.CompileProject(project, nil)
		}
		m.CompilePlatform()
	}
}

// BenchmarkEverything is what it costs to compile all from nothing.
func BenchmarkEverything(b *testing.B) {
	d, m := large()
	for b.Loop() {
		m.Update(noon, d.Users()...)
		for _, project := range d.Projects() {
			m.CompileProject(project, nil)
		}
		m.CompilePlatform()
	}
}
