// Package internal_test checks what no compiler checks: that the layers of docs/architecture.md hold.
package internal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/soma-platform/soma"

// A layer's packages may import packages of lower layers, and of their own part of their own layer.
type layer int

const (
	api layer = iota
	helpers
	decisions
	adapters
	actors
	commands
	// anywhere is for tests and what helps them.
	anywhere
)

func (l layer) String() string {
	return [...]string{
		"L0 api", "L1 helpers", "L2 pure decisions", "L3 adapters", "L4 actors", "L5 commands", "tests",
	}[l]
}

// layers maps folders to their layer; the longest prefix counts.
var layers = map[string]layer{
	"api":                 api,
	"internal/platform":   helpers,
	"internal/scheduling": decisions,
	"internal/access":     decisions,
	"internal/accounting": decisions,
	"internal/energy":     decisions,
	"internal/token":      decisions,
	"internal/lifecycle":  decisions,
	"internal/workload":   decisions,
	"internal/fleet":      adapters,
	"internal/history":    adapters,
	"internal/signin":     adapters,
	"internal/aclstore":   adapters,
	"internal/authority":  adapters,
	"internal/openapi":    adapters,
	"controllers":         actors,
	"webhooks":            actors,
	"internal/gateway":    actors,
	"internal/cli":        actors,
	"internal/recorder":   actors,
	"internal/historyapi": actors,
	"internal/accessapi":  actors,
	"cmd":                 commands,
	"test":                anywhere,
	"internal/testing":    anywhere,
	// A check of the contract that conditions keep, for tests.
	"internal/platform/conditions/check": anywhere,
}

// place says in which layer a package is and which part of the layer it belongs to. Parts of a layer do not import each
// other: controllers of two kinds meet only through API objects.
func place(folder string) (l layer, part string, known bool) {
	for prefix := folder; prefix != "."; prefix = path.Dir(prefix) {
		if l, known = layers[prefix]; known {
			part = prefix
			break
		}
	}
	switch {
	case part == "cmd" || part == "controllers" && folder != "controllers":
		// One part for each folder below.
		rest := strings.TrimPrefix(folder, part+"/")
		part = path.Join(part, strings.Split(rest, "/")[0])
	case part == "api" || part == "internal/platform":
		part = path.Dir(part)
	}
	return l, part, known
}

// complaint says what is wrong with one package importing another, if anything.
func complaint(from, to string) string {
	fromLayer, fromPart, fromKnown := place(from)
	toLayer, toPart, toKnown := place(to)
	switch {
	case !fromKnown:
		return fmt.Sprintf("%s is in no layer: name it in internal/layers_test.go and in docs/architecture.md", from)
	case !toKnown:
		return fmt.Sprintf("%s is in no layer: name it in internal/layers_test.go and in docs/architecture.md", to)
	case fromLayer == anywhere:
		return ""
	case toLayer == anywhere:
		return fmt.Sprintf("%s (%s) imports %s, which is for tests", from, fromLayer, to)
	case toLayer > fromLayer:
		return fmt.Sprintf("%s (%s) imports %s (%s): nothing points up", from, fromLayer, to, toLayer)
	case fromLayer == helpers && toLayer == api:
		return fmt.Sprintf("%s (%s) imports %s: a helper knows nothing of this domain", from, fromLayer, to)
	case toLayer == fromLayer && fromPart != toPart && from != "controllers":
		return fmt.Sprintf("%s imports %s (both %s): nothing points sideways", from, to, fromLayer)
	}
	return ""
}

func TestComplaint(t *testing.T) {
	tests := map[string]struct {
		from, to string
		wantBad  bool
	}{
		"down":                             {from: "controllers/job", to: "internal/scheduling"},
		"to the types":                     {from: "internal/scheduling", to: "api/v1alpha1"},
		"within a part":                    {from: "internal/history/schema", to: "internal/history"},
		"one helper to another":            {from: "internal/platform/patch", to: "internal/platform/conditions"},
		"wiring of the controllers":        {from: "controllers", to: "controllers/job"},
		"a test to anything":               {from: "test/e2e", to: "controllers/job"},
		"up":                               {from: "internal/scheduling", to: "internal/fleet", wantBad: true},
		"sideways between controllers":     {from: "controllers/job", to: "controllers/project", wantBad: true},
		"sideways between adapters":        {from: "internal/history", to: "internal/fleet", wantBad: true},
		"sideways between commands":        {from: "cmd/soma", to: "cmd/manager", wantBad: true},
		"a helper that knows the domain":   {from: "internal/platform/patch", to: "api/v1alpha1", wantBad: true},
		"the product to what is for tests": {from: "internal/history", to: "internal/testing/postgres", wantBad: true},
		"a folder that nobody named":       {from: "internal/misc", to: "api/v1alpha1", wantBad: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := complaint(test.from, test.to); (got != "") != test.wantBad {
				t.Errorf("complaint(%s, %s) = %q, want bad: %t", test.from, test.to, got, test.wantBad)
			}
		})
	}
}

// listed is what `go list` tells of a package.
type listed struct {
	ImportPath, Dir string
	GoFiles         []string
	Imports         []string
}

func list(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Dir,GoFiles,Imports", module+"/...")
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, complaints.String())
	}
	var all []listed
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("read what go list says: %v", err)
		}
		all = append(all, p)
	}
}

func TestLayers(t *testing.T) {
	for _, p := range list(t) {
		from := strings.TrimPrefix(p.ImportPath, module+"/")
		for _, imported := range p.Imports {
			if to, ours := strings.CutPrefix(imported, module+"/"); ours {
				if wrong := complaint(from, to); wrong != "" {
					t.Error(wrong)
				}
			}
		}
	}
}

// TestLayersAreTold: the page names every folder that has a layer, and each of them exists.
func TestLayersAreTold(t *testing.T) {
	page, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	for folder := range layers {
		if _, err := os.Stat(filepath.Join("..", folder)); err != nil {
			t.Errorf("%s has a layer and is not there: %v", folder, err)
		}
		if place, _, _ := place(folder); place != anywhere && !bytes.Contains(page, []byte(folder)) {
			t.Errorf("docs/architecture.md does not say what belongs into %s", folder)
		}
	}
}

// impure are imports by which a decision could depend on more than its arguments, or change more than its result.
var impure = []string{
	"k8s.io/client-go", "sigs.k8s.io/controller-runtime", "net", "net/http", "database/sql", "os", "os/exec", "math/rand",
	"math/rand/v2", "github.com/jackc/pgx", "github.com/redis",
}

func TestDecisionsArePure(t *testing.T) {
	for _, p := range list(t) {
		folder := strings.TrimPrefix(p.ImportPath, module+"/")
		if l, _, known := place(folder); !known || l != decisions {
			continue
		}
		for _, imported := range p.Imports {
			for _, bad := range impure {
				if imported == bad || strings.HasPrefix(imported, bad+"/") && strings.Contains(bad, ".") {
					t.Errorf("%s imports %s: what decides gets its facts as arguments", folder, imported)
				}
			}
		}
		for _, name := range p.GoFiles {
			for _, wrong := range impurities(t, filepath.Join(p.Dir, name)) {
				t.Errorf("%s/%s", folder, wrong)
			}
		}
	}
}

// impurities finds clocks and goroutines in a file.
func impurities(t *testing.T, file string) []string {
	t.Helper()
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	timeName := importName(parsed, "time")
	var found []string
	ast.Inspect(parsed, func(node ast.Node) bool {
		line := filepath.Base(file)
		if node != nil {
			line = fmt.Sprintf("%s:%d", line, set.Position(node.Pos()).Line)
		}
		switch node := node.(type) {
		case *ast.GoStmt:
			found = append(found, line+" starts a goroutine: what decides only computes")
		case *ast.SelectorExpr:
			name, isName := node.X.(*ast.Ident)
			if !isName || name.Name != timeName {
				return true
			}
			switch node.Sel.Name {
			case "Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker":
				found = append(found, fmt.Sprintf("%s calls time.%s: the time is an argument", line, node.Sel.Name))
			}
		}
		return true
	})
	return found
}

// importName is the name under which a file knows a package; "" when it does not import it.
func importName(file *ast.File, wanted string) string {
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil || imported != wanted {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path.Base(imported)
	}
	return ""
}
