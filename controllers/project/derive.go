package project

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/lifecycle"
	"github.com/soma-platform/soma/internal/platform/conditions"
)

// namedInMessages is the number of jobs and finalizers that a message names; of more it tells the number.
const namedInMessages = 3

// facts are what the status of a project is derived from.
type facts struct {
	// namespace of the project's name, or nil where there is none.
	namespace  *corev1.Namespace
	quotaFound bool
	// failure of a call that will be tried again.
	failure error
	// jobs that a project that is being deleted waits for.
	jobs []v1alpha1.Job
}

// ownership is how the namespace of a project's name stands to the project.
type ownership int

const (
	// missing: there is no such namespace, and the project has none.
	missing ownership = iota
	// lost: there is no such namespace, though the project had one.
	lost
	// foreign: there is one that the project did not make.
	foreign
	// own: there is the one that the project made.
	own
	// ending: the project's own namespace is being deleted.
	ending
)

// owns tells how the namespace stands to the project. The namespace is the project's own where its controller is the
// project, by UID, and it is the very namespace, by UID, that the project recorded, if it did so already. What somebody
// deleted and made again is not the project's, whatever it says.
func owns(project *v1alpha1.Project, namespace *corev1.Namespace) ownership {
	recorded := project.Status.Namespace
	switch {
	case namespace == nil && recorded == nil:
		return missing
	case namespace == nil:
		return lost
	case !metav1.IsControlledBy(namespace, project):
		return foreign
	case recorded != nil && recorded.UID != string(namespace.UID):
		return foreign
	case namespace.DeletionTimestamp != nil:
		return ending
	default:
		return own
	}
}

// finding is what the status of a project says.
type finding struct {
	outcome        lifecycle.Outcome
	phase          v1alpha1.ProjectPhase
	namespace      *v1alpha1.ProjectNamespace
	namespaceReady metav1.Condition
	quotaFound     metav1.Condition
}

// apply writes the finding into the status of the project.
func (f finding) apply(project *v1alpha1.Project, now time.Time) {
	status := &project.Status
	status.ObservedGeneration = project.Generation
	status.Phase = f.phase
	if !equality.Semantic.DeepEqual(status.Namespace, f.namespace) {
		// What was bound was so in the namespace that the project had.
		conditions.Delete(&status.Conditions, v1alpha1.ConditionAccessBound)
	}
	status.Namespace = f.namespace
	f.outcome.Phase = string(f.phase)
	lifecycle.Apply(project, now, f.outcome)
	for _, condition := range []metav1.Condition{f.namespaceReady, f.quotaFound} {
		condition.ObservedGeneration = project.Generation
		conditions.Set(&status.Conditions, now, condition)
	}
}

// derive turns facts into the status of a project that is to exist.
func derive(project *v1alpha1.Project, found *facts) finding {
	result := finding{phase: v1alpha1.ProjectPending, namespace: project.Status.Namespace, quotaFound: quota(project, found.quotaFound)}
	working := func(reason, message string) {
		result.outcome = lifecycle.Outcome{Verdict: lifecycle.Working, Reason: reason, Message: message}
	}
	switch state := owns(project, found.namespace); {
	case state == foreign:
		result.outcome = lifecycle.Outcome{
			Verdict: lifecycle.Stuck,
			Reason:  v1alpha1.ReasonNamespaceForeign,
			Message: foreignMessage(project, found.namespace),
		}
	case state == lost:
		result.namespace = nil
		working(v1alpha1.ReasonProgressing, fmt.Sprintf("Namespace %s was deleted by somebody else, with all that was in it. It is made again.", project.Name))
	case state == ending:
		working(v1alpha1.ReasonProgressing, fmt.Sprintf("Namespace %s is being deleted by somebody else. It is made again when it is gone.", project.Name))
	case found.failure != nil:
		working(v1alpha1.ReasonError, found.failure.Error())
	case state == missing:
		working(v1alpha1.ReasonProgressing, fmt.Sprintf("Namespace %s is being made.", project.Name))
	default:
		result.phase = v1alpha1.ProjectActive
		result.namespace = &v1alpha1.ProjectNamespace{Name: found.namespace.Name, UID: string(found.namespace.UID)}
		message := fmt.Sprintf("Namespace %s is ready.", project.Name)
		if result.quotaFound.Status != metav1.ConditionTrue {
			// The project is what its spec asks for; that nothing may run in it is the business of whoever grants quotas.
			message += " " + result.quotaFound.Message
		}
		result.outcome = lifecycle.Outcome{Verdict: lifecycle.Ready, Reason: v1alpha1.ReasonAvailable, Message: message}
	}
	result.namespaceReady = namespaceReady(result.outcome, project.Name)
	if result.outcome.Verdict == lifecycle.Ready && !bound(project, result.namespace) {
		result.phase = v1alpha1.ProjectPending
		working(v1alpha1.ReasonProgressing, unboundMessage(project))
	}
	return result
}

// bound reports whether who has rights in the project can use them in the namespace. Of one that is not recorded yet that is not
// known.
func bound(project *v1alpha1.Project, namespace *v1alpha1.ProjectNamespace) bool {
	return equality.Semantic.DeepEqual(project.Status.Namespace, namespace) &&
		conditions.IsTrue(project.Status.Conditions, v1alpha1.ConditionAccessBound)
}

func unboundMessage(project *v1alpha1.Project) string {
	message := fmt.Sprintf("Namespace %s is ready. What people may do in it is being told to Kubernetes.", project.Name)
	if why := conditions.Get(project.Status.Conditions, v1alpha1.ConditionAccessBound); why != nil && why.Status != metav1.ConditionTrue {
		message += " " + why.Message
	}
	return message
}

// deriveDeletion turns facts into the status of a project that is being deleted.
func deriveDeletion(project *v1alpha1.Project, found *facts) finding {
	message := "Nothing of the project is left but its last entry in the history."
	namespace := project.Status.Namespace
	switch state := owns(project, found.namespace); {
	case state == foreign:
		message = fmt.Sprintf("Namespace %s was not made by this project and is left alone.", project.Name)
	case state == missing || state == lost:
		namespace = nil
	case found.failure != nil:
		message = found.failure.Error()
	case len(found.jobs) > 0:
		message = waitsForJobs(found.jobs)
	default:
		message = waitsForNamespace(found.namespace)
	}
	outcome := lifecycle.Outcome{Verdict: lifecycle.Working, Reason: v1alpha1.ReasonTerminating, Message: message}
	return finding{
		outcome: outcome, phase: v1alpha1.ProjectTerminating, namespace: namespace,
		namespaceReady: namespaceReady(outcome, project.Name), quotaFound: quota(project, found.quotaFound),
	}
}

func namespaceReady(outcome lifecycle.Outcome, name string) metav1.Condition {
	condition := metav1.Condition{
		Type: v1alpha1.ConditionNamespaceReady, Status: metav1.ConditionFalse, Reason: outcome.Reason, Message: outcome.Message,
	}
	if outcome.Verdict == lifecycle.Ready {
		condition.Status = metav1.ConditionTrue
		condition.Message = fmt.Sprintf("Namespace %s exists, is owned by this project and carries its policies.", name)
	}
	return condition
}

func quota(project *v1alpha1.Project, exists bool) metav1.Condition {
	condition := metav1.Condition{Type: v1alpha1.ConditionQuotaFound, Status: metav1.ConditionFalse}
	name := project.Spec.Quota
	switch {
	case name == "":
		condition.Reason = v1alpha1.ReasonQuotaNotSet
		condition.Message = "Nothing may run in the project, because it has no quota: name one in spec.quota."
	case !exists:
		condition.Reason = v1alpha1.ReasonQuotaNotFound
		condition.Message = fmt.Sprintf("Nothing may run in the project, because quota %q does not exist: make it, or name another in spec.quota.", name)
	default:
		condition.Status = metav1.ConditionTrue
		condition.Reason = v1alpha1.ReasonAvailable
		condition.Message = fmt.Sprintf("Quota %q exists.", name)
	}
	return condition
}

func foreignMessage(project *v1alpha1.Project, namespace *corev1.Namespace) string {
	remedy := "Delete the namespace, or make a project with another name."
	if project.Status.Namespace != nil {
		return fmt.Sprintf("Namespace %s (UID %s) is not the one that this project made (UID %s): somebody deleted that one and made another. %s",
			namespace.Name, namespace.UID, project.Status.Namespace.UID, remedy)
	}
	return fmt.Sprintf("Namespace %s exists and was not made by this project. %s", namespace.Name, remedy)
}

// waitsForJobs tells how many jobs are left, some of their names, and what holds them.
func waitsForJobs(jobs []v1alpha1.Job) string {
	var names, held []string
	for i := range jobs {
		names = append(names, jobs[i].Name)
		for _, finalizer := range jobs[i].Finalizers {
			if !slices.Contains(held, finalizer) {
				held = append(held, finalizer)
			}
		}
	}
	message := fmt.Sprintf("Waiting for %d jobs to end: %s", len(jobs), list(names))
	if len(jobs) == 1 {
		message = "Waiting for job " + names[0] + " to end"
	}
	if len(held) > 0 {
		message += "; held by " + list(held)
	}
	return message + "."
}

// waitsForNamespace tells what Kubernetes says is left in a namespace that is being deleted.
func waitsForNamespace(namespace *corev1.Namespace) string {
	message := fmt.Sprintf("Waiting for namespace %s to be deleted.", namespace.Name)
	for _, condition := range namespace.Status.Conditions {
		if condition.Status == corev1.ConditionTrue && condition.Message != "" {
			message += " " + strings.TrimSuffix(condition.Message, ".") + "."
		}
	}
	return message
}

// list names the first few of a list, sorted, and tells how many more there are.
func list(all []string) string {
	slices.Sort(all)
	if len(all) <= namedInMessages {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:namedInMessages], ", "), len(all)-namedInMessages)
}
