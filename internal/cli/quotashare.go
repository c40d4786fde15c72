package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/scheduling"
)

// describeFairShare says what decides who goes first under a quota, as far as it says anything itself.
func describeFairShare(q *v1alpha1.Quota) string {
	share := q.Spec.FairShare
	if share == nil {
		return ""
	}
	var parts []string
	if share.Weight != nil {
		parts = append(parts, fmt.Sprintf("weight %d", *share.Weight))
	}
	if share.HalfLifeSeconds != nil {
		parts = append(parts, "half of what was used is forgotten in "+span(*share.HalfLifeSeconds))
	}
	switch {
	case share.MaxAgeSeconds == nil:
	case *share.MaxAgeSeconds == 0:
		parts = append(parts, "places are kept by submission alone")
	default:
		parts = append(parts, "who has been the next for "+span(*share.MaxAgeSeconds)+" goes first")
	}
	return strings.Join(parts, "; ")
}

// describeGivingWay says which jobs give way to those under a quota, and which of its own do not.
func describeGivingWay(q *v1alpha1.Quota) string {
	p := q.Spec.Preemption
	if p == nil {
		return ""
	}
	var parts []string
	victims := func(which v1alpha1.Victims, what string) {
		switch which {
		case v1alpha1.VictimsAny:
			parts = append(parts, "all jobs "+what)
		case v1alpha1.VictimsPreemptible:
			parts = append(parts, "preemptible jobs "+what)
		}
	}
	victims(p.LowerPriority, "of lower priority")
	victims(p.Reclaim, "on what it lends")
	if turn := scheduling.ReadQuota(q).Preemption.Quantum; turn > 0 {
		parts = append(parts, "preemptible jobs after a turn of "+span(int64(turn/time.Second)))
	}
	if p.MinimumRunSeconds != nil && *p.MinimumRunSeconds > 0 {
		parts = append(parts, "none of its own before "+span(*p.MinimumRunSeconds))
	}
	return strings.Join(parts, "\n")
}

// span is a number of seconds as a person says it.
func span(seconds int64) string {
	text := (time.Duration(seconds) * time.Second).String()
	for _, none := range []string{"m0s", "h0m"} {
		if rest, cut := strings.CutSuffix(text, none); cut {
			text = rest + none[:1]
		}
	}
	return text
}
