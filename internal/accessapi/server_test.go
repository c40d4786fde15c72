package accessapi_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/soma-platform/soma/api/access/v1alpha1"
	platform "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/testing/apiserver"
	"github.com/soma-platform/soma/internal/testing/people"
)

// The cluster's own API server says who asks, and lets every user of ours ask.
func TestReviewsThroughTheCluster(t *testing.T) {
	server, err := apiserver.Start(apiserver.Options{Aggregation: true, Output: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	_, ended, err := people.Rights(ctx, server, t.TempDir())
	t.Cleanup(func() {
		stop()
		if ended != nil {
			if err := ended(); err != nil {
				t.Error(err)
			}
		}
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	objects, err := people.BuiltIn("../..")
	if err != nil {
		t.Fatal(err)
	}
	everyone := metav1.ObjectMeta{Name: "soma:everyone"}
	grant := &platform.Grant{ObjectMeta: metav1.ObjectMeta{Namespace: "vision", Name: "bob.read.job.train"}, Spec: platform.GrantSpec{
		To: platform.Grantee{User: "bob"}, URI: "job:train", Action: "read",
	}}
	objects = append(objects,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "vision"}},
		&platform.Project{ObjectMeta: metav1.ObjectMeta{Name: "vision"}, Spec: platform.ProjectSpec{Organization: "acme"}},
		&platform.User{ObjectMeta: metav1.ObjectMeta{Name: "bob"}},
		&platform.User{ObjectMeta: metav1.ObjectMeta{Name: "carol"}, Spec: platform.UserSpec{Roles: []platform.HeldRole{{Role: "organization-manager", Organization: "acme"}}}},
		grant,
		&rbacv1.ClusterRole{ObjectMeta: everyone, Rules: []rbacv1.PolicyRule{{APIGroups: []string{api.GroupName}, Resources: api.Resources(), Verbs: []string{"create"}}}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: everyone, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "soma:everyone"},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: access.UsersGroup}}},
	)
	for _, object := range objects {
		if err := server.Client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	scheme := runtime.NewScheme()
	if err := api.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	as := func(name string, groups ...string) client.Client {
		t.Helper()
		user, err := server.User(name, groups...)
		if err != nil {
			t.Fatal(err)
		}
		// Mapping needs no discovery: the server may be starting.
		c, err := client.New(user.Config(), client.Options{Scheme: scheme, Mapper: people.Mapper()})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	bob, carol, stranger, admin := as("soma:bob", access.UsersGroup), as("soma:carol", access.UsersGroup), as("mallory"), as("root", "system:masters")

	review := func(uri string, of string) *api.AccessReview {
		return &api.AccessReview{Spec: api.AccessReviewSpec{User: of, Project: "vision", URI: platform.Address(uri), Action: "read"}}
	}
	own := review("job:train", "")
	eventually(t, func(ctx context.Context) bool { return bob.Create(ctx, own) == nil && own.Status.Allowed })
	if own.Status.User != "bob" || own.Status.Level != "read" || own.Status.Because[0].Grant.Name != grant.Name || own.ManagedFields != nil {
		t.Errorf("got %+v", own)
	}

	// A manager is told about others; others are not.
	of := review("job:train", "bob")
	eventually(t, func(ctx context.Context) bool { return carol.Create(ctx, of) == nil && of.Status.Allowed })
	foreign := review("job:train", "carol")
	if err := bob.Create(t.Context(), foreign); err != nil || foreign.Status.Allowed {
		t.Errorf("got %+v, %v", foreign.Status, err)
	}
	holders := func() *api.HoldersReview {
		return &api.HoldersReview{Spec: api.HoldersReviewSpec{Project: "vision", URI: "job:train", Action: "read"}}
	}
	all := holders()
	if err := carol.Create(t.Context(), all); err != nil || len(all.Status.Holders) != 2 || all.Status.Holders[0].User != "carol" {
		t.Errorf("got %+v, %v", all.Status, err)
	}
	if err := bob.Create(t.Context(), holders()); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "missing manage on job://local/acme/vision/train") {
		t.Errorf("want a refusal that says what is missing, got %v", err)
	}
	self := &api.SelfReview{}
	if err := bob.Create(t.Context(), self); err != nil || self.Status.User != "bob" || self.Status.Username != "soma:bob" {
		t.Errorf("got %+v, %v", self.Status, err)
	}

	// Who is no user of ours may not ask, unless the cluster lets them.
	if err := stranger.Create(t.Context(), &api.SelfReview{}); !apierrors.IsForbidden(err) {
		t.Errorf("want a refusal, got %v", err)
	}
	root := &api.SelfReview{}
	if err := admin.Create(t.Context(), root); err != nil || !strings.Contains(root.Status.Message, `does not know "root"`) {
		t.Errorf("got %+v, %v", root.Status, err)
	}
	all = holders()
	if err := admin.Create(t.Context(), all); err != nil || len(all.Status.Holders) != 2 {
		t.Errorf("an administrator of the cluster got %+v, %v", all.Status, err)
	}
	if err := bob.Create(t.Context(), review("jobs/train", "")); !apierrors.IsInvalid(err) {
		t.Errorf("want that it is not valid, got %v", err)
	}

	// What is revoked ends.
	if err := server.Client.Delete(t.Context(), grant); err != nil {
		t.Fatal(err)
	}
	eventually(t, func(ctx context.Context) bool {
		gone := review("job:train", "")
		return bob.Create(ctx, gone) == nil && !gone.Status.Allowed && len(gone.Status.Missing) == 1
	})
}

func eventually(t *testing.T, holds func(context.Context) bool) {
	t.Helper()
	if err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, 20*time.Second, true, func(ctx context.Context) (bool, error) {
		return holds(ctx), nil
	}); err != nil {
		t.Fatal(err)
	}
}
