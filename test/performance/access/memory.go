package main

import (
	"fmt"
	"time"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/testing/heap"
	"github.com/soma-platform/soma/internal/testing/people"
	"github.com/soma-platform/soma/test/performance/report"
)

// inMemory measures what is decided alone, without an API server: all from nothing, and after one change.
func (b *bench) inMemory() {
	before := heap.Live()
	d := access.NewDirectory()
	b.roles(d)
	for i := range b.projects {
		d.SetProject(projectName(i), &access.ProjectFacts{Organization: organization(i)})
	}
	for i := range b.users {
		d.SetUser(userName(i), b.newUser(i))
		for n := range b.memberships {
			g := b.newGrant(i, n)
			d.SetGrant(g.Namespace, g.Name, g)
		}
	}
	m, now := access.NewMembership(d), time.Now()
	began := time.Now()
	m.Update(now, d.Users()...)
	for _, project := range d.Projects() {
		m.CompileProject(project, nil)
	}
	m.CompilePlatform()
	b.figure("everything is compiled", time.Since(began).Seconds(), "s", "in memory")
	b.figure("memory of what is known and compiled", float64(heap.Live()-before)/(1<<20), "MB", "in memory")

	var times []float64
	for i := range 1000 {
		user := userName((i * 31) % b.users)
		g := &v1alpha1.Grant{Spec: v1alpha1.GrantSpec{To: v1alpha1.Grantee{User: user}, Role: "project-writer"}}
		g.Namespace, g.Name = projectName((i*17)%b.projects), fmt.Sprintf("change-%d", i)
		began := time.Now()
		d.SetGrant(g.Namespace, g.Name, g)
		for _, project := range m.Update(now, user) {
			m.CompileProject(project, nil)
		}
		m.CompilePlatform()
		times = append(times, float64(time.Since(began).Microseconds())/1000)
	}
	b.figure("one change is compiled, p50", report.Quantile(times, 0.5), "ms", "in memory; all projects of the user, and the platform")
	b.figure("one change is compiled, p99", report.Quantile(times, 0.99), "ms", "in memory")
}

// roles puts the roles that come with Soma into a directory.
func (b *bench) roles(d *access.Directory) {
	objects, err := people.BuiltIn(".")
	if err != nil {
		b.Say("%v", err)
		return
	}
	for _, object := range objects {
		if role, ok := object.(*v1alpha1.Role); ok {
			d.SetRole(role.Name, role)
		}
	}
}
