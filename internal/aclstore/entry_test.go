package aclstore

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/platform/keyfile"
)

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

func testKeys(first byte) Keys { return Keys{bytes.Repeat([]byte{first}, keyfile.Bytes)} }

func target(t testing.TB, address string) access.Target {
	t.Helper()
	target, _, err := access.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func tree(t testing.TB, address string, level access.Level) *access.Tree {
	t.Helper()
	return access.NewTree([]access.Right{{Target: target(t, address), Level: level}})
}

func TestOpen(t *testing.T) {
	keys := testKeys('a')
	good := keys.seal("bob", 7, access.Encode(tree(t, "storage://east/acme/vision", access.Read)), noon)
	changed := bytes.Clone(good)
	changed[len(changed)-2] ^= 1
	later := bytes.Clone(good)
	later[40]++ // signed a moment later, says who changed it
	tests := map[string]struct {
		keys  Keys
		user  string
		entry []byte
		now   time.Time
		want  error
	}{
		"as it was made":         {keys, "bob", good, noon.Add(time.Second), nil},
		"at its end":             {keys, "bob", good, noon.Add(Validity), nil},
		"after its end":          {keys, "bob", good, noon.Add(Validity + 1), ErrOld},
		"from a clock ahead":     {keys, "bob", good, noon.Add(-skew), nil},
		"from the future":        {keys, "bob", good, noon.Add(-skew - 1), ErrOld},
		"of somebody else":       {keys, "eve", good, noon, ErrForged},
		"changed":                {keys, "bob", changed, noon, ErrForged},
		"its time changed":       {keys, "bob", later, noon, ErrForged},
		"cut off":                {keys, "bob", good[:header-1], noon, ErrForged},
		"empty":                  {keys, "bob", nil, noon, ErrForged},
		"of another key":         {testKeys('b'), "bob", good, noon, ErrForged},
		"of a key that is going": {append(testKeys('b'), keys...), "bob", good, noon, nil},
		"not a tree":             {keys, "bob", keys.seal("bob", 7, []byte("storage everything\n"), noon), noon, ErrForged},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, generation, err := tc.keys.open(tc.user, tc.entry, tc.now)
			if !errors.Is(err, tc.want) {
				t.Fatalf("%v, want %v", err, tc.want)
			}
			if err == nil && (generation != 7 || !got.Allows(target(t, "storage://east/acme/vision/data"), access.Read)) {
				t.Errorf("generation %d, rights %v", generation, got.Rights())
			}
		})
	}
}

// FuzzOpen looks for bytes that count as an entry without having been signed.
func FuzzOpen(f *testing.F) {
	keys := testKeys('a')
	good := keys.seal("bob", 7, []byte("2 job://*/acme/vision\n"), noon)
	f.Add(good)
	f.Add(good[:header])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, entry []byte) {
		if _, _, err := keys.open("bob", entry, noon); err == nil && !bytes.Equal(entry, good) {
			t.Fatalf("%x counts", entry)
		}
	})
}
