// Package people gives a test users, roles and grants, and the rights that follow from them, in a real API server.
package people

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/util/cert"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	api "github.com/soma-platform/soma/api/access/v1alpha1"
	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/accessapi"
	"github.com/soma-platform/soma/internal/authority"
	"github.com/soma-platform/soma/internal/testing/apiserver"
	"github.com/soma-platform/soma/internal/testing/freeport"
)

// BuiltIn are the roles that come with Soma, read from the repository's folder.
func BuiltIn(repository string) ([]client.Object, error) {
	text, err := os.ReadFile(filepath.Join(repository, "config", "access", "roles.yaml"))
	if err != nil {
		return nil, err
	}
	var all []client.Object
	for decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096); ; {
		role := &v1alpha1.Role{}
		if err := decoder.Decode(role); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		if role.Name != "" {
			all = append(all, role)
		}
	}
}

// Installed reads the object of a name from a manifest of what is installed, in the repository's folder.
func Installed(repository, manifest string, object client.Object) error {
	text, err := os.ReadFile(filepath.Join(repository, "config", manifest))
	if err != nil {
		return err
	}
	for _, part := range bytes.Split(text, []byte("\n---\n")) {
		var named metav1.PartialObjectMetadata
		if err := yaml.Unmarshal(part, &named); err != nil {
			return err
		}
		if named.Name == object.GetName() {
			if err := yaml.UnmarshalStrict(part, object); err == nil {
				return nil
			}
		}
	}
	return fmt.Errorf("%s has no %T %s", manifest, object, object.GetName())
}

// Rights are an authority that follows a server, and the API group access.soma.dev in front of it. They end with the context;
// wait returns when they have.
func Rights(ctx context.Context, server *apiserver.Server, folder string) (rights *authority.Authority, wait func() error, err error) {
	objects, err := cache.New(server.Config, cache.Options{Scheme: server.Scheme()})
	if err != nil {
		return nil, nil, err
	}
	rights = authority.New(clock.RealClock{})
	synced, err := rights.Follow(ctx, objects)
	if err != nil {
		return nil, nil, err
	}
	options := accessapi.Options{BindAddress: net.IPv4(127, 0, 0, 1)}
	if options.Port, err = freeport.Find(); err != nil {
		return nil, nil, err
	}
	certificate, key, err := cert.GenerateSelfSignedCertKey("localhost", []net.IP{options.BindAddress}, nil)
	if err != nil {
		return nil, nil, err
	}
	for file, content := range map[*string][]byte{&options.CertFile: certificate, &options.KeyFile: key, &options.Kubeconfig: server.Kubeconfig} {
		*file = filepath.Join(folder, fmt.Sprintf("%x", len(content)))
		if err := os.WriteFile(*file, content, 0o600); err != nil {
			return nil, nil, err
		}
	}
	if err := server.Aggregate(ctx, api.GroupVersion, options.Port); err != nil {
		return nil, nil, err
	}
	ended := make(chan error, 3)
	go func() { ended <- objects.Start(ctx) }()
	go func() { ended <- rights.Start(ctx, synced) }()
	go func() { ended <- accessapi.Run(ctx, options, rights) }()
	return rights, func() error {
		return errors.Join(<-ended, <-ended, <-ended)
	}, nil
}

// Compile writes what an authority allows as roles and bindings of the cluster, once.
func Compile(ctx context.Context, c client.Client, rights *authority.Authority, pods func(project, job string) []string) error {
	var objects []client.Object
	for _, role := range access.ClusterRoles() {
		objects = append(objects, &role)
	}
	rights.View(func(d *access.Directory, m *access.Membership, _ time.Time) {
		bind := func(namespace string, roles []access.CompiledRole) {
			for i := range roles {
				objects = append(objects, bound(d, namespace, &roles[i])...)
			}
		}
		bind("", m.CompilePlatform())
		for _, project := range d.Projects() {
			compiled := m.CompileProject(project, func(job string) []string { return pods(project, job) })
			bind("", compiled.Cluster)
			bind(project, compiled.Namespaced)
		}
	})
	wanted := map[string]client.Object{}
	for _, object := range objects {
		wanted[fmt.Sprintf("%T %s/%s", object, object.GetNamespace(), object.GetName())] = object
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		object := wanted[name]
		if err := client.IgnoreNotFound(c.Delete(ctx, object.DeepCopyObject().(client.Object))); err != nil { //nolint:forcetypeassert // a copy is of the same type
			return err
		}
		if err := c.Create(ctx, object); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// bound are the role and the binding of what was compiled.
func bound(d *access.Directory, namespace string, compiled *access.CompiledRole) []client.Object {
	var subjects []rbacv1.Subject
	for _, user := range compiled.Users {
		subjects = append(subjects, d.Subjects(user)...)
	}
	if compiled.Everyone {
		subjects = []rbacv1.Subject{{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: access.UsersGroup}}
	}
	named := metav1.ObjectMeta{Namespace: namespace, Name: compiled.Name}
	ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: compiled.Name}
	var objects []client.Object
	if namespace == "" {
		objects = append(objects, &rbacv1.ClusterRoleBinding{ObjectMeta: named, RoleRef: ref, Subjects: subjects})
		if len(compiled.Rules) > 0 {
			objects = append(objects, &rbacv1.ClusterRole{ObjectMeta: named, Rules: compiled.Rules})
		}
		return objects
	}
	if len(compiled.Rules) > 0 {
		ref.Kind = "Role"
		objects = append(objects, &rbacv1.Role{ObjectMeta: named, Rules: compiled.Rules})
	}
	return append(objects, &rbacv1.RoleBinding{ObjectMeta: named, RoleRef: ref, Subjects: subjects})
}

// Mapper knows the reviews without asking a server, which may be starting.
func Mapper() meta.RESTMapper {
	mapper := meta.NewDefaultRESTMapper(nil)
	for _, kind := range []string{"AccessReview", "HoldersReview", "SelfReview"} {
		mapper.Add(api.GroupVersion.WithKind(kind), meta.RESTScopeRoot)
	}
	return mapper
}
