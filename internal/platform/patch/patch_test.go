package patch

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
)

var cluster client.Client

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	logf.SetLogger(logr.Discard())
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		fmt.Fprintln(os.Stderr, "the tests of patches need an API server: set KUBEBUILDER_ASSETS to the folder of etcd and kube-apiserver (`make up` makes .soma/bin)")
		return 1
	}
	environment := &envtest.Environment{}
	config, err := environment.Start()
	if err != nil {
		fmt.Fprintln(os.Stderr, "start the API server:", err)
		return 1
	}
	defer func() { _ = environment.Stop() }()
	if cluster, err = client.New(config, client.Options{}); err != nil {
		fmt.Fprintln(os.Stderr, "make a client:", err)
		return 1
	}
	return m.Run()
}

// node is an object with labels, finalizers and a status, as the server has it.
func node(t *testing.T, finalizers ...string) *corev1.Node {
	t.Helper()
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{GenerateName: "node-", Labels: map[string]string{"a": "1"}, Finalizers: finalizers}}
	if err := cluster.Create(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	return n
}

func read(t *testing.T, n *corev1.Node) *corev1.Node {
	t.Helper()
	got := &corev1.Node{}
	if err := cluster.Get(t.Context(), client.ObjectKeyFromObject(n), got); err != nil {
		t.Fatal(err)
	}
	return got
}

func ready(n *corev1.Node) {
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
}

func label(n *corev1.Node) { n.Labels["b"] = "2" }

func TestWrites(t *testing.T) {
	tests := map[string]struct {
		write        func(before, after *corev1.Node) (bool, error)
		change       func(*corev1.Node)
		meanwhile    func(*corev1.Node) // what somebody else changes before the write
		wantWrote    bool
		wantConflict bool
		wantReady    bool
		wantLabel    bool
	}{
		"status, nothing changed": {write: status(t), change: func(*corev1.Node) {}},
		"status changed":          {write: status(t), change: ready, wantWrote: true, wantReady: true},
		"status, read before another's change": {write: status(t), change: ready, meanwhile: func(n *corev1.Node) { n.Labels["c"] = "3" },
			wantWrote: true, wantConflict: true},
		"object, nothing changed": {write: object(t), change: func(*corev1.Node) {}},
		"object changed":          {write: object(t), change: label, wantWrote: true, wantLabel: true},
		"object, read before another's change": {write: object(t), change: label, meanwhile: func(n *corev1.Node) { n.Labels["c"] = "3" },
			wantWrote: true, wantConflict: true},
		"nothing changed, whatever another did": {write: object(t), change: func(*corev1.Node) {}, meanwhile: label, wantLabel: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before := node(t)
			after := before.DeepCopy()
			test.change(after)
			if test.meanwhile != nil {
				theirs := before.DeepCopy()
				test.meanwhile(theirs)
				if err := cluster.Update(t.Context(), theirs); err != nil {
					t.Fatal(err)
				}
			}
			wrote, err := test.write(before, after)
			if wrote != test.wantWrote || apierrors.IsConflict(err) != test.wantConflict || err != nil && !test.wantConflict {
				t.Errorf("want wrote %t, conflict %t; got %t, %v", test.wantWrote, test.wantConflict, wrote, err)
			}
			got := read(t, before)
			isReady := slices.ContainsFunc(got.Status.Conditions, func(c corev1.NodeCondition) bool { return c.Type == corev1.NodeReady })
			if isReady != test.wantReady || (got.Labels["b"] == "2") != test.wantLabel || got.Labels["a"] != "1" {
				t.Errorf("want ready %t, label %t; got %v, %v", test.wantReady, test.wantLabel, got.Status.Conditions, got.Labels)
			}
			if !test.wantWrote && test.meanwhile == nil && got.ResourceVersion != before.ResourceVersion {
				t.Error("the object was written without cause")
			}
		})
	}
}

func status(t *testing.T) func(before, after *corev1.Node) (bool, error) {
	return func(before, after *corev1.Node) (bool, error) { return Status(t.Context(), cluster, before, after) }
}

func object(t *testing.T) func(before, after *corev1.Node) (bool, error) {
	return func(before, after *corev1.Node) (bool, error) { return Object(t.Context(), cluster, before, after) }
}

func TestFinalizers(t *testing.T) {
	const ours, others = "example.com/ours", "example.com/others"
	tests := map[string]struct {
		has, add, remove []string
		want             string
		wantWrote        bool
	}{
		"nothing":           {},
		"added":             {add: []string{ours}, want: ours, wantWrote: true},
		"there already":     {has: []string{ours}, add: []string{ours}, want: ours},
		"beside another's":  {has: []string{others}, add: []string{ours}, want: others + " " + ours, wantWrote: true},
		"removed":           {has: []string{others, ours}, remove: []string{ours}, want: others, wantWrote: true},
		"not there":         {has: []string{others}, remove: []string{ours}, want: others},
		"added and removed": {has: []string{others}, add: []string{ours}, remove: []string{others}, want: ours, wantWrote: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			n := node(t, test.has...)
			wrote, err := Finalizers(t.Context(), cluster, n, test.add, test.remove)
			if err != nil || wrote != test.wantWrote {
				t.Errorf("want wrote %t, got %t, %v", test.wantWrote, wrote, err)
			}
			if got := strings.Join(read(t, n).Finalizers, " "); got != test.want {
				t.Errorf("want %q, got %q", test.want, got)
			}
			if got := strings.Join(n.Finalizers, " "); got != test.want {
				t.Errorf("want the object as the server has it, %q, got %q", test.want, got)
			}
		})
	}
	t.Run("read before another's change", func(t *testing.T) {
		n := node(t)
		theirs := n.DeepCopy()
		label(theirs)
		if err := cluster.Update(t.Context(), theirs); err != nil {
			t.Fatal(err)
		}
		if _, err := Finalizers(t.Context(), cluster, n, []string{ours}, nil); !apierrors.IsConflict(err) {
			t.Errorf("want a conflict, got %v", err)
		}
	})
}

func TestResult(t *testing.T) {
	resource, other := schema.GroupResource{Resource: "nodes"}, errors.New("no route")
	tests := map[string]struct {
		err       error
		want      ctrl.Result
		wantError error
	}{
		"written":        {},
		"gone":           {err: apierrors.NewNotFound(resource, "n")},
		"conflict":       {err: apierrors.NewConflict(resource, "n", errors.New("changed")), want: ctrl.Result{RequeueAfter: conflictDelay}},
		"a gone wrapped": {err: fmt.Errorf("write: %w", apierrors.NewNotFound(resource, "n"))},
		"any other":      {err: other, wantError: other},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Result(test.err)
			if got != test.want || !errors.Is(err, test.wantError) {
				t.Errorf("want %v, %v; got %v, %v", test.want, test.wantError, got, err)
			}
		})
	}
}
