package authority

import (
	"context"
	"reflect"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
)

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// jobs are those of a project, as the home cluster has them.
func jobs(project string) access.Target { return access.In(access.Job, access.Home, "", project) }

// world is an authority that is followed by a test: what it tells arrives one change after the other.
type world struct {
	*Authority
	clock *clocktesting.FakeClock
	tick  chan time.Time
	mu    sync.Mutex
	told  []Change
	ended chan error
}

// start starts an authority that knows the objects already.
func start(t *testing.T, objects ...metav1.Object) *world {
	t.Helper()
	clock := clocktesting.NewFakeClock(noon)
	w := &world{Authority: New(clock), clock: clock, tick: make(chan time.Time), ended: make(chan error, 1)}
	w.Listen(func(c Change) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.told = append(w.told, c)
	})
	for _, object := range objects {
		w.set(object)
	}
	if w.Synced() || len(w.changes()) > 0 || w.Tree("bob").Allows(jobs("vision"), access.List) {
		t.Fatal("it answers before it knows everything")
	}
	ctx, stop := context.WithCancel(t.Context())
	go func() { w.ended <- w.run(ctx, []toolscache.InformerSynced{func() bool { return true }}, w.tick) }()
	t.Cleanup(func() {
		stop()
		if err := <-w.ended; err != nil {
			t.Error(err)
		}
	})
	w.beat() // it has been told that everything is known when it listens to the clock
	return w
}

// set puts an object in place, as an informer does.
func (w *world) set(object metav1.Object) {
	switch object := object.(type) {
	case *v1alpha1.User:
		w.setUser(object.Name, "", object)
	case *v1alpha1.Role:
		w.setRole(object.Name, "", object)
	case *v1alpha1.Grant:
		w.setGrant(object.Name, object.Namespace, object)
	case *v1alpha1.Project:
		w.setProject(object.Name, "", object)
	case *v1alpha1.Quota:
		w.setQuota(object.Name, "", object)
	}
}

// beat lets it look at the clock, and waits until it has.
func (w *world) beat() {
	w.tick <- w.clock.Now()
	w.tick <- w.clock.Now()
}

// changes are what it told since the last time.
func (w *world) changes() []Change {
	w.mu.Lock()
	defer w.mu.Unlock()
	told := w.told
	w.told = nil
	return told
}

func user(name string, held ...string) *v1alpha1.User {
	u := &v1alpha1.User{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Generation: 1}}
	for _, role := range held {
		u.Spec.Roles = append(u.Spec.Roles, v1alpha1.HeldRole{Role: role})
	}
	return u
}

func role(name string, uri v1alpha1.Address, action v1alpha1.Action) *v1alpha1.Role {
	return &v1alpha1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Generation: 1},
		Spec:       v1alpha1.RoleSpec{Grants: []v1alpha1.Permission{{URI: uri, Action: action}}},
	}
}

func grant(name string, to v1alpha1.Grantee, ends *metav1.Time) *v1alpha1.Grant {
	return &v1alpha1.Grant{
		ObjectMeta: metav1.ObjectMeta{Namespace: "vision", Name: name, UID: types.UID(name), Generation: 1},
		Spec:       v1alpha1.GrantSpec{To: to, Role: "reader", ExpiresAt: ends},
	}
}

func project(name, quota string) *v1alpha1.Project {
	return &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.ProjectSpec{Quota: quota}}
}

// company are objects for the tests: in vision bob may read jobs by a grant, the group ml by another.
func company() []metav1.Object {
	carol := user("carol")
	carol.Status.Groups = []string{"ml"}
	return []metav1.Object{
		role("reader", "job:", v1alpha1.ActionRead), role("root", "user://", v1alpha1.ActionManage),
		user("bob"), carol, user("dave", "root"),
		&v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: "team"}}, project("vision", "team"), project("empty", ""),
		grant("to-bob", v1alpha1.Grantee{User: "bob"}, nil), grant("to-ml", v1alpha1.Grantee{Group: "ml"}, nil),
	}
}

func TestEverythingIsToldAtFirst(t *testing.T) {
	w := start(t, company()...)
	want := []Change{{Users: []string{"bob", "carol", "dave"}, Projects: []string{"empty", "vision"}, Platform: true}}
	if got := w.changes(); !reflect.DeepEqual(got, want) {
		t.Errorf("told %+v, want %+v", got, want)
	}
	if !w.Synced() || !w.Tree("bob").Allows(jobs("vision"), access.Read) || w.Tree("bob").Allows(jobs("empty"), access.List) {
		t.Error("it does not answer as the objects say")
	}
}

func TestChanges(t *testing.T) {
	tests := map[string]struct {
		change func(w *world)
		want   []Change
	}{
		"a grant": {
			change: func(w *world) { w.set(grant("to-dave", v1alpha1.Grantee{User: "dave"}, nil)) },
			want:   []Change{{Users: []string{"dave"}, Projects: []string{"vision"}}},
		},
		"a grant that goes": {
			change: func(w *world) { w.setGrant("to-ml", "vision", nil) },
			want:   []Change{{Users: []string{"carol"}, Projects: []string{"vision"}}},
		},
		"the status of a grant": {change: func(w *world) {
			g := grant("to-bob", v1alpha1.Grantee{User: "bob"}, nil)
			g.Status.ObservedGeneration = 1
			w.set(g)
		}},
		"a user who signs in again": {change: func(w *world) {
			carol := user("carol")
			carol.Status.Groups, carol.Status.LastSignIn = []string{"ml"}, &metav1.Time{Time: noon}
			w.set(carol)
		}},
		"a user who left a group": {
			change: func(w *world) { w.set(user("carol")) },
			want:   []Change{{Users: []string{"carol"}, Projects: []string{"vision"}, Platform: true}},
		},
		"a user who goes": {
			change: func(w *world) { w.setUser("bob", "", nil) },
			want:   []Change{{Users: []string{"bob"}, Projects: []string{"vision"}, Platform: true}},
		},
		"a role": {
			change: func(w *world) {
				r := role("reader", "job:", v1alpha1.ActionWrite)
				r.Generation = 2
				w.set(r)
			},
			want: []Change{{Users: []string{"bob", "carol"}, Projects: []string{"vision"}, Roles: []string{"reader"}, Platform: true}},
		},
		"a role that nobody has": {
			change: func(w *world) { w.set(role("new", "job:", v1alpha1.ActionRead)) },
			want:   []Change{{Roles: []string{"new"}}},
		},
		"a project": {
			change: func(w *world) { w.set(project("robots", "")) },
			want:   []Change{{Users: []string{"dave"}, Projects: []string{"robots"}, Platform: true}},
		},
		"a quota that moves": {
			change: func(w *world) {
				w.set(&v1alpha1.Quota{ObjectMeta: metav1.ObjectMeta{Name: "team"}, Spec: v1alpha1.QuotaSpec{Parent: "all"}})
			},
			want: []Change{{Users: []string{"bob", "carol", "dave"}, Projects: []string{"vision", "vision"}, Platform: true}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := start(t, company()...)
			w.changes()
			test.change(w)
			if got := w.changes(); !reflect.DeepEqual(got, test.want) {
				t.Errorf("told %+v, want %+v", got, test.want)
			}
		})
	}
}

// Two who claim the same identity lose it together.
func TestIdentityOfTwo(t *testing.T) {
	identity := []v1alpha1.Identity{{Issuer: "https://issuer", Subject: "7"}}
	bob := user("bob")
	bob.Spec.Identities = identity
	w := start(t, bob)
	w.changes()
	mallory := user("mallory")
	mallory.Spec.Identities = identity
	w.set(mallory)
	if got := w.changes(); len(got) != 1 || !reflect.DeepEqual(got[0].Users, []string{"bob", "mallory"}) {
		t.Errorf("told %+v", got)
	}
}

func TestGrantEnds(t *testing.T) {
	at := func(seconds int) *metav1.Time {
		return &metav1.Time{Time: noon.Add(time.Duration(seconds) * time.Second)}
	}
	w := start(t, append(company(), grant("to-dave", v1alpha1.Grantee{User: "dave"}, at(60)))...)
	w.set(grant("to-eve", v1alpha1.Grantee{User: "eve"}, at(30)))
	w.set(user("eve"))
	w.changes()
	for _, step := range []struct {
		after      time.Duration
		dave, eve  bool
		wantChange []Change
	}{
		{after: 29 * time.Second, dave: true, eve: true},
		{after: time.Second, dave: true, wantChange: []Change{{Users: []string{"eve"}, Projects: []string{"vision"}}}},
		{after: 29 * time.Second, dave: true},
		{after: time.Second, wantChange: []Change{{Users: []string{"dave"}, Projects: []string{"vision"}}}},
		{after: time.Hour},
	} {
		w.clock.Step(step.after)
		w.beat()
		if got := w.changes(); !reflect.DeepEqual(got, step.wantChange) {
			t.Errorf("%s: told %+v, want %+v", w.clock.Now(), got, step.wantChange)
		}
		for name, want := range map[string]bool{"dave": step.dave, "eve": step.eve} {
			if got := w.Tree(name).Allows(jobs("vision"), access.Read); got != want {
				t.Errorf("%s: %s may read: %t, want %t", w.clock.Now(), name, got, want)
			}
		}
	}
	// A grant may be made to last longer.
	longer := grant("to-eve", v1alpha1.Grantee{User: "eve"}, at(2*3600))
	longer.Generation = 2
	w.set(longer)
	if !w.Tree("eve").Allows(jobs("vision"), access.Read) {
		t.Error("a grant that lasts longer now does not count")
	}
}

// Of two answers about a user the one of the later revision is the newer one.
func TestRevisions(t *testing.T) {
	w := start(t, company()...)
	before, first := w.Rights("bob")
	if first == 0 || !before.Allows(jobs("vision"), access.Read) {
		t.Fatalf("revision %d", first)
	}
	carol := user("carol")
	carol.Status.Groups, carol.Status.LastSignIn = []string{"ml"}, &metav1.Time{Time: noon}
	w.set(carol)
	if _, same := w.Rights("bob"); same != first {
		t.Errorf("what changes nobody's rights makes revision %d of %d", same, first)
	}
	w.setGrant("to-bob", "vision", nil)
	if after, second := w.Rights("bob"); second <= first || after.Allows(jobs("vision"), access.List) {
		t.Errorf("after revision %d it is %d", first, second)
	}
	if tree, revision := New(w.clock).Rights("bob"); revision != 0 || tree.Allows(jobs("vision"), access.List) {
		t.Errorf("before anything is known it is revision %d", revision)
	}
}

// What was found of a project since has a grant as it is. Of its project it is told even where nobody is concerned.
func TestGrantsAreKnownFromARevisionOn(t *testing.T) {
	w := start(t, company()...)
	w.changes()
	before := w.Revision()
	if first := w.Granted(grant("to-bob", v1alpha1.Grantee{User: "bob"}, nil)); first == 0 || first > before {
		t.Errorf("what was there at first is known from revision %d of %d on", first, before)
	}
	late := grant("to-nobody", v1alpha1.Grantee{Group: "nobody"}, nil)
	if known := w.Granted(late); known != 0 {
		t.Errorf("what was not heard of is known from revision %d on", known)
	}
	w.set(late)
	since := w.Granted(late)
	if since <= before || since > w.Revision() {
		t.Errorf("a new grant is known from revision %d on, of %d to %d", since, before, w.Revision())
	}
	if got, want := w.changes(), []Change{{Projects: []string{"vision"}}}; !reflect.DeepEqual(got, want) {
		t.Errorf("told %+v, want %+v", got, want)
	}
	said := late.DeepCopy()
	said.Status.ObservedGeneration = 1
	w.set(said)
	if again := w.Granted(said); again != since {
		t.Errorf("its status makes it known from revision %d on, not %d", again, since)
	}
	longer := late.DeepCopy()
	longer.Generation = 2
	if known := w.Granted(longer); known != 0 {
		t.Errorf("a change that was not heard of is known from revision %d on", known)
	}
	w.set(longer)
	if changed := w.Granted(longer); changed <= since {
		t.Errorf("a change is known from revision %d on, not after %d", changed, since)
	}
}

// By its own clock it notices what ends.
func TestLooksAtTheClockItself(t *testing.T) {
	clock := clocktesting.NewFakeClock(noon)
	a := New(clock)
	ended := make(chan []string, 1)
	a.Listen(func(c Change) {
		if !c.Platform {
			ended <- c.Users
		}
	})
	for _, object := range append(company(), grant("to-dave", v1alpha1.Grantee{User: "dave"}, &metav1.Time{Time: noon.Add(time.Second)})) {
		(&world{Authority: a}).set(object)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	known := make(chan error, 1)
	go func() {
		known <- a.Start(ctx, []toolscache.InformerSynced{func() bool { return clock.HasWaiters() }})
	}()
	for !a.Synced() {
		select {
		case err := <-known:
			t.Fatal(err)
		case <-time.After(time.Millisecond):
		}
	}
	clock.Step(time.Second)
	if users := <-ended; !reflect.DeepEqual(users, []string{"dave"}) {
		t.Errorf("told of %v", users)
	}
}
