// Package misfit finds what of a JSON document does not fit into a type. Decoders tell of the first such thing and, where it has
// a notation of its own as amounts do, not where it is.
package misfit

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

const (
	// most is how many misfits are told.
	most = 10
	// longest is how much of a value is shown.
	longest = 100
)

var (
	unmarshaler = reflect.TypeFor[json.Unmarshaler]()
	amount      = reflect.TypeFor[resource.Quantity]()
)

// Find returns what of the document does not fit into the type of the object, which it does not change: each with its path and
// what it must be.
func Find(document []byte, object any) field.ErrorList {
	var found field.ErrorList
	look(document, reflect.TypeOf(object), nil, &found)
	return found
}

// look looks at a part of the document that is meant for the type, and goes into it as far as it can be divided.
func look(part json.RawMessage, t reflect.Type, path *field.Path, found *field.ErrorList) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if len(*found) >= most || json.Unmarshal(part, reflect.New(t).Interface()) == nil {
		return
	}
	if !reflect.PointerTo(t).Implements(unmarshaler) {
		switch t.Kind() {
		case reflect.Struct:
			if fields := map[string]json.RawMessage{}; json.Unmarshal(part, &fields) == nil {
				lookAtFields(fields, t, path, found)
				return
			}
		case reflect.Map:
			if values := map[string]json.RawMessage{}; json.Unmarshal(part, &values) == nil {
				for _, key := range slices.Sorted(maps.Keys(values)) {
					look(values[key], t.Elem(), path.Key(key), found)
				}
				return
			}
		case reflect.Slice:
			var items []json.RawMessage
			if json.Unmarshal(part, &items) == nil {
				for i, item := range items {
					look(item, t.Elem(), path.Index(i), found)
				}
				return
			}
		}
	}
	*found = append(*found, field.Invalid(path, shown(part), must(part, t)))
}

func lookAtFields(fields map[string]json.RawMessage, t reflect.Type, path *field.Path, found *field.ErrorList) {
	for i := range t.NumField() {
		of := t.Field(i)
		name, _, _ := strings.Cut(of.Tag.Get("json"), ",")
		if of.Anonymous && name == "" {
			lookAtFields(fields, of.Type, path, found)
		} else if value, given := fields[name]; given {
			look(value, of.Type, path.Child(name), found)
		}
	}
}

// must says what a value of the type is.
func must(part json.RawMessage, t reflect.Type) string {
	if t == amount {
		return "must be an amount, for instance 4, 500m or 16Gi"
	}
	var number int64
	switch kind := t.Kind(); kind {
	case reflect.Bool:
		return "must be of type boolean"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if json.Unmarshal(part, &number) == nil {
			return fmt.Sprintf("must be a number of %d bits", t.Bits())
		}
		return "must be of type integer"
	case reflect.Float32, reflect.Float64:
		return "must be of type number"
	case reflect.Slice:
		return "must be of type array"
	case reflect.Map:
		return "must be of type object"
	case reflect.Struct:
		if !reflect.PointerTo(t).Implements(unmarshaler) {
			return "must be of type object"
		}
		return "must be a " + t.Name()
	default:
		return "must be of type " + kind.String()
	}
}

// shown is a value as people are told of it: a string as it is, the beginning of what is long.
func shown(part json.RawMessage) string {
	text := string(part)
	if unquoted := ""; json.Unmarshal(part, &unquoted) == nil {
		text = unquoted
	}
	if runes := []rune(text); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return text
}
