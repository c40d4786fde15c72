package access

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// What is written and read again allows the same.
func TestEncodeAndDecode(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := anyDirectory(rt)
		for _, name := range d.Users() {
			tree := d.Tree(name, noon)
			text := Encode(tree)
			read, err := Decode(text)
			if err != nil {
				rt.Fatalf("%s: %v of\n%s", name, err, text)
			}
			if again := Encode(read); !bytes.Equal(again, text) {
				rt.Fatalf("%s is written\n%sand then\n%s", name, text, again)
			}
			for _, request := range all {
				if target, _, known := d.Requirement(request); known && tree.Level(target) != read.Level(target) {
					rt.Fatalf("%s on %s: %d, read again %d of\n%s", name, target, tree.Level(target), read.Level(target), text)
				}
			}
		}
	})
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"", "2 job://*/acme/vision\n", "4 cluster://\n3 role://x\n", "5 job://\n", "2 job:\n", "2 job://*\n1 storage://*/a/b/c d\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		tree, err := Decode(text)
		if err != nil {
			return
		}
		if _, err := Decode(Encode(tree)); err != nil {
			t.Fatalf("%q is read, and not again once it is written: %v", text, err)
		}
	})
}
