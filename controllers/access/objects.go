package access

import (
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
)

// objects are those of RBAC that say what the members of a project may do: in its namespace, and with the project itself.
type objects struct{ namespaced, cluster []client.Object }

// projectObjects makes the objects of what was compiled for a project, which owns them.
func projectObjects(project *v1alpha1.Project, compiled access.Compiled, subjects func(user string) []rbacv1.Subject) objects {
	meta := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{
			Name:   name,
			Labels: map[string]string{v1alpha1.LabelAccess: v1alpha1.AccessProject, v1alpha1.LabelProject: project.Name},
			OwnerReferences: []metav1.OwnerReference{
				*metav1.NewControllerRef(project, v1alpha1.GroupVersion.WithKind("Project")),
			},
		}
	}
	var made objects
	for _, role := range compiled.Namespaced {
		meta := meta(role.Name)
		meta.Namespace = project.Name
		kind := "ClusterRole"
		if len(role.Rules) > 0 {
			kind = "Role"
			made.namespaced = append(made.namespaced, &rbacv1.Role{ObjectMeta: meta, Rules: role.Rules})
		}
		for _, part := range partsOf(role, subjects) {
			bound := meta
			bound.Name = part.name
			made.namespaced = append(made.namespaced, &rbacv1.RoleBinding{ObjectMeta: bound, RoleRef: refersTo(kind, role.Name), Subjects: part.subjects})
		}
	}
	made.cluster = clusterObjects(meta, compiled.Cluster, subjects)
	return made
}

// platformObjects makes the objects of what was compiled for what lies in no project.
func platformObjects(compiled []access.CompiledRole, subjects func(user string) []rbacv1.Subject) []client.Object {
	return clusterObjects(func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Name: name, Labels: map[string]string{v1alpha1.LabelAccess: v1alpha1.AccessPlatform}}
	}, compiled, subjects)
}

func clusterObjects(meta func(name string) metav1.ObjectMeta, compiled []access.CompiledRole, subjects func(string) []rbacv1.Subject) []client.Object {
	var made []client.Object
	for _, role := range compiled {
		made = append(made, &rbacv1.ClusterRole{ObjectMeta: meta(role.Name), Rules: role.Rules})
		for _, part := range partsOf(role, subjects) {
			made = append(made, &rbacv1.ClusterRoleBinding{
				ObjectMeta: meta(part.name), RoleRef: refersTo("ClusterRole", role.Name), Subjects: part.subjects,
			})
		}
	}
	return made
}

func refersTo(kind, name string) rbacv1.RoleRef {
	return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: name}
}

// partIndex is the index of cluster roles and their bindings by what they are made for.
const partIndex = "platform.soma.dev/access"

// part is a value of the index: the value of LabelAccess, and that of LabelProject where it is for a project.
func part(of, project string) string { return of + "/" + project }

func indexPart(object client.Object) []string {
	labels := object.GetLabels()
	if labels[v1alpha1.LabelAccess] == "" {
		return nil
	}
	return []string{part(labels[v1alpha1.LabelAccess], labels[v1alpha1.LabelProject])}
}
