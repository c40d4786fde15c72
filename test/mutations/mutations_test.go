package main

import (
	"path/filepath"
	"testing"
)

// A list that the code has outgrown would be found out only by who tries all of it.
func TestEveryMutationHasItsPlace(t *testing.T) {
	root := filepath.Join("..", "..")
	mutations, err := read("mutations.yaml")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, m := range mutations {
		if known[m.Breaks] {
			t.Errorf("%s: twice", m.Breaks)
		}
		known[m.Breaks] = true
		if _, err := m.broken(root); err != nil || m.Old == m.New {
			t.Errorf("%s: changes %t: %v", m.Breaks, m.Old != m.New, err)
		}
		if len(m.By) > 0 {
			if tests, err := filepath.Glob(filepath.Join(root, m.By[0], "*_test.go")); err != nil || len(tests) == 0 {
				t.Errorf("%s: no tests in %s: %v", m.Breaks, m.By[0], err)
			}
		}
	}
}
