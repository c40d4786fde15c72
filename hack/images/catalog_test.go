package main

import (
	"io/fs"
	"slices"
	"testing"
)

func TestCatalog(t *testing.T) {
	references := map[string]bool{}
	for _, img := range catalog(settings{tag: "dev", bin: "bin"}) {
		if references[img.reference()] {
			t.Errorf("%s is in the catalogue twice", img.reference())
		}
		references[img.reference()] = true
		for _, name := range slices.Concat(shared, img.sources) {
			if info, err := fs.Stat(sources, name); err != nil || !info.Mode().IsRegular() {
				t.Errorf("%s: its source %s is not embedded: %v", img.name, name, err)
			}
		}
	}
	for _, want := range []string{
		"soma.dev/pause:1", "soma.dev/busybox:1", "soma.dev/sklearn:1", "soma.dev/manager:dev", "soma.dev/history:dev", "soma.dev/gateway:dev",
		"soma.dev/traefik:1",
	} {
		if !references[want] {
			t.Errorf("%s is not in the catalogue", want)
		}
	}
}

func TestChoose(t *testing.T) {
	all := []image{{identity: identity{"a", "1"}}, {identity: identity{"b", "1"}}, {identity: identity{"c", "1"}}}
	for name, tc := range map[string]struct {
		names     []string
		want      []string
		wantError bool
	}{
		"all":                {nil, []string{"a", "b", "c"}, false},
		"catalogue's order":  {[]string{"c", "a"}, []string{"a", "c"}, false},
		"unknown":            {[]string{"a", "d"}, nil, true},
		"named twice counts": {[]string{"b", "b"}, []string{"b"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			images, err := choose(all, tc.names)
			if (err != nil) != tc.wantError {
				t.Fatalf("got error %v", err)
			}
			var got []string
			for _, img := range images {
				got = append(got, img.name)
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
