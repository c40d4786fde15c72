// Command mutations breaks the code on purpose, one way after the other, and fails where the tests do not notice. It changes no
// file: the compiler is given another text in its place.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// mutation is a way to break the code.
type mutation struct {
	// Breaks says what is wrong then.
	Breaks string `json:"breaks"`
	File   string `json:"file"`
	// Old occurs exactly once in the file and is replaced by New.
	Old string `json:"old"`
	New string `json:"new"`
}

func main() {
	list := flag.String("list", "test/mutations/mutations.yaml", "file of the mutations")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *list); err != nil {
		fmt.Fprintln(os.Stderr, "mutations:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, list string) error {
	text, err := os.ReadFile(filepath.Clean(list))
	if err != nil {
		return err
	}
	var mutations []mutation
	if err := yaml.UnmarshalStrict(text, &mutations); err != nil {
		return fmt.Errorf("read %s: %w", list, err)
	}
	folder, err := os.MkdirTemp("", "mutations")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder) //nolint:errcheck // it is a temporary folder
	var missed []error
	for _, m := range mutations {
		noticed, err := m.try(ctx, folder)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", m.Breaks, err)
		case noticed:
			fmt.Println("noticed  ", m.Breaks)
		default:
			fmt.Println("MISSED   ", m.Breaks)
			missed = append(missed, fmt.Errorf("the tests of %s do not notice that %s", filepath.Dir(m.File), m.Breaks))
		}
	}
	return errors.Join(missed...)
}

// try runs the tests of the file's package with the mutation, and reports whether they fail.
func (m *mutation) try(ctx context.Context, folder string) (noticed bool, err error) {
	text, err := os.ReadFile(filepath.FromSlash(m.File))
	if err != nil {
		return false, err
	}
	if n := strings.Count(string(text), m.Old); n != 1 {
		return false, fmt.Errorf("%q occurs %d times in %s", m.Old, n, m.File)
	}
	file, err := filepath.Abs(filepath.FromSlash(m.File))
	if err != nil {
		return false, err
	}
	broken, overlay := filepath.Join(folder, "broken.go"), filepath.Join(folder, "overlay.json")
	if err := os.WriteFile(broken, []byte(strings.Replace(string(text), m.Old, m.New, 1)), 0o600); err != nil { //nolint:gosec // a name of ours in a temporary folder
		return false, err
	}
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{file: broken}})
	if err != nil {
		return false, err
	}
	if err := os.WriteFile(overlay, replace, 0o600); err != nil {
		return false, err
	}
	tests := "./" + filepath.ToSlash(filepath.Dir(m.File))
	build := exec.CommandContext(ctx, "go", "vet", "-overlay", overlay, tests) //nolint:gosec // the list is the repository's own
	if out, err := build.CombinedOutput(); err != nil {
		return false, fmt.Errorf("what is broken does not compile: %s", out)
	}
	test := exec.CommandContext(ctx, "go", "test", "-count=1", "-overlay", overlay, tests) //nolint:gosec // as above
	test.Env = append(os.Environ(), "RAPID_NOFAILFILE=true")                               // what fails here is no find to keep
	out, err := test.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return false, fmt.Errorf("run the tests: %w: %s", err, out)
	}
	return err != nil, ctx.Err()
}
