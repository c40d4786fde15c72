package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
)

// listing is the command `ls` of a kind.
type listing[T any] struct {
	resource schema.GroupVersionResource
	short    string
	columns  []column
	// rows are the table's rows for one object.
	rows func(object *T, now time.Time) [][]any
	// order puts the objects into the order in which they are shown, where that is not the API server's.
	order func(found *unstructured.UnstructuredList)
	// scheme, where it is given, is that of the kind's addresses: who may not list all is shown what they may see.
	scheme access.Scheme
	// look, where it is given, is shown all that is listed, and whether that is all there is, before the rows are made.
	look func(found *unstructured.UnstructuredList, all bool)
	// none, where it is given, is said where there is nothing to list.
	none string
	// names are what -o name prints of one object, where its rows are not objects of their own.
	names func(object *T) []string
}

func newListing[T any](a *app, l listing[T]) *cobra.Command {
	var out output
	c := &cobra.Command{
		Use: "ls", Aliases: []string{"list"}, Short: l.short,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := out.check(c); err != nil {
				return err
			}
			return l.run(c.Context(), a, &out)
		},
	}
	out.addTo(c)
	return c
}

func (l *listing[T]) run(ctx context.Context, a *app, out *output) error {
	var found *unstructured.UnstructuredList
	all, err := true, error(nil)
	if l.scheme == "" {
		found, err = a.list(ctx, l.resource, "", metav1.ListOptions{}, 0)
	} else {
		found, all, err = a.seen(ctx, l.resource, l.scheme)
	}
	if err != nil {
		return err
	}
	if l.look != nil {
		l.look(found, all)
	}
	if l.order != nil {
		l.order(found)
	}
	if len(found.Items) == 0 && l.none != "" && out.table() {
		fmt.Fprintln(a.err, l.none)
		return nil
	}
	return l.print(a.out, found, out, a.now())
}

// print prints the list in the format.
func (l *listing[T]) print(w io.Writer, found *unstructured.UnstructuredList, out *output, now time.Time) error {
	if out.format == "name" && l.names != nil {
		return l.printNames(w, found)
	}
	if !out.table() {
		return out.list(w, found)
	}
	t := &table{columns: l.columns}
	for i := range found.Items {
		object, err := decode[T](&found.Items[i])
		if err != nil { // one bad object does not hide the others
			t.add(l.unreadable(found.Items[i].GetName())...)
			continue
		}
		for _, row := range l.rows(object, now) {
			t.add(row...)
		}
	}
	return t.print(w, out.wide(), true)
}

func (l *listing[T]) printNames(w io.Writer, found *unstructured.UnstructuredList) error {
	var all []string
	for i := range found.Items {
		if object, err := decode[T](&found.Items[i]); err == nil { // one bad object does not hide the others
			all = append(all, l.names(object)...)
		}
	}
	for _, name := range distinct(all) {
		if _, err := fmt.Fprintln(w, name); err != nil {
			return err
		}
	}
	return nil
}

// unreadable is the row of an object that this version cannot read.
func (l *listing[T]) unreadable(name string) []any {
	row := make([]any, len(l.columns))
	for i, c := range l.columns {
		switch c.name {
		case "Name":
			row[i] = name
		case "Phase", "Ready":
			row[i] = "Unreadable"
		default:
			row[i] = ""
		}
	}
	return row
}

// newShow makes the command `status NAME` of a kind, which describes one object.
func newShow[T any](a *app, resource schema.GroupVersionResource, short string, current func(context.Context) (string, error), complete completer, describe func(ctx context.Context, object *T, wide bool) error) *cobra.Command {
	var out output
	c := &cobra.Command{
		Use: "status [NAME]", Short: short,
		Args:              atMostOneArg,
		ValidArgsFunction: complete,
		RunE: func(c *cobra.Command, args []string) error {
			if err := out.check(c); err != nil {
				return err
			}
			name, err := "", error(nil)
			if len(args) == 1 {
				name = args[0]
			} else if name, err = current(c.Context()); err != nil {
				return err
			}
			u, err := a.get(c.Context(), resource, "", name)
			if err != nil {
				return err
			}
			if !out.table() {
				return out.object(a.out, u)
			}
			object, err := decode[T](u)
			if err != nil {
				return err
			}
			return describe(c.Context(), object, out.wide())
		},
	}
	out.addTo(c)
	return c
}

// readiness is the status of the condition Ready and, where it is not true, why.
func readiness(conditions []metav1.Condition) (status, why string) {
	ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	if ready == nil {
		return "", ""
	}
	if ready.Status != metav1.ConditionTrue {
		why = ready.Message
	}
	return string(ready.Status), why
}

func names(list *unstructured.UnstructuredList) []string {
	all := make([]string, 0, len(list.Items))
	for i := range list.Items {
		all = append(all, list.Items[i].GetName())
	}
	return all
}
