package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/liggitt/tabwriter"
	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/printers"
	"sigs.k8s.io/yaml"
)

// output is the format in which a command prints objects.
type output struct{ format string }

const jsonPathPrefix = "jsonpath="

var outputFormats = []string{"json", "yaml", "wide", "name", jsonPathPrefix}

func (o *output) addTo(c *cobra.Command) {
	c.Flags().StringVarP(&o.format, "output", "o", "", "output format: json, yaml, wide, name or jsonpath=TEMPLATE")
	must(c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(outputFormats, cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace)))
}

// table reports whether rows for people are wanted, not objects.
func (o *output) table() bool { return o.format == "" || o.wide() }
func (o *output) wide() bool  { return o.format == "wide" }

// check reports a format that does not exist.
func (o *output) check(c *cobra.Command) error {
	if o.table() {
		return nil
	}
	if _, err := o.printer(); err != nil {
		return usageError(c, err)
	}
	return nil
}

func (o *output) printer() (printers.ResourcePrinter, error) {
	switch {
	case o.format == "json":
		return &printers.JSONPrinter{}, nil
	case o.format == "yaml":
		return &printers.YAMLPrinter{}, nil
	case o.format == "name":
		return &printers.NamePrinter{ShortOutput: true}, nil
	case strings.HasPrefix(o.format, jsonPathPrefix):
		printer, err := printers.NewJSONPathPrinter(strings.TrimPrefix(o.format, jsonPathPrefix))
		if err != nil {
			return nil, fmt.Errorf("the template of -o jsonpath cannot be read: %w; write for instance jsonpath='{.status.phase}'", err)
		}
		return printer, nil
	default:
		return nil, fmt.Errorf("there is no output format %q; the formats are json, yaml, wide, name and jsonpath=TEMPLATE", o.format)
	}
}

// object prints one object in the format.
func (o *output) object(w io.Writer, object runtime.Object) error {
	printer, err := o.printer()
	if err != nil {
		return err
	}
	if u, ok := object.(*unstructured.Unstructured); ok {
		object = withoutManagedFields(u)
	}
	if jp, ok := printer.(*printers.JSONPathPrinter); ok {
		if err := jp.PrintObj(object, w); err != nil {
			return err
		}
		_, err = fmt.Fprintln(w)
		return err
	}
	return printer.PrintObj(object, w)
}

// list prints a list in the format. A list holds objects of any kind, so its own is the general one.
func (o *output) list(w io.Writer, list *unstructured.UnstructuredList) error {
	for i := range list.Items {
		list.Items[i] = *withoutManagedFields(&list.Items[i])
	}
	if o.format == "name" {
		for i := range list.Items {
			if err := o.object(w, &list.Items[i]); err != nil {
				return err
			}
		}
		return nil
	}
	list.Object = map[string]any{"apiVersion": "v1", "kind": "List", "metadata": map[string]any{"resourceVersion": ""}}
	return o.object(w, list)
}

// withoutManagedFields drops the book-keeping of the API server, as kubectl does.
func withoutManagedFields(u *unstructured.Unstructured) *unstructured.Unstructured {
	u = u.DeepCopy()
	u.SetManagedFields(nil)
	return u
}

// data prints what is no object, by its JSON; name is what -o name says of it.
func (o *output) data(w io.Writer, name string, data any) error {
	if o.format == "name" {
		_, err := fmt.Fprintln(w, name)
		return err
	}
	text, err := json.MarshalIndent(data, "", "  ")
	if err != nil {
		return err
	}
	switch {
	case o.format == "yaml":
		text, err = yaml.JSONToYAML(text)
	case strings.HasPrefix(o.format, jsonPathPrefix):
		content := map[string]any{}
		if err := json.Unmarshal(text, &content); err != nil {
			return err
		}
		return o.object(w, &unstructured.Unstructured{Object: content})
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, strings.TrimSuffix(string(text), "\n"))
	return err
}

// column is a column of a table; wide ones are shown with -o wide alone.
type column struct {
	name string
	wide bool
}

// table is rows for people.
type table struct {
	columns []column
	rows    [][]any
}

func (t *table) add(cells ...any) { t.rows = append(t.rows, cells) }

// print writes the table; without a header where it goes on.
func (t *table) print(w io.Writer, wide, header bool) error {
	definition := &metav1.Table{}
	for _, c := range t.columns {
		priority := int32(0)
		if c.wide {
			priority = 1
		}
		definition.ColumnDefinitions = append(definition.ColumnDefinitions, metav1.TableColumnDefinition{Name: c.name, Type: "string", Priority: priority})
	}
	for _, row := range t.rows {
		definition.Rows = append(definition.Rows, metav1.TableRow{Cells: slices.Clone(row)})
	}
	tabs, going := w.(*tabwriter.Writer) // one that goes on keeps the widths of its columns
	if !going {
		tabs = printers.GetNewTabWriter(w)
	}
	if err := printers.NewTablePrinter(printers.PrintOptions{Wide: wide, NoHeaders: !header}).PrintObj(definition, tabs); err != nil {
		return err
	}
	return tabs.Flush()
}

// field is one line of a description: a label and what it says.
type field struct{ label, text string }

// printFields writes labels and texts in two columns; what says nothing is left out.
func (a *app) printFields(w io.Writer, fields []field) {
	width := 0
	for _, f := range fields {
		if f.text != "" {
			width = max(width, len(f.label))
		}
	}
	bold := styleOf(w, a)
	for _, f := range fields {
		if f.text == "" {
			continue
		}
		text := strings.ReplaceAll(strings.TrimRight(f.text, "\n"), "\n", "\n"+strings.Repeat(" ", width+2))
		fmt.Fprintf(w, "%s%s %s\n", bold.dim(f.label+":"), strings.Repeat(" ", width-len(f.label)), text)
	}
}

// styleOf is the style of the stream: colour on standard output needs that to be a terminal too.
func styleOf(w io.Writer, a *app) style {
	if w != a.out || isTerminal(a.out) {
		return a.style
	}
	return style{}
}
