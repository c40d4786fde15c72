package cluster

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	testingclock "k8s.io/utils/clock/testing"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/fleet"
	"github.com/soma-platform/soma/internal/platform/conditions"
	"github.com/soma-platform/soma/internal/platform/conditions/check"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// fakeProber answers what it is told to.
type fakeProber struct {
	facts fleet.Facts
	err   error
	asked int
}

func (p *fakeProber) Local(context.Context) (fleet.Facts, error) {
	p.asked++
	return p.facts, p.err
}

func (p *fakeProber) Remote(context.Context, []byte) (fleet.Facts, error) { return p.facts, p.err }

func TestAClusterIsUnreachableAfterThreeFailures(t *testing.T) {
	prober := &fakeProber{facts: fleet.Facts{Version: "v1.37.2", ID: "a"}}
	now := testingclock.NewFakePassiveClock(start)
	reconciler := &Reconciler{Clock: now, Prober: prober}
	cluster := &v1alpha1.Cluster{}
	cluster.Name, cluster.Generation = "local", 1

	steps := []struct {
		after     time.Duration
		err       error
		wantAsked int
		wantPhase v1alpha1.ClusterPhase
	}{
		{0, nil, 1, v1alpha1.ClusterConnected},
		{10 * time.Second, errors.New("down"), 1, v1alpha1.ClusterConnected},
		{20 * time.Second, errors.New("down"), 2, v1alpha1.ClusterConnected},
		{10 * time.Second, errors.New("down"), 3, v1alpha1.ClusterConnected},
		{10 * time.Second, errors.New("still down"), 4, v1alpha1.ClusterUnreachable},
		{10 * time.Second, errors.New("down again"), 5, v1alpha1.ClusterUnreachable},
		{10 * time.Second, nil, 6, v1alpha1.ClusterConnected},
		{10 * time.Second, errors.New("down"), 6, v1alpha1.ClusterConnected},
		{20 * time.Second, errors.New("down"), 7, v1alpha1.ClusterConnected},
	}
	for i, step := range steps {
		now.SetTime(now.Now().Add(step.after))
		prober.err = step.err
		derive(cluster, facts{probe: reconciler.probe(context.Background(), cluster)}, now.Now())
		if prober.asked != step.wantAsked {
			t.Errorf("step %d: asked %d times, want %d", i, prober.asked, step.wantAsked)
		}
		if cluster.Status.Phase != step.wantPhase {
			t.Errorf("step %d: phase %s, want %s", i, cluster.Status.Phase, step.wantPhase)
		}
		if err := check.Contract(cluster); err != nil {
			t.Errorf("step %d: %v", i, err)
		}
	}
}

func TestAClusterThatNeverAnsweredIsPending(t *testing.T) {
	prober := &fakeProber{err: errors.New("down")}
	reconciler := &Reconciler{Clock: testingclock.NewFakePassiveClock(start), Prober: prober}
	cluster := &v1alpha1.Cluster{}
	cluster.Name, cluster.Generation = "local", 1
	derive(cluster, facts{probe: reconciler.probe(context.Background(), cluster)}, start)
	if cluster.Status.Phase != v1alpha1.ClusterPending {
		t.Errorf("phase %s, want Pending", cluster.Status.Phase)
	}
}

func TestATimeZoneThatNobodyKnowsIsTold(t *testing.T) {
	cluster := &v1alpha1.Cluster{}
	cluster.Name, cluster.Generation = "local", 1
	for _, step := range []struct {
		zone string
		want bool
	}{{"", false}, {"Europe/Entenhausen", true}, {"Europe/Berlin", false}} {
		cluster.Spec.Energy = &v1alpha1.Energy{TimeZone: step.zone}
		derive(cluster, facts{probe: probeResult{facts: fleet.Facts{Version: "v1.37.2"}}}, start)
		told := conditions.Get(cluster.Status.Conditions, v1alpha1.ConditionEnergyUnknown)
		if (told != nil) != step.want || told != nil && (told.Reason != v1alpha1.ReasonTimeZoneUnknown || !strings.Contains(told.Message, step.zone)) {
			t.Errorf("zone %q: %v", step.zone, told)
		}
		if !conditions.IsTrue(cluster.Status.Conditions, v1alpha1.ConditionReady) {
			t.Errorf("zone %q: the cluster is not ready", step.zone)
		}
		if err := check.Contract(cluster); err != nil {
			t.Error(err)
		}
	}
}

// Everybody may read clusters: whose jobs a cluster waits for is not for them.
func TestAClusterThatIsDeletedNamesNoJobs(t *testing.T) {
	for jobs, want := range map[int]string{
		0: "Nothing of the cluster is left but its last entry in the history.",
		4: `Waiting for jobs that run in the cluster: 4. "soma ps -A" lists those that you may see.`,
	} {
		cluster := &v1alpha1.Cluster{}
		cluster.Name, cluster.Generation = "local", 1
		deriveDeletion(cluster, jobs, start)
		if ready := conditions.Get(cluster.Status.Conditions, v1alpha1.ConditionReady); ready == nil || ready.Message != want {
			t.Errorf("%d jobs: %v, want %q", jobs, ready, want)
		}
	}
}
