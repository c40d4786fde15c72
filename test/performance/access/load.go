package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/testing/manager"
)

const (
	// loaders make objects side by side.
	loaders = 16
	// organizations are how many the projects are spread over.
	organizations = 100
	// overseers is every how many-th user holds a role in an organization.
	overseers = 100
)

// roleOf is the role that a user has in the n-th of their projects.
func roleOf(user, n int) string {
	return []string{"project-writer", "project-reader", "project-writer", "project-reader", "project-manager"}[(user+n)%5]
}

func userName(i int) string    { return fmt.Sprintf("user-%d", i) }
func projectName(i int) string { return fmt.Sprintf("project-%d", i) }

// spread is the n-th project of a user: which, is the same in every run.
func (b *bench) spread(user, n int) int { return (user*7919 + n*104729 + n) % b.projects }

func (b *bench) newUser(i int) *v1alpha1.User {
	u := &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: userName(i)}, Spec: v1alpha1.UserSpec{
		Type: v1alpha1.UserPerson, Identities: []v1alpha1.Identity{{Issuer: "https://issuer.example", Subject: userName(i)}},
	}}
	if i%overseers == 0 {
		u.Spec.Roles = []v1alpha1.HeldRole{{Role: "organization-manager", Organization: organization(i / overseers)}}
	}
	if i < 3 {
		u.Spec.Roles = append(u.Spec.Roles, v1alpha1.HeldRole{Role: "cluster-admin"})
	}
	return u
}

func organization(i int) string { return fmt.Sprintf("org-%d", i%organizations) }

func (b *bench) newProject(i int) *v1alpha1.Project {
	return &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: projectName(i)}, Spec: v1alpha1.ProjectSpec{Organization: organization(i)}}
}

func (b *bench) newGrant(user, n int) *v1alpha1.Grant {
	return &v1alpha1.Grant{
		ObjectMeta: metav1.ObjectMeta{Namespace: projectName(b.spread(user, n)), Name: fmt.Sprintf("grant-%d-%d", user, n)},
		Spec:       v1alpha1.GrantSpec{To: v1alpha1.Grantee{User: userName(user)}, Role: roleOf(user, n)},
	}
}

// load makes what is installed, and the users, projects and grants.
func (b *bench) load(ctx context.Context) error {
	if err := manager.InstallAccess(ctx, b.server); err != nil {
		return err
	}
	b.Say("Users, projects and grants are made.")
	return errors.Join(
		b.each(b.projects, func(i int) error { return manager.MakeProject(ctx, b.server.Client, b.newProject(i)) }),
		b.each(b.users, func(i int) error {
			if err := b.server.Client.Create(ctx, b.newUser(i)); err != nil {
				return err
			}
			for n := range b.memberships {
				if err := b.server.Client.Create(ctx, b.newGrant(i, n)); err != nil {
					return err
				}
			}
			return nil
		}),
	)
}

// each calls a function for so many numbers, some side by side, and gives up at the first error.
func (b *bench) each(count int, do func(i int) error) error {
	work, failed := make(chan int), make(chan error, loaders)
	var all sync.WaitGroup
	for range loaders {
		all.Go(func() {
			for i := range work {
				if err := do(i); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	defer all.Wait()
	defer close(work)
	for i := range count {
		select {
		case work <- i:
		case err := <-failed:
			return err
		}
	}
	return nil
}
