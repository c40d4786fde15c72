package process

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// digest changes whenever the process would be started otherwise than before: other arguments, other settings, or a
// program that was built or installed anew.
func (s Spec) digest() (string, error) {
	program, err := programs.content(s.Path)
	if err != nil {
		return "", fmt.Errorf("read the program of %s: %w", s.Name, err)
	}
	sum := sha256.New()
	if err := json.NewEncoder(sum).Encode([]any{s.Path, program, s.Args, s.Env, s.Settings, s.NetNS, s.User}); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// programs remembers what is in each program: several processes are started from one large file. Times would not do, as
// go build renews the time of a file that it leaves as it is.
var programs fingerprints

type fingerprints struct {
	mutex sync.Mutex
	known map[string]string
}

func (f *fingerprints) content(path string) (string, error) {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if known, found := f.known[path]; found {
		return known, nil
	}
	file, err := os.Open(filepath.Clean(path))
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	if f.known == nil {
		f.known = map[string]string{}
	}
	f.known[path] = hex.EncodeToString(sum.Sum(nil))
	return f.known[path], nil
}
