// Package lifecycle turns what a controller found about an object into the object's conditions and its journal, in the
// same way for every kind whose life is recorded. It is pure: it changes the object that it is given and nothing else.
package lifecycle

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/platform/conditions"
)

// ReasonSpecChanged is the reason of a journal entry that tells of a new generation of the spec.
const ReasonSpecChanged = "SpecChanged"

// messageLimit is the length in bytes of a journal entry's message, as the API allows it.
const messageLimit = 512

// Object is an object with conditions and a journal.
type Object interface {
	metav1.Object
	GetConditions() *[]metav1.Condition
	GetJournal() *v1alpha1.Journal
}

// Verdict is how an object stands.
type Verdict int

// The verdicts. They are the three states that kstatus, `kubectl wait` and Argo CD tell apart.
const (
	// Working: the controller is at work and no person is needed.
	Working Verdict = iota
	// Ready: the object is what its spec asks for.
	Ready
	// Stuck: the controller cannot go on unless a person changes something.
	Stuck
)

// Outcome is what one look at an object found.
type Outcome struct {
	Verdict Verdict
	// Phase is the object's phase, for the journal; the caller sets it in the status.
	Phase string
	// Reason is a documented constant.
	Reason string
	// Message is for a person. It is cut where it is too long.
	Message string
}

// Apply sets Ready, Reconciling and Stalled of the object as the outcome says, and appends to its journal what happened
// since the last look: the beginning of its life, a new generation of its spec, another phase or another reason.
//
// While the history is away and the journal is full, changes are folded together: the next entry that finds room tells
// how the object stands then.
func Apply(object Object, now time.Time, outcome Outcome) {
	list := object.GetConditions()
	var seenGeneration int64
	if before := conditions.Get(*list, v1alpha1.ConditionReady); before != nil {
		seenGeneration = before.ObservedGeneration
	}
	switch outcome.Verdict {
	case Ready:
		conditions.MarkReady(list, now, object.GetGeneration(), outcome.Reason, outcome.Message)
	case Stuck:
		conditions.MarkStalled(list, now, object.GetGeneration(), outcome.Reason, outcome.Message)
	default:
		conditions.MarkReconciling(list, now, object.GetGeneration(), outcome.Reason, outcome.Message)
	}

	journal := object.GetJournal()
	entry := v1alpha1.Transition{
		Time:    metav1.NewMicroTime(now),
		Phase:   outcome.Phase,
		Reason:  outcome.Reason,
		Message: conditions.Cut(outcome.Message, messageLimit),
	}
	last := lastState(journal)
	// A deletion counts as a generation too, but it is told by its own phase.
	if seenGeneration > 0 && object.GetGeneration() > seenGeneration && object.GetDeletionTimestamp() == nil {
		changed := entry
		changed.Reason = ReasonSpecChanged
		changed.Message = fmt.Sprintf("The spec was changed: generation %d.", object.GetGeneration())
		journal.Append(changed)
	}
	if last == nil || last.Phase != entry.Phase || last.Reason != entry.Reason {
		journal.Append(entry)
	}
}

// lastState is the newest entry that tells how the object stands, or nil.
func lastState(journal *v1alpha1.Journal) *v1alpha1.Transition {
	for i := len(journal.Entries) - 1; i >= 0; i-- {
		if journal.Entries[i].Reason != ReasonSpecChanged {
			return journal.Entries[i].DeepCopy()
		}
	}
	return nil
}
