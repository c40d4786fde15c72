package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
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
	if err := b.server.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: systemNamespace}}); err != nil {
		return err
	}
	for _, folder := range []string{"rbac", "access"} {
		objects, err := b.installed(folder)
		if err != nil {
			return err
		}
		for _, object := range objects {
			if err := b.server.Client.Create(ctx, object); err != nil {
				return fmt.Errorf("make %s: %w", object.GetName(), err)
			}
		}
	}
	b.say("Users, projects and grants are made.")
	return errors.Join(
		b.each(b.projects, func(i int) error { return b.makeProject(ctx, i) }),
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

// makeProject makes a project and, in place of its controller, its namespace.
func (b *bench) makeProject(ctx context.Context, i int) error {
	project := b.newProject(i)
	if err := b.server.Client.Create(ctx, project); err != nil {
		return err
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:            project.Name,
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(project, v1alpha1.GroupVersion.WithKind("Project"))},
	}}
	if err := b.server.Client.Create(ctx, namespace); err != nil {
		return err
	}
	before := project.DeepCopy()
	project.Status.Namespace = &v1alpha1.ProjectNamespace{Name: namespace.Name, UID: string(namespace.UID)}
	return b.server.Client.Status().Patch(ctx, project, client.MergeFrom(before))
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

// installed are the objects of a folder of what is installed.
func (b *bench) installed(folder string) ([]client.Object, error) {
	files, err := filepath.Glob(b.config(folder, "*.yaml"))
	if err != nil {
		return nil, err
	}
	var objects []client.Object
	for _, file := range files {
		if filepath.Base(file) == "kustomization.yaml" {
			continue
		}
		text, err := os.ReadFile(file) //nolint:gosec // a file of this repository
		if err != nil {
			return nil, err
		}
		for decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), len(text)); ; {
			object := &unstructured.Unstructured{}
			if err := decoder.Decode(object); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, fmt.Errorf("read %s: %w", file, err)
			}
			objects = append(objects, object)
		}
	}
	return objects, nil
}
