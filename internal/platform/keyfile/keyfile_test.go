package keyfile

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func line(of byte) string { return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{of}, Bytes)) }

func TestRead(t *testing.T) {
	good := line('a')
	tests := map[string]struct {
		text string
		want int
	}{
		"one":      {good, 1},
		"two":      {"# the newest\n" + good + " # of May\n\n" + line('b') + "\r\n", 2},
		"none":     {"# nothing\n\n", 0},
		"short":    {"AAAA", 0},
		"no text":  {"?" + good[1:], 0},
		"too many": {strings.Repeat(good+"\n", maxKeys+1), 0},
		"long":     {strings.Repeat("#"+strings.Repeat(" ", 100)+"\n", maxFile/100) + good, 0},
	}
	for name, test := range tests {
		path := filepath.Join(t.TempDir(), "keys")
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		keys, err := Read(path)
		if len(keys) != test.want || (err != nil) != (test.want == 0) || err != nil && strings.Contains(err.Error(), good[1:]) {
			t.Errorf("%s: %d keys, %v", name, len(keys), err)
		}
	}
	if _, err := Read(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there is read")
	}
}
