package check

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

type object struct {
	metav1.ObjectMeta
	conditions []metav1.Condition
}

func (o *object) GetConditions() *[]metav1.Condition { return &o.conditions }

func TestContract(t *testing.T) {
	now := metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	condition := func(conditionType string, status metav1.ConditionStatus) metav1.Condition {
		return metav1.Condition{
			Type: conditionType, Status: status, Reason: "Reason", Message: "why", LastTransitionTime: now, ObservedGeneration: 3,
		}
	}
	with := func(c metav1.Condition, change func(*metav1.Condition)) metav1.Condition {
		change(&c)
		return c
	}
	tests := map[string]struct {
		conditions []metav1.Condition
		wantError  string
	}{
		"nothing yet":         {},
		"ready":               {conditions: []metav1.Condition{condition("Ready", "True"), condition("Other", "False")}},
		"reconciling":         {conditions: []metav1.Condition{condition("Ready", "False"), condition("Reconciling", "True")}},
		"stalled":             {conditions: []metav1.Condition{condition("Ready", "False"), condition("Stalled", "True")}},
		"no Ready":            {[]metav1.Condition{condition("Other", "True")}, "no Ready"},
		"twice":               {[]metav1.Condition{condition("Ready", "True"), condition("Ready", "True")}, "twice"},
		"Reconciling=False":   {[]metav1.Condition{condition("Ready", "False"), condition("Reconciling", "False")}, "must be removed"},
		"ready and stalled":   {[]metav1.Condition{condition("Ready", "True"), condition("Stalled", "True")}, "beside Ready=True"},
		"stalled and working": {[]metav1.Condition{condition("Ready", "False"), condition("Stalled", "True"), condition("Reconciling", "True")}, "together"},
		"odd status":          {[]metav1.Condition{condition("Ready", "Maybe")}, `status "Maybe"`},
		"odd reason":          {[]metav1.Condition{with(condition("Ready", "True"), func(c *metav1.Condition) { c.Reason = "not camel" })}, "CamelCase"},
		"no time":             {[]metav1.Condition{with(condition("Ready", "True"), func(c *metav1.Condition) { c.LastTransitionTime = metav1.Time{} })}, "no time"},
		"long message":        {[]metav1.Condition{with(condition("Ready", "True"), func(c *metav1.Condition) { c.Message = strings.Repeat("x", 1025) })}, "1025 bytes"},
		"no message":          {[]metav1.Condition{with(condition("Ready", "False"), func(c *metav1.Condition) { c.Message = "" })}, "without a message"},
		"future generation":   {[]metav1.Condition{with(condition("Ready", "True"), func(c *metav1.Condition) { c.ObservedGeneration = 4 })}, "generation 4"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := Contract(&object{ObjectMeta: metav1.ObjectMeta{Name: "o", Generation: 3}, conditions: test.conditions})
			switch {
			case test.wantError == "" && err != nil:
				t.Errorf("unexpected error: %v", err)
			case test.wantError != "" && (err == nil || !strings.Contains(err.Error(), test.wantError)):
				t.Errorf("error = %v, want one with %q", err, test.wantError)
			}
		})
	}
}
