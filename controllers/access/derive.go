package access

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/platform/conditions"
)

// namedInMessages is the number of names that a message has; of more it tells the number.
const namedInMessages = 3

// verdict is how a role, a user or a grant stands.
type verdict struct {
	// stalled: a person has to change something.
	stalled bool
	// failed: it is tried again.
	failed          bool
	reason, message string
}

func fine(message string) verdict { return verdict{reason: v1alpha1.ReasonAvailable, message: message} }

func stalled(reason, format string, args ...any) verdict {
	return verdict{stalled: true, reason: reason, message: fmt.Sprintf(format, args...)}
}

// apply says the verdict in conditions.
func (v verdict) apply(list *[]metav1.Condition, now time.Time, generation int64) {
	switch {
	case v.stalled:
		conditions.MarkStalled(list, now, generation, v.reason, v.message)
	case v.failed:
		conditions.MarkReconciling(list, now, generation, v.reason, v.message)
	default:
		conditions.MarkReady(list, now, generation, v.reason, v.message)
	}
}

// roleFacts are what the status of a role is derived from.
type roleFacts struct {
	// missing are the roles that it includes and that do not exist.
	missing []string
	// circle is a way over what it includes back to itself, if there is one.
	circle []string
}

func deriveRole(found roleFacts) verdict {
	switch {
	case len(found.circle) > 0:
		return stalled(v1alpha1.ReasonRoleCircle, "The role includes itself: %s. Take one of them out of the includes of another.", strings.Join(found.circle, " includes "))
	case len(found.missing) > 0:
		return stalled(v1alpha1.ReasonRoleNotFound, "The role includes what does not exist: %s. Make it, or take it out of spec.includes.", list(found.missing))
	}
	return fine("The role can be held.")
}

// userFacts are what the status of a user is derived from.
type userFacts struct {
	// missing are the roles that the user holds and that do not exist.
	missing []string
	// sharing are other users who claim an identity of this one.
	sharing []string
	// owner of a service account; nil where there is none.
	owner *v1alpha1.User
}

func deriveUser(user *v1alpha1.User, found userFacts) verdict {
	disabled := user.IsDisabled()
	switch {
	case len(found.sharing) > 0:
		return stalled(v1alpha1.ReasonIdentityShared, "Nobody can sign in by an identity that several users have: it is also that of %s. Take it from all but one.", list(found.sharing))
	case user.Spec.Type == v1alpha1.UserServiceAccount && !disabled && !answers(found.owner):
		return stalled(v1alpha1.ReasonOwnerInactive, "The service account may do nothing, because its owner, user %q, %s.", user.Spec.Owner, whyNot(found.owner))
	case len(found.missing) > 0:
		return stalled(v1alpha1.ReasonRoleNotFound, "The user holds what does not exist: %s. Make it, or take it out of spec.roles.", list(found.missing))
	case disabled:
		return verdict{reason: v1alpha1.ReasonDisabled, message: "The user is disabled, and may do nothing."}
	}
	return fine("The user is known.")
}

// answers reports whether a user can answer for a service account.
func answers(owner *v1alpha1.User) bool { return whyNot(owner) == "" }

// whyNot says why a user cannot answer for a service account; it is empty where they can.
func whyNot(owner *v1alpha1.User) string {
	switch {
	case owner == nil:
		return "does not exist"
	case owner.DeletionTimestamp != nil:
		return "is being deleted"
	case owner.Spec.Type == v1alpha1.UserServiceAccount:
		return "is a service account itself"
	case owner.IsDisabled():
		return "is disabled"
	}
	return ""
}

// grantFacts are what the status of a grant is derived from.
type grantFacts struct {
	// inProject: it lies in the namespace of a project.
	inProject bool
	// userFound, roleFound and toRoleFound are about what it names, and true where it names none.
	userFound, roleFound, toRoleFound bool
	// gives is how many rights it gives in its project.
	gives int
	// lacks is a job or secret that it names and that does not exist, "job train" for instance.
	lacks string
	// untold: nothing is told when the secret that it names comes or goes.
	untold bool
}

func deriveGrant(grant *v1alpha1.Grant, found grantFacts, now time.Time) verdict {
	to := grant.Spec.To
	switch {
	case !found.inProject:
		return stalled(v1alpha1.ReasonProjectNotFound, "The grant gives nothing, because namespace %s belongs to no project.", grant.Namespace)
	case access.Expired(grant, now):
		return stalled(v1alpha1.ReasonExpired, "The grant ended at %s. It is removed a day after that.", grant.Spec.ExpiresAt.UTC().Format(time.RFC3339))
	case !found.userFound:
		return stalled(v1alpha1.ReasonUserNotFound, "User %q does not exist.", to.User)
	case !found.toRoleFound:
		return stalled(v1alpha1.ReasonRoleNotFound, "Role %q, to those who have which it is given, does not exist.", to.Role)
	case !found.roleFound:
		return stalled(v1alpha1.ReasonRoleNotFound, "Role %q, which it gives, does not exist.", grant.Spec.Role)
	case found.gives == 0 && grant.Spec.Role != "":
		return stalled(v1alpha1.ReasonGivesNothing, "Role %q says nothing about this project.", grant.Spec.Role)
	case found.gives == 0:
		return stalled(v1alpha1.ReasonGivesNothing, "Address %s is not in this project.", grant.Spec.URI)
	case found.lacks != "":
		return stalled(v1alpha1.ReasonThingNotFound, "There is no %s.", found.lacks)
	}
	return fine("The grant counts.")
}

// list names the first few of a list, and tells how many more there are.
func list(all []string) string {
	if len(all) <= namedInMessages {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:namedInMessages], ", "), len(all)-namedInMessages)
}
