package conditions

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var (
	earlier = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	later   = earlier.Add(time.Hour)
)

func TestSetKeepsTheTimeWhileTheStatusHolds(t *testing.T) {
	tests := map[string]struct {
		second      metav1.Condition
		wantChanged bool
		wantTime    time.Time
	}{
		"the same again": {
			second:   metav1.Condition{Type: "A", Status: metav1.ConditionTrue, Reason: "R", Message: "m"},
			wantTime: earlier,
		},
		"another message": {
			second:      metav1.Condition{Type: "A", Status: metav1.ConditionTrue, Reason: "R", Message: "other"},
			wantChanged: true,
			wantTime:    earlier,
		},
		"another generation": {
			second: metav1.Condition{
				Type: "A", Status: metav1.ConditionTrue, Reason: "R", Message: "m", ObservedGeneration: 2,
			},
			wantChanged: true,
			wantTime:    earlier,
		},
		"another status": {
			second:      metav1.Condition{Type: "A", Status: metav1.ConditionFalse, Reason: "R", Message: "m"},
			wantChanged: true,
			wantTime:    later,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var conditions []metav1.Condition
			first := metav1.Condition{Type: "A", Status: metav1.ConditionTrue, Reason: "R", Message: "m"}
			if !Set(&conditions, earlier, first) {
				t.Fatal("the first Set reports no change")
			}
			if got := Set(&conditions, later, test.second); got != test.wantChanged {
				t.Errorf("changed = %v, want %v", got, test.wantChanged)
			}
			if len(conditions) != 1 {
				t.Fatalf("%d conditions, want 1", len(conditions))
			}
			if got := conditions[0].LastTransitionTime.Time; !got.Equal(test.wantTime) {
				t.Errorf("time = %v, want %v", got, test.wantTime)
			}
		})
	}
}

func TestMarksKeepTheThreeConditionsInStep(t *testing.T) {
	type mark func(*[]metav1.Condition, time.Time, int64, string, string) bool
	tests := map[string]struct {
		marks []mark
		want  map[string]metav1.ConditionStatus
	}{
		"ready":                  {[]mark{MarkReady}, map[string]metav1.ConditionStatus{"Ready": "True"}},
		"reconciling":            {[]mark{MarkReconciling}, map[string]metav1.ConditionStatus{"Ready": "False", "Reconciling": "True"}},
		"stalled":                {[]mark{MarkStalled}, map[string]metav1.ConditionStatus{"Ready": "False", "Stalled": "True"}},
		"ready after work":       {[]mark{MarkReconciling, MarkReady}, map[string]metav1.ConditionStatus{"Ready": "True"}},
		"ready after a stall":    {[]mark{MarkStalled, MarkReady}, map[string]metav1.ConditionStatus{"Ready": "True"}},
		"stalled after work":     {[]mark{MarkReconciling, MarkStalled}, map[string]metav1.ConditionStatus{"Ready": "False", "Stalled": "True"}},
		"at work after a stall":  {[]mark{MarkStalled, MarkReconciling}, map[string]metav1.ConditionStatus{"Ready": "False", "Reconciling": "True"}},
		"at work again if ready": {[]mark{MarkReady, MarkReconciling}, map[string]metav1.ConditionStatus{"Ready": "False", "Reconciling": "True"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var conditions []metav1.Condition
			for _, mark := range test.marks {
				if !mark(&conditions, earlier, 1, "Reason", "message") {
					t.Error("a mark that changes something reports no change")
				}
			}
			if test.marks[len(test.marks)-1](&conditions, later, 1, "Reason", "message") {
				t.Error("the same mark again reports a change")
			}
			if len(conditions) != len(test.want) {
				t.Errorf("conditions = %v, want %v", conditions, test.want)
			}
			for _, condition := range conditions {
				if condition.Status != test.want[condition.Type] {
					t.Errorf("%s = %s, want %s", condition.Type, condition.Status, test.want[condition.Type])
				}
			}
		})
	}
}

func TestCut(t *testing.T) {
	tests := map[string]struct {
		text  string
		limit int
		want  string
	}{
		"short":             {"abc", 10, "abc"},
		"exact":             {"abcdef", 6, "abcdef"},
		"long":              {"abcdefghij", 6, "abc…"},
		"between runes":     {"aäääää", 7, "aä…"},
		"too small a limit": {"abcdef", 2, ""},
		"not UTF-8":         {"a\xffb", 10, "a\uFFFDb"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := Cut(test.text, test.limit)
			if got != test.want {
				t.Errorf("Cut(%q, %d) = %q, want %q", test.text, test.limit, got, test.want)
			}
			if len(got) > test.limit || !utf8.ValidString(got) {
				t.Errorf("Cut(%q, %d) = %q is too long or not UTF-8", test.text, test.limit, got)
			}
		})
	}
}

func TestSetCutsLongMessages(t *testing.T) {
	var conditions []metav1.Condition
	Set(&conditions, earlier, metav1.Condition{Type: "A", Status: "True", Reason: "R", Message: strings.Repeat("x", 5000)})
	if got := len(conditions[0].Message); got > MessageLimit {
		t.Errorf("the message has %d bytes, want at most %d", got, MessageLimit)
	}
}
