package debian

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	dir := t.TempDir()
	for _, version := range []string{"13", "15"} {
		if err := os.MkdirAll(filepath.Join(dir, version), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, version, "server"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	there := Program{Glob: filepath.Join(dir, "*", "server")}
	if got, err := there.Find(); err != nil || got != filepath.Join(dir, "15", "server") {
		t.Errorf("Find = %s, %v; want the newest", got, err)
	}
	missing := Program{Glob: filepath.Join(dir, "*", "client"), Package: "the-client", Why: "it asks"}
	if _, err := missing.Find(); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "the-client") {
		t.Errorf("Find = %v, want it to name the package", err)
	}
	if got := Missing([]Program{there, missing}); len(got) != 1 || got[0].Package != "the-client" {
		t.Errorf("Missing = %v, want the client alone", got)
	}
}
