package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
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
	// By is what `go test` is given to notice it: a package, and which of its tests. Without it these are all of the file's package.
	By []string `json:"by,omitempty"`
	// Program reports that these tests run the manager's program, which is made anew with the mutation.
	Program bool `json:"program,omitempty"`
}

func read(list string) ([]mutation, error) {
	text, err := os.ReadFile(filepath.Clean(list))
	if err != nil {
		return nil, err
	}
	var mutations []mutation
	if err := yaml.UnmarshalStrict(text, &mutations); err != nil {
		return nil, fmt.Errorf("read %s: %w", list, err)
	}
	return mutations, nil
}

// broken is the file's text with the mutation. The root is the repository's.
func (m *mutation) broken(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m.File))) //nolint:gosec // the list is the repository's own
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(text), m.Old); n != 1 {
		return "", fmt.Errorf("%q occurs %d times in %s", m.Old, n, m.File)
	}
	return strings.Replace(string(text), m.Old, m.New, 1), nil
}

func (m *mutation) folder() string { return "./" + path.Dir(m.File) }

// by is what `go test` is given.
func (m *mutation) by() []string {
	if len(m.By) == 0 {
		return []string{m.folder()}
	}
	return m.By
}

// tests is the same for a person to repeat.
func (m *mutation) tests() string { return strings.Join(m.by(), " ") }

// try runs the tests with the mutation, and reports whether they fail. Without it they have to pass: what becomes of that is kept in
// whole, by the tests.
func (m *mutation) try(ctx context.Context, folder string, whole map[string]error) (noticed bool, err error) {
	text, err := m.broken(".")
	if err != nil {
		return false, err
	}
	overlay, err := overlay(folder, m.File, text)
	if err != nil {
		return false, err
	}
	if out, err := command(ctx, "vet", overlay, m.folder()).CombinedOutput(); err != nil {
		return false, fmt.Errorf("what is broken does not compile: %s", out)
	}
	if _, known := whole[m.tests()]; !known {
		whole[m.tests()] = m.passes(ctx, folder)
	}
	if err := whole[m.tests()]; err != nil {
		return false, err
	}
	passed, out, err := m.test(ctx, folder, overlay)
	if err == nil && strings.Contains(out, "[build failed]") {
		err = fmt.Errorf("with what is broken the tests do not compile: %s", out)
	}
	return !passed, err
}

// passes is an error where the tests fail as the code is.
func (m *mutation) passes(ctx context.Context, folder string) error {
	passed, out, err := m.test(ctx, folder)
	if err == nil && !passed {
		err = fmt.Errorf("`go test %s` fails though nothing is broken: %s", m.tests(), out)
	}
	return err
}

// test runs the tests, with or without the overlay. Those without it may have passed before.
func (m *mutation) test(ctx context.Context, folder string, overlay ...string) (passed bool, out string, err error) {
	arguments := append([]string{"test"}, overlay...)
	if len(overlay) > 0 {
		arguments = append(arguments, "-count=1")
	}
	test := command(ctx, append(arguments, m.by()...)...)
	test.Env = append(os.Environ(), "RAPID_NOFAILFILE=true") // what fails here is no find to keep
	if m.Program {
		program := filepath.Join(folder, "manager")
		build := append(append([]string{"build"}, overlay...), "-o", program, "./cmd/manager")
		if out, err := command(ctx, build...).CombinedOutput(); err != nil {
			return false, "", fmt.Errorf("build the manager: %s", out)
		}
		test.Env = append(test.Env, "SOMA_MANAGER="+program)
	}
	output, err := test.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return false, "", fmt.Errorf("run the tests: %w: %s", err, output)
	}
	return err == nil, string(output), ctx.Err()
}

// overlay is the flag that has the compiler read another text in place of a file.
func overlay(folder, file, text string) (string, error) {
	whole, err := filepath.Abs(filepath.FromSlash(file))
	if err != nil {
		return "", err
	}
	broken, list := filepath.Join(folder, "broken.go"), filepath.Join(folder, "overlay.json")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{whole: broken}})
	if err != nil {
		return "", err
	}
	return "-overlay=" + list, errors.Join(os.WriteFile(broken, []byte(text), 0o600), os.WriteFile(list, replace, 0o600))
}

func command(ctx context.Context, arguments ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "go", arguments...) //nolint:gosec // the list is the repository's own
}
