package job

import (
	"context"
	"errors"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	platformv1 "github.com/soma-platform/soma/api/v1alpha1"
)

// liveJob is an API server that has one job.
type liveJob struct {
	client.Reader
	job *platformv1.Job
}

func (l liveJob) Get(_ context.Context, _ client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	l.job.DeepCopyInto(into.(*platformv1.Job)) //nolint:forcetypeassert // nothing else is read
	return nil
}

var errBegan = errors.New("the pods are being made")

// beginning is a client that knows no cluster: who reads it is about to make pods.
type beginning struct{ client.Client }

func (beginning) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return errBegan
}

// TestPodsAreMadeOfAReservationThatIsThere: what the cache shows may have been released, unless it is fresh and given by this manager.
func TestPodsAreMadeOfAReservationThatIsThere(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	attempt := func(n int32, ending platformv1.JobReason) *platformv1.Reservation {
		return &platformv1.Reservation{Attempt: n, Ending: ending}
	}
	for name, tc := range map[string]struct {
		age   time.Duration
		leads time.Duration
		uid   types.UID
		live  *platformv1.Reservation
		makes bool
	}{
		"it is the same":           {time.Minute, time.Hour, "a", attempt(1, ""), true},
		"it was released":          {time.Minute, time.Hour, "a", nil, false},
		"it is of a later try":     {time.Minute, time.Hour, "a", attempt(2, ""), false},
		"it is being ended":        {time.Minute, time.Hour, "a", attempt(1, platformv1.JobReasonUserRequested), false},
		"it is fresh":              {time.Second, time.Hour, "a", nil, true},
		"it is of a predecessor":   {time.Second, time.Millisecond, "a", nil, false},
		"the clock was set back":   {-time.Second, time.Hour, "a", nil, false},
		"another job has its name": {time.Minute, time.Hour, "b", attempt(1, ""), false},
	} {
		t.Run(name, func(t *testing.T) {
			cached := &platformv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "vision", Name: "train", UID: "a"}}
			live := cached.DeepCopy()
			cached.Status.Reservation, live.Status.Reservation, live.UID = attempt(1, ""), tc.live, tc.uid
			cached.Status.Reservation.Time = metav1.NewMicroTime(now.Add(-tc.age))
			r := &Reconciler{Client: beginning{}, Live: liveJob{job: live}, Clock: clocktesting.NewFakePassiveClock(now)}
			r.began = func() time.Time { return now.Add(-tc.leads) }
			if err := r.createPods(t.Context(), cached); (err != nil) != tc.makes {
				t.Errorf("makes pods: %t, want %t: %v", err != nil, tc.makes, err)
			}
		})
	}
}
