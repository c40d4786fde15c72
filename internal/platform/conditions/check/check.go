// Package check tells whether the conditions of an object keep the contract that tools rely on. Tests run it over every
// object that they leave behind.
package check

import (
	"errors"
	"fmt"
	"regexp"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/internal/platform/conditions"
)

// Object is an object whose conditions can be checked.
type Object interface {
	metav1.Object
	GetConditions() *[]metav1.Condition
}

var reasonPattern = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)

// Contract returns an error that names every way in which the conditions of the object break the contract, or nil:
//
//   - an object with conditions has Ready;
//   - Reconciling and Stalled are there only with status True, never both, and never beside Ready=True;
//   - every type is there once, with a reason in CamelCase, a time, and a message that is not too long;
//   - a Ready that is not True says why in its message;
//   - no condition speaks of a generation that does not exist yet.
func Contract(object Object) error {
	list := *object.GetConditions()
	if len(list) == 0 {
		return nil
	}
	var broken []error
	report := func(format string, args ...any) { broken = append(broken, fmt.Errorf(format, args...)) }

	seen := make(map[string]metav1.ConditionStatus, len(list))
	for _, condition := range list {
		if _, again := seen[condition.Type]; again {
			report("condition %s is there twice", condition.Type)
		}
		seen[condition.Type] = condition.Status
		single(condition, object.GetGeneration(), report)
	}
	if _, there := seen["Ready"]; !there {
		report("there are conditions but no Ready")
	}
	for _, abnormal := range []string{"Reconciling", "Stalled"} {
		status, there := seen[abnormal]
		if there && status != metav1.ConditionTrue {
			report("condition %s is %s; it must be removed where it does not hold", abnormal, status)
		}
		if there && seen["Ready"] == metav1.ConditionTrue {
			report("condition %s is there beside Ready=True", abnormal)
		}
	}
	if _, both := seen["Stalled"]; both && seen["Reconciling"] != "" {
		report("conditions Reconciling and Stalled are there together")
	}
	if len(broken) == 0 {
		return nil
	}
	return fmt.Errorf("%T %q: %w", object, object.GetName(), errors.Join(broken...))
}

func single(condition metav1.Condition, generation int64, report func(string, ...any)) {
	switch condition.Status {
	case metav1.ConditionTrue, metav1.ConditionFalse, metav1.ConditionUnknown:
	default:
		report("condition %s has the status %q", condition.Type, condition.Status)
	}
	if !reasonPattern.MatchString(condition.Reason) {
		report("condition %s has the reason %q, which is not CamelCase", condition.Type, condition.Reason)
	}
	if condition.LastTransitionTime.IsZero() {
		report("condition %s has no time", condition.Type)
	}
	if len(condition.Message) > conditions.MessageLimit {
		report("condition %s has a message of %d bytes, more than %d", condition.Type, len(condition.Message), conditions.MessageLimit)
	}
	if condition.Type == "Ready" && condition.Status != metav1.ConditionTrue && condition.Message == "" {
		report("condition %s is %s without a message", condition.Type, condition.Status)
	}
	if condition.ObservedGeneration > generation {
		report("condition %s speaks of generation %d, but the object has %d", condition.Type, condition.ObservedGeneration, generation)
	}
}
