package access

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/platform/conditions"
	"github.com/soma-platform/soma/internal/platform/patch"
)

// foreignInterval is how soon it is looked again whether what is in the way is gone: what is not Soma's is not followed.
const foreignInterval = time.Minute

// place is what may be written where a project's things are.
type place int

const (
	// nowhere: the namespace of the project's name is not the project's. Nothing is bound there.
	nowhere place = iota
	// ending: it is the project's and goes. What is too much is taken away, and nothing is made.
	ending
	// owned: it is the project's.
	owned
)

// placeOf tells how the namespace of a project's name, nil where there is none, stands to the project, nil where there is none.
func placeOf(project *v1alpha1.Project, namespace *corev1.Namespace) place {
	switch {
	case project == nil || namespace == nil || project.Status.Namespace == nil:
		return nowhere
	case project.Status.Namespace.UID != string(namespace.UID) || !metav1.IsControlledBy(namespace, project):
		return nowhere
	case namespace.DeletionTimestamp != nil:
		return ending
	}
	return owned
}

// reconcileProject binds the members of one project to what they may do in it.
func (r *Reconciler) reconcileProject(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	if !r.Authority.Synced() {
		// It tells of every project as soon as it is.
		return ctrl.Result{}, nil
	}
	defer r.first.looked(request.Name, r.countProjects)
	defer r.precedence.begin()()
	project, namespace, err := r.observe(ctx, request.Name)
	if err != nil {
		return ctrl.Result{}, err
	}
	r.binding.RLock()
	defer r.binding.RUnlock()
	// Not later than what is compiled.
	revision := r.Authority.Revision()
	want, known, err := r.compile(ctx, request.Name, project)
	if err != nil {
		return ctrl.Result{}, err
	}
	at := placeOf(project, namespace)
	if at == nowhere {
		want.namespaced = nil
	}
	namespaced, err := r.list(ctx, []client.ObjectList{&rbacv1.RoleList{}, &rbacv1.RoleBindingList{}},
		client.InNamespace(request.Name), client.HasLabels{v1alpha1.LabelAccess})
	if err != nil {
		return ctrl.Result{}, err
	}
	cluster, err := r.list(ctx, []client.ObjectList{&rbacv1.ClusterRoleList{}, &rbacv1.ClusterRoleBindingList{}},
		client.MatchingFields{partIndex: part(v1alpha1.AccessProject, request.Name)})
	if err != nil {
		return ctrl.Result{}, err
	}
	w := &writer{Reconciler: r}
	w.apply(ctx, namespaced, want.namespaced, at != ending)
	w.apply(ctx, cluster, want.cluster, true)
	r.bindingsWritten(request.Name, project, at, known, revision, w)
	if project != nil {
		w.fail(r.tell(ctx, project, known && at == owned, w))
	}
	return w.result()
}

// observe reads a project and the namespace of its name; each is nil where there is none.
func (r *Reconciler) observe(ctx context.Context, name string) (*v1alpha1.Project, *corev1.Namespace, error) {
	project, namespace := &v1alpha1.Project{}, &corev1.Namespace{}
	err := r.Client.Get(ctx, client.ObjectKey{Name: name}, project)
	if apierrors.IsNotFound(err) {
		project, err = nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read project %q: %w", name, err)
	}
	err = r.Client.Get(ctx, client.ObjectKey{Name: name}, namespace)
	if apierrors.IsNotFound(err) {
		namespace, err = nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read the namespace of project %q: %w", name, err)
	}
	return project, namespace, nil
}

// compile finds the objects that say what the members of a project may do. Of a job that a right names the pods are looked up,
// which takes a second pass. A project that is not known yet to who decides has no members; it is told of when it is.
func (r *Reconciler) compile(ctx context.Context, name string, project *v1alpha1.Project) (want objects, known bool, err error) {
	if project == nil {
		r.named.forget(name)
		return objects{}, false, nil
	}
	jobs, pods := map[string]struct{}{}, map[string][]string{}
	pass := func() {
		r.Authority.View(func(d *access.Directory, m *access.Membership, _ time.Time) {
			compiled := m.CompileProject(name, func(job string) []string {
				jobs[job] = struct{}{}
				return pods[job]
			})
			want = projectObjects(project, compiled, d.Subjects)
			facts, found := d.Project(name)
			known = found && facts.Organization == cmp.Or(project.Spec.Organization, access.DefaultOrganization)
		})
	}
	pass()
	// From here on it is told when the pods of these become others: they are looked up after that.
	r.named.set(name, jobs)
	if len(jobs) == 0 {
		return want, known, nil
	}
	for job := range jobs {
		if pods[job], err = r.podsOf(ctx, name, job); err != nil {
			return objects{}, false, err
		}
	}
	pass()
	r.named.set(name, jobs)
	return want, known, nil
}

// tell says in the status of a project how its bindings stand after they were written: whether they are in force, for the namespace
// that it has, if all that is to be bound in it was tried, and what is in the way of some. Once in force they stay so, whatever fails
// later: that is tried again.
func (r *Reconciler) tell(ctx context.Context, project *v1alpha1.Project, complete bool, w *writer) error {
	after := project.DeepCopy()
	list, now := &after.Status.Conditions, r.Clock.Now()
	condition := func(of string, status metav1.ConditionStatus, reason, message string) {
		conditions.Set(list, now, metav1.Condition{
			Type: of, Status: status, ObservedGeneration: project.Generation, Reason: reason, Message: message,
		})
	}
	switch failure := w.failure(); {
	case !complete, conditions.IsTrue(*list, v1alpha1.ConditionAccessBound):
	case failure != nil:
		condition(v1alpha1.ConditionAccessBound, metav1.ConditionFalse, v1alpha1.ReasonError, failure.Error())
	case len(w.failures) == 0:
		condition(v1alpha1.ConditionAccessBound, metav1.ConditionTrue, v1alpha1.ReasonAvailable, "Who has rights in the project can use them.")
	}
	if len(w.foreign) == 0 {
		conditions.Delete(list, v1alpha1.ConditionAccessIncomplete)
	} else {
		condition(v1alpha1.ConditionAccessIncomplete, metav1.ConditionTrue, v1alpha1.ReasonObjectForeign,
			fmt.Sprintf("Not all members can do what they may: there are objects that Soma did not make and leaves alone, "+
				"where it would make its own: %s. Remove or rename them.", strings.Join(w.foreign, ", ")))
	}
	_, err := patch.Status(ctx, r.Client, project, after)
	return client.IgnoreNotFound(err)
}
