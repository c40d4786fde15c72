package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	rights "github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/authority"
	"github.com/soma-platform/soma/internal/testing/heap"
	"github.com/soma-platform/soma/internal/testing/manager"
	"github.com/soma-platform/soma/test/performance/report"
)

const (
	poll = 100 * time.Millisecond
	// sampled is how many rights are asked for once all is bound.
	sampled = 500
)

func (b *bench) measure(ctx context.Context) (err error) {
	ctx, stop := context.WithCancel(ctx)
	mgr, who, err := manager.Access(ctx, b.server)
	if err != nil {
		stop()
		return err
	}
	b.Say("The controllers start.")
	ended := make(chan error, 1)
	before, began := heap.Live(), time.Now()
	go func() { ended <- mgr.Start(ctx) }()
	defer func() { stop(); err = errors.Join(err, <-ended) }()
	if err := b.cold(ctx, mgr.GetClient(), who, began); err != nil {
		return err
	}
	b.figure("memory of the controllers", float64(heap.Live()-before)/(1<<20), "MB", "caches included")
	if err := b.sample(ctx, who); err != nil {
		return err
	}
	if err := b.change(ctx); err != nil {
		return err
	}
	return b.settle(ctx, mgr.GetClient(), began)
}

// cold waits until as many bindings stand as are to.
func (b *bench) cold(ctx context.Context, cached client.Client, who *authority.Authority, began time.Time) error {
	if err := b.until(ctx, func() (bool, error) { return who.Synced(), nil }); err != nil {
		return fmt.Errorf("wait until users, roles and grants are known: %w", err)
	}
	b.figure("users, roles and grants are known", time.Since(began).Seconds(), "s", "since the start of the manager")
	namespaced, cluster := 0, 0
	who.View(func(d *rights.Directory, m *rights.Membership, _ time.Time) {
		for _, project := range d.Projects() {
			compiled := m.CompileProject(project, nil)
			namespaced += len(compiled.Namespaced)
			cluster += len(compiled.Cluster)
		}
		cluster += len(m.CompilePlatform())
	})
	err := b.until(ctx, func() (bool, error) {
		var bindings rbacv1.RoleBindingList
		var clusterBindings rbacv1.ClusterRoleBindingList
		for _, list := range []client.ObjectList{&bindings, &clusterBindings} {
			if err := cached.List(ctx, list, client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency); err != nil {
				return false, err
			}
		}
		return len(bindings.Items) == namespaced && len(clusterBindings.Items) == cluster, nil
	})
	if err != nil {
		return fmt.Errorf("wait for %d bindings in projects and %d outside: %w", namespaced, cluster, err)
	}
	b.figure("all is bound", time.Since(began).Seconds(), "s", fmt.Sprintf("since the start of the manager; %d bindings in projects, %d outside", namespaced, cluster))
	b.Say("All is bound.")
	return nil
}

// settle waits until all that is said in the status of users and grants is said.
func (b *bench) settle(ctx context.Context, cached client.Client, began time.Time) error {
	said := func(o interface{ GetConditions() *[]metav1.Condition }) bool { return len(*o.GetConditions()) > 0 }
	err := b.until(ctx, func() (bool, error) {
		var users v1alpha1.UserList
		var grants v1alpha1.GrantList
		for _, list := range []client.ObjectList{&users, &grants} {
			if err := cached.List(ctx, list, client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency); err != nil {
				return false, err
			}
		}
		for i := range users.Items {
			if !said(&users.Items[i]) {
				return false, nil
			}
		}
		for i := range grants.Items {
			if !said(&grants.Items[i]) {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("wait for the status of users and grants: %w", err)
	}
	b.figure("all users and grants say how they stand", time.Since(began).Seconds(), "s", "since the start of the manager")
	b.Say("All users and grants say how they stand.")
	return nil
}

// sample asks the API server for rights that it has to know by now.
func (b *bench) sample(ctx context.Context, who *authority.Authority) error {
	var times []float64
	for i := range sampled {
		user, project := (i*613)%b.users, (i*389)%b.projects
		if i%2 == 0 {
			project = b.spread(user, i%b.memberships)
		}
		want := who.Tree(userName(user)).Allows(rights.In(rights.Job, rights.Home, organization(project), projectName(project)), rights.Read)
		began := time.Now()
		may, err := b.may(ctx, userName(user), projectName(project))
		if err != nil {
			return err
		}
		times = append(times, float64(time.Since(began).Microseconds())/1000)
		if may != want {
			return fmt.Errorf("the API server lets %s look at the jobs of %s: %t; Soma: %t", userName(user), projectName(project), may, want)
		}
	}
	b.figure("one SubjectAccessReview, p50", report.Quantile(times, 0.5), "ms", "")
	return nil
}

// change makes and revokes grants, one after the other, and waits each time until the API server says so.
func (b *bench) change(ctx context.Context) error {
	b.Say("Grants are made and revoked.")
	var made, revoked []float64
	for i := range b.changes {
		user := i*overseers + overseers/2 // who oversees nothing
		user %= b.users
		project := (i*37 + 11) % b.projects
		may, err := b.may(ctx, userName(user), projectName(project))
		if err != nil {
			return err
		}
		if may {
			continue
		}
		grant := &v1alpha1.Grant{
			ObjectMeta: metav1.ObjectMeta{Namespace: projectName(project), Name: fmt.Sprintf("change-%d", i)},
			Spec:       v1alpha1.GrantSpec{To: v1alpha1.Grantee{User: userName(user)}, Role: "project-reader"},
		}
		for _, step := range []struct {
			do    func() error
			want  bool
			times *[]float64
		}{
			{func() error { return b.server.Client.Create(ctx, grant) }, true, &made},
			{func() error { return b.server.Client.Delete(ctx, grant) }, false, &revoked},
		} {
			began := time.Now()
			if err := step.do(); err != nil {
				return err
			}
			for may := !step.want; may != step.want; {
				if time.Since(began) > b.timeout {
					return fmt.Errorf("grant %s takes no effect", grant.Name)
				}
				if may, err = b.may(ctx, userName(user), projectName(project)); err != nil {
					return err
				}
			}
			*step.times = append(*step.times, float64(time.Since(began).Microseconds())/1000)
		}
	}
	for name, times := range map[string][]float64{"a grant": made, "a revocation": revoked} {
		if len(times) == 0 {
			return errors.New("nothing was changed: everybody may do everything")
		}
		b.figure(name+" is known to the API server, p50", report.Quantile(times, 0.5), "ms", fmt.Sprintf("from the request on, of %d, while the status of users and grants is written", len(times)))
		b.figure(name+" is known to the API server, p99", report.Quantile(times, 0.99), "ms", "")
	}
	return nil
}

// may asks the API server whether a user may look at the jobs of a project.
func (b *bench) may(ctx context.Context, user, project string) (bool, error) {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: rights.UserPrefix + user, Groups: []string{rights.UsersGroup, "system:authenticated"},
		ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "list", Group: v1alpha1.GroupName, Resource: "jobs", Namespace: project},
	}}
	err := b.server.Client.Create(ctx, review)
	return review.Status.Allowed, err
}

// until waits for a condition.
func (b *bench) until(ctx context.Context, holds func() (bool, error)) error {
	ctx, stop := context.WithTimeout(ctx, b.timeout)
	defer stop()
	for {
		held, err := holds()
		if held || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(poll):
		}
	}
}
