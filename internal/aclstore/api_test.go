package aclstore

import (
	"context"
	"io"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/soma-platform/soma/api/access/v1alpha1"
	platform "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/authority"
	"github.com/soma-platform/soma/internal/testing/apiserver"
	"github.com/soma-platform/soma/internal/testing/people"
)

// effective is within what time a right that was taken away must be gone. The promise is 30 seconds.
const effective = 3 * time.Second

// A data service asks Redis, and the API where Redis has nothing that counts: what somebody may do is the same by both, and what
// was taken away is gone in seconds, whatever happens to Redis meanwhile.
func TestDataServiceAsks(t *testing.T) {
	cluster, err := apiserver.Start(apiserver.Options{Aggregation: true, Output: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	rights, ended, err := people.Rights(ctx, cluster, t.TempDir())
	t.Cleanup(func() {
		stop()
		if ended != nil {
			if err := ended(); err != nil {
				t.Error(err)
			}
		}
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	installReader(t, cluster)
	w := newWorld(t)
	w.writer.Rights = rights.Rights
	rights.Listen(func(c authority.Change) { w.writer.Changed(c.Users) })
	service := dataService(t, cluster)
	reader := &Reader{Redis: w.client, Keys: w.writer.Keys, Source: API{service}, Clock: clock.RealClock{}}
	asked := 0
	reader.Observe = func(why error) {
		if why != nil {
			asked++
		}
	}
	allows := func() bool {
		allowed, err := reader.Allows(t.Context(), "bob", target(t, "storage://east/acme/vision/data"), access.Read)
		// While the API is starting, nobody can say.
		return err == nil && allowed
	}
	share := func() *platform.Grant {
		t.Helper()
		grant := &platform.Grant{ObjectMeta: metav1.ObjectMeta{Namespace: "vision", Name: "bob"}, Spec: platform.GrantSpec{
			To: platform.Grantee{User: "bob"}, URI: "storage:data", Action: "read",
		}}
		if err := cluster.Client.Create(t.Context(), grant); err != nil {
			t.Fatal(err)
		}
		return grant
	}
	revoked := func(what string, grant *platform.Grant) {
		t.Helper()
		if err := cluster.Client.Delete(t.Context(), grant); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		eventually(t, what+": the right is gone", func() bool { return !allows() })
		if took := time.Since(begun); took > effective {
			t.Errorf("%s: that took %s", what, took)
		} else {
			t.Logf("%s: gone after %s", what, took.Round(time.Millisecond))
		}
	}

	grant := share()
	eventually(t, "the right counts", allows)
	eventually(t, "Redis answers", func() bool {
		reader.trees, reader.answers = nil, nil
		before := asked
		return allows() && asked == before
	})
	revoked("Redis is there", grant)

	grant = share()
	eventually(t, "the right counts again", allows)
	if err := w.client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "an emptied Redis answers again", func() bool {
		reader.trees, reader.answers = nil, nil
		before := asked
		return allows() && asked == before
	})

	if err := server.Down(); err != nil {
		t.Fatal(err)
	}
	revoked("Redis is down", grant)
	if err := server.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "Redis that is back says so too", func() bool {
		reader.trees, reader.answers = nil, nil
		before := asked
		if allows() {
			t.Fatal("the right is back")
		}
		return asked == before
	})

	// What lay in Redis when it was taken away, as one with a disk has it when it is back.
	grant = share()
	eventually(t, "the right counts once more", func() bool {
		reader.trees, reader.answers = nil, nil
		before := asked
		return allows() && asked == before
	})
	entry, err := w.client.Get(t.Context(), keyPrefix+"bob").Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Down(); err != nil {
		t.Fatal(err)
	}
	if err := cluster.Client.Delete(t.Context(), grant); err != nil {
		t.Fatal(err)
	}
	if err := server.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.client.SetNX(t.Context(), keyPrefix+"bob", entry, time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	eventually(t, "the old entry is replaced", func() bool { return !allows() })
	t.Logf("an old entry that came back: gone after %s", time.Since(begun).Round(time.Millisecond))
	if took := time.Since(begun); took > effective {
		t.Errorf("that took %s", took)
	}
}

// installReader makes the people, a project, and what a data service may do.
func installReader(t *testing.T, cluster *apiserver.Server) {
	t.Helper()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "soma-access-reader"}}
	if err := people.Installed("../..", "gateway/access_rbac.yaml", role); err != nil {
		t.Fatal(err)
	}
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "vision"}},
		&platform.Project{ObjectMeta: metav1.ObjectMeta{Name: "vision"}, Spec: platform.ProjectSpec{Organization: "acme"}},
		&platform.User{ObjectMeta: metav1.ObjectMeta{Name: "bob"}},
		role,
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "files"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "files"}},
		},
	} {
		if err := cluster.Client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
}

// dataService is a client of one.
func dataService(t *testing.T, cluster *apiserver.Server) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := api.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	user, err := cluster.User("files")
	if err != nil {
		t.Fatal(err)
	}
	service, err := client.New(user.Config(), client.Options{Scheme: scheme, Mapper: people.Mapper()})
	if err != nil {
		t.Fatal(err)
	}
	return service
}
