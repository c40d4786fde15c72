package access

import (
	"fmt"
	"strings"
	"time"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// Why is where a right comes from.
type Why struct {
	// Grant that gives it, if one does.
	Grant *v1alpha1.Grant
	// User who holds the role, in an organization if that is named.
	User, Organization string
	// Roles from the one that is held to the one that has the right, each including the next.
	Roles []string
	// Everyone has it.
	Everyone bool
	// Self: it is about the user or what the user holds.
	Self bool
	// Owner: the user answers for the service account.
	Owner bool
	// Project in which the user may do something, from which the right follows.
	Project string
}

// String says it to a person, as in: write, because of role project-writer, granted by carol on 2026-11-02.
func (r Right) String() string {
	return fmt.Sprintf("%s on %s, because %s", r.Level.Action(), r.Target, r.Why)
}

// String is the reason, to stand after "because".
func (w Why) String() string {
	switch {
	case w.Grant != nil:
		return w.grant()
	case w.Everyone && len(w.Roles) == 0:
		return "everybody may see what everybody has"
	case w.Everyone:
		return "everybody has " + strings.TrimSuffix(w.through(), ",")
	case w.Self:
		return "everybody may see themselves and the roles that they hold"
	case w.Owner:
		return "the service account is theirs"
	case w.Project != "":
		return "they may do something in project " + w.Project
	case w.Organization != "":
		return fmt.Sprintf("user %s has %s in organization %s", w.User, w.through(), w.Organization)
	case w.User != "":
		return fmt.Sprintf("user %s has %s", w.User, strings.TrimSuffix(w.through(), ","))
	}
	return "the token allows it"
}

func (w Why) grant() string {
	var text strings.Builder
	spec := w.Grant.Spec
	if len(w.Roles) > 0 {
		text.WriteString(w.through())
	} else {
		fmt.Fprintf(&text, "%s on %s", spec.Action, spec.URI)
	}
	if spec.To.Group != "" {
		fmt.Fprintf(&text, ", of group %s,", spec.To.Group)
	}
	if spec.To.Role != "" {
		fmt.Fprintf(&text, ", of all who have role %s,", spec.To.Role)
	}
	text.WriteString(" was granted")
	if spec.GrantedBy != "" {
		text.WriteString(" by " + spec.GrantedBy)
	}
	if at := w.Grant.CreationTimestamp; !at.IsZero() {
		text.WriteString(" on " + at.UTC().Format(time.DateOnly))
	}
	if at := spec.ExpiresAt; at != nil {
		text.WriteString(", until " + at.UTC().Format(time.RFC3339))
	}
	fmt.Fprintf(&text, " (grant %s in project %s)", w.Grant.Name, w.Grant.Namespace)
	return text.String()
}

// through names the role that is held, and those in between.
func (w Why) through() string {
	if len(w.Roles) == 0 {
		return "no role"
	}
	text := "role " + w.Roles[0]
	if len(w.Roles) > 1 {
		text += ", which includes " + strings.Join(w.Roles[1:], ", which includes ") + ","
	}
	return text
}
