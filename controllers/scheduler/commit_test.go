package scheduler

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	clocktesting "k8s.io/utils/clock/testing"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/platform/fencing"
	"github.com/soma-platform/soma/internal/scheduling"
)

// ledger is a fence with a record as large as an object may be, which is replaced only once all is written that it names.
type ledger struct {
	alone
	written  chan string
	recorded int
}

func (l *ledger) Begin(_ context.Context, writes []fencing.Write) error {
	record, err := json.Marshal(writes)
	switch {
	case err != nil:
		return err
	case len(record) > corev1.MaxSecretSize:
		return fmt.Errorf("a record of %d bytes is too long", len(record))
	case len(l.written) != l.recorded:
		return fmt.Errorf("%d of %d are written that were recorded", len(l.written), l.recorded)
	}
	l.recorded += len(writes)
	return nil
}

// TestManyGiveWayAtOnce: those who make room for large jobs may be more than one record can name.
func TestManyGiveWayAtOnce(t *testing.T) {
	for _, many := range []int{0, 1, endingsPerRecord, endingsPerRecord + 1, 10_000} {
		w := &writer{written: make(chan string, many)}
		l := &ledger{written: w.written}
		r := &Reconciler{Client: w, fence: l, Clock: clocktesting.NewFakePassiveClock(now), aside: aside{}, refusals: newRefusals()}
		var endings []update
		for i := range many {
			job := &platformv1.Job{}
			job.Namespace, job.Name, job.ResourceVersion = "vision", fmt.Sprint(strings.Repeat("a", 200), i), "12345678"
			endings = append(endings, update{job: job, status: withdrawn(holder("", "", ""), scheduling.Refusal{}, now)})
		}
		if _, err := r.commit(t.Context(), state{}, nil, endings, now); err != nil || len(w.written) != many || l.recorded != many {
			t.Errorf("of %d, %d were told to end and %d recorded: %v", many, len(w.written), l.recorded, err)
		}
	}
}
