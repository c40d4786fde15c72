// Package conditions writes the conditions of an object's status in the one way that every kind here follows.
//
// Conditions are merged by type: who sets one leaves the others alone. The time of a condition changes only with its
// status, and comes from the caller's clock. Ready is always there; Reconciling and Stalled are there, with status True,
// only while they hold, so that kstatus, `kubectl wait` and Argo CD read every kind without being taught.
package conditions

import (
	"strings"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MessageLimit is the length in bytes to which the message of a condition is cut. The API allows 32 KiB, which is more
// than a person reads and than an object should carry.
const MessageLimit = 1024

// The types that the helpers below keep in step.
const (
	ready       = "Ready"
	reconciling = "Reconciling"
	stalled     = "Stalled"
)

// Set merges c into conditions by its type and reports whether anything changed. The transition time is now when the
// status changes, and what it was otherwise; the time in c counts only where c has one. A message that is too long is cut.
func Set(conditions *[]metav1.Condition, now time.Time, c metav1.Condition) bool {
	if c.LastTransitionTime.IsZero() {
		c.LastTransitionTime = metav1.NewTime(now)
	}
	c.Message = Cut(c.Message, MessageLimit)
	return meta.SetStatusCondition(conditions, c)
}

// Delete removes the condition of a type and reports whether there was one.
func Delete(conditions *[]metav1.Condition, conditionType string) bool {
	return meta.RemoveStatusCondition(conditions, conditionType)
}

// Get returns a copy of the condition of a type, or nil where there is none.
func Get(conditions []metav1.Condition, conditionType string) *metav1.Condition {
	found := meta.FindStatusCondition(conditions, conditionType)
	if found == nil {
		return nil
	}
	return found.DeepCopy()
}

// IsTrue reports whether the condition of a type is there and True.
func IsTrue(conditions []metav1.Condition, conditionType string) bool {
	return meta.IsStatusConditionTrue(conditions, conditionType)
}

// MarkReady says that the object is what its spec of the generation asks for: Ready is True, Reconciling and Stalled go.
// It reports whether anything changed.
func MarkReady(conditions *[]metav1.Condition, now time.Time, generation int64, reason, message string) bool {
	changed := Set(conditions, now, of(ready, metav1.ConditionTrue, generation, reason, message))
	changed = Delete(conditions, reconciling) || changed
	return Delete(conditions, stalled) || changed
}

// MarkReconciling says that the controller is at work: Ready is False, Reconciling is True, Stalled goes. It reports
// whether anything changed.
func MarkReconciling(conditions *[]metav1.Condition, now time.Time, generation int64, reason, message string) bool {
	changed := Set(conditions, now, of(ready, metav1.ConditionFalse, generation, reason, message))
	changed = Set(conditions, now, of(reconciling, metav1.ConditionTrue, generation, reason, message)) || changed
	return Delete(conditions, stalled) || changed
}

// MarkStalled says that a person is needed: Ready is False, Stalled is True, Reconciling goes. It reports whether
// anything changed.
func MarkStalled(conditions *[]metav1.Condition, now time.Time, generation int64, reason, message string) bool {
	changed := Set(conditions, now, of(ready, metav1.ConditionFalse, generation, reason, message))
	changed = Set(conditions, now, of(stalled, metav1.ConditionTrue, generation, reason, message)) || changed
	return Delete(conditions, reconciling) || changed
}

func of(conditionType string, status metav1.ConditionStatus, generation int64, reason, message string) metav1.Condition {
	return metav1.Condition{
		Type: conditionType, Status: status, ObservedGeneration: generation, Reason: reason, Message: message,
	}
}

// Cut shortens a text to at most limit bytes, at a border between characters, and marks the cut with an ellipsis.
func Cut(text string, limit int) string {
	const ellipsis = "…"
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= limit {
		return text
	}
	if limit < len(ellipsis) {
		return ""
	}
	end := limit - len(ellipsis)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + ellipsis
}
