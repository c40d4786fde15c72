package main

import (
	"context"
	"fmt"
	"maps"
	"os/exec"
	"slices"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// system is a scheduler that is measured: how it is started, and what the load looks like to it. Everything else, the load and
// who ends the jobs, is the same for all.
type system interface {
	// column is its name in the tables, title what a person reads there.
	column() string
	title() string
	// crds are the files and folders of its kinds.
	crds() []string
	// command runs it, with the kubeconfig in its environment.
	command() (*exec.Cmd, error)
	// prepare makes the queues of a load, while the scheduler runs, and waits until they can be used.
	prepare(ctx context.Context, c client.Client, l *load) error
	// kind is that of its jobs.
	kind() schema.GroupVersionKind
	// job is the job of a class in a queue.
	job(q queue, c *class, name string) *unstructured.Unstructured
	// state reads what the scheduler decided on a job.
	state(job *unstructured.Unstructured) state
	// finished and displaced are the status by which a job ends, and by which one lets go of its place that has to give way: in the
	// place of the controllers that run jobs.
	finished(job *unstructured.Unstructured) map[string]any
	displaced(job *unstructured.Unstructured) map[string]any
}

// state is what a scheduler decided on a job.
type state int

const (
	waiting state = iota
	// reserved: it may run.
	reserved
	// leaving: it has to give way to another.
	leaving
	// done: it was ended.
	done
)

// makers is how many objects are made at the same time before something is measured.
const makers = 16

// makeAll makes objects of a kind that the client knows, or unstructured ones.
func makeAll[T client.Object](ctx context.Context, c client.Client, objects []T) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(makers)
	for _, o := range objects {
		group.Go(func() error {
			if err := c.Create(ctx, o); err != nil {
				return fmt.Errorf("make %s: %w", o.GetName(), err)
			}
			return nil
		})
	}
	return group.Wait()
}

// object is an unstructured object of a kind.
func object(gvk schema.GroupVersionKind, namespace, name string, spec map[string]any) *unstructured.Unstructured {
	metadata := map[string]any{"name": name}
	if namespace != "" {
		metadata["namespace"] = namespace
	}
	o := &unstructured.Unstructured{Object: map[string]any{"metadata": metadata, "spec": spec}}
	o.SetGroupVersionKind(gvk)
	return o
}

// conditions are those of a status, by type.
func conditions(o *unstructured.Unstructured) map[string]map[string]any {
	list, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions") // what is no list has no conditions
	all := map[string]map[string]any{}
	for _, one := range list {
		if c, ok := one.(map[string]any); ok {
			if kind, ok := c["type"].(string); ok {
				all[kind] = c
			}
		}
	}
	return all
}

// listed is conditions as a status has them.
func listed(all map[string]map[string]any) []any {
	var list []any
	for _, kind := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[kind])
	}
	return list
}

// holds reports whether a condition is true.
func holds(all map[string]map[string]any, kind string) bool { return all[kind]["status"] == "True" }
