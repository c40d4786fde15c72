package job

import (
	"context"
	"errors"
	"testing"
	"time"

	schedulingv1 "k8s.io/api/scheduling/v1"
	schedulingv1beta1 "k8s.io/api/scheduling/v1beta1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	clocktesting "k8s.io/utils/clock/testing"
)

// server answers which kinds it serves.
type server struct {
	discovery.ServerResourcesInterfaceWithContext

	asked     int
	resources []string
	err       error
}

func (s *server) ServerResourcesForGroupVersionWithContext(_ context.Context, version string) (*metav1.APIResourceList, error) {
	s.asked++
	if version != schedulingv1beta1.SchemeGroupVersion.String() {
		return nil, errors.New("it is asked about " + version)
	}
	list := &metav1.APIResourceList{}
	for _, name := range s.resources {
		list.APIResources = append(list.APIResources, metav1.APIResource{Name: name})
	}
	return list, s.err
}

func TestWhetherPodGroupsAreServed(t *testing.T) {
	tests := map[string]struct {
		server  server
		want    bool
		wantErr bool
	}{
		"served":                  {server: server{resources: []string{"workloads", "podgroups", "podgroups/status"}}, want: true},
		"others of the version":   {server: server{resources: []string{"workloads"}}},
		"no such version":         {server: server{err: apierrors.NewNotFound(schema.GroupResource{}, "")}},
		"the API server is away":  {server: server{err: errors.New("connection refused")}, wantErr: true},
		"the API server is slow":  {server: server{err: apierrors.NewTimeoutError("slow", 1)}, wantErr: true},
		"the API server is upset": {server: server{err: apierrors.NewInternalError(errors.New("upset"))}, wantErr: true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			groups := &podGroups{kinds: &tc.server, clock: clocktesting.NewFakePassiveClock(time.Now())}
			got, err := groups.served(t.Context())
			if got != tc.want || (err != nil) != tc.wantErr {
				t.Errorf("served %t, %v; want %t, error %t", got, err, tc.want, tc.wantErr)
			}
		})
	}
}

func TestWhetherPodGroupsAreServedIsAskedSeldom(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(time.Now())
	api := &server{resources: []string{"podgroups"}}
	groups := &podGroups{kinds: api, clock: clock}
	expect := func(want bool, asked int, when string) {
		t.Helper()
		if got, err := groups.served(t.Context()); got != want || err != nil || api.asked != asked {
			t.Errorf("%s: served %t, %v, asked %d times; want %t, asked %d times", when, got, err, api.asked, want, asked)
		}
	}
	expect(true, 1, "at first")
	api.resources = nil
	expect(true, 1, "soon after")
	clock.SetTime(clock.Now().Add(lookAgain))
	expect(false, 2, "after a while")
	api.resources = []string{"podgroups"}
	expect(false, 2, "soon after that")
	groups.forget()
	expect(true, 3, "when it is in doubt")
	api.err = errors.New("connection refused")
	groups.forget()
	if _, err := groups.served(t.Context()); err == nil {
		t.Error("an answer that did not come is taken for one")
	}
	api.err = nil
	expect(true, 5, "after an answer that did not come")
}

func TestGroupsThatAreServedNoMore(t *testing.T) {
	kind := schema.GroupKind{Group: schedulingv1.GroupName, Kind: "PodGroup"}
	tests := map[string]struct {
		err   error
		doubt bool
	}{
		"no such address": {apierrors.NewGenericServerResponse(404, "post", schema.GroupResource{}, "", "", 0, true), true},
		"no such kind":    {&meta.NoKindMatchError{GroupKind: kind}, true},
		"forbidden":       {apierrors.NewForbidden(schema.GroupResource{}, "", errors.New("policy")), false},
		"nobody answers":  {errors.New("connection refused"), false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			r := &Reconciler{groups: &podGroups{due: time.Now()}}
			err := r.unlessServed(tc.err)
			if got := r.groups.due.IsZero(); got != tc.doubt {
				t.Errorf("asked again: %t, want %t", got, tc.doubt)
			}
			if err == nil || ignoreConflict(err) == nil || final(err) != final(tc.err) {
				t.Errorf("%v became %v, which ends the attempt or is not tried again", tc.err, err)
			}
		})
	}
}
