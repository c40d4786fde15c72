// Package keyfile reads files of keys, of which the first is used and all are accepted, so that keys can be replaced.
package keyfile

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"strings"
)

const (
	// Bytes is the length of a key.
	Bytes = 32
	// maxKeys bounds how many keys a file has.
	maxKeys = 8
	// maxFile bounds a file.
	maxFile = 64 << 10
)

// Read reads the keys of a file. No error has a part of a key in it.
func Read(path string) ([][]byte, error) {
	file, err := os.Open(path) //nolint:gosec // a file that who starts the program names
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	defer file.Close() //nolint:errcheck // it was only read from
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("the file of keys %s has more than %d bytes", path, maxFile)
	}
	keys, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("the file of keys %s: %w", path, err)
	}
	return keys, nil
}

// Parse reads keys: one a line, 32 bytes in base64; what follows a # is not read.
func Parse(text []byte) ([][]byte, error) {
	var keys [][]byte
	lines := bufio.NewScanner(bytes.NewReader(text))
	for number := 1; lines.Scan(); number++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		key, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(key) != Bytes {
			return nil, fmt.Errorf("line %d is not %d bytes in base64, as `head -c %d /dev/urandom | base64` makes them", number, Bytes, Bytes)
		}
		if len(keys) == maxKeys {
			return nil, fmt.Errorf("it has more than %d keys: remove the oldest, at the end", maxKeys)
		}
		keys = append(keys, key)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read lines: %w", err)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("it has no key: `head -c %d /dev/urandom | base64` makes one", Bytes)
	}
	return keys, nil
}
