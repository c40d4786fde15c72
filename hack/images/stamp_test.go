package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestDigestInputs(t *testing.T) {
	base := []input{text("a", "1"), text("b", "2")}
	digest := func(inputs []input) string {
		t.Helper()
		d, err := digestInputs(inputs)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	want := digest(base)
	if got := digest([]input{text("a", "1"), text("b", "2")}); got != want {
		t.Error("the same inputs have another digest")
	}
	for name, inputs := range map[string][]input{
		"content":         {text("a", "1"), text("b", "3")},
		"name":            {text("a", "1"), text("c", "2")},
		"one less":        {text("a", "1")},
		"one more":        {text("a", "1"), text("b", "2"), text("c", "")},
		"shifted content": {text("a", "12"), text("b", "")},
	} {
		t.Run(name, func(t *testing.T) {
			if digest(inputs) == want {
				t.Error("the digest is the same")
			}
		})
	}
	if _, err := digestInputs([]input{{name: "gone", open: func() (io.ReadCloser, error) { return nil, os.ErrNotExist }}}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v for an input that is not there", err)
	}
}

func TestReadStamp(t *testing.T) {
	want := stamp{Reference: "soma.dev/x:1", Inputs: "i", Digest: "sha256:d", Size: 3}
	for name, tc := range map[string]struct {
		spoil func(archive string) error
		want  stamp
	}{
		"whole":            {func(string) error { return nil }, want},
		"archive gone":     {os.Remove, stamp{}},
		"archive cut":      {func(a string) error { return os.Truncate(a, 1) }, stamp{}},
		"stamp gone":       {removeStamp, stamp{}},
		"stamp unreadable": {func(a string) error { return os.WriteFile(stampPath(a), []byte("{"), 0o600) }, stamp{}},
	} {
		t.Run(name, func(t *testing.T) {
			archive := filepath.Join(t.TempDir(), "x.tar")
			err := errors.Join(os.WriteFile(archive, []byte("abc"), 0o600), writeStamp(archive, want), tc.spoil(archive))
			if err != nil {
				t.Fatal(err)
			}
			if got := readStamp(archive); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
	if err := removeStamp(filepath.Join(t.TempDir(), "never")); err != nil {
		t.Errorf("removing a stamp that is not there: %v", err)
	}
}
