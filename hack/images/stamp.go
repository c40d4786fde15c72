package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// stamp lies beside an image's archive and says what it was made from, so that nothing is made twice.
type stamp struct {
	// Reference is the image's name and tag.
	Reference string `json:"reference"`
	// Inputs is the SHA-256 of everything that the image is made from.
	Inputs string `json:"inputs"`
	// Digest is the digest of the image's manifest: what a pod that runs it reports.
	Digest string `json:"digest"`
	// Size is the size of the archive in bytes.
	Size int64 `json:"size"`
}

// input is one thing that an image is made from.
type input struct {
	name string
	open func() (io.ReadCloser, error)
}

// digestInputs returns one digest over the names and contents of the inputs, in the order given.
func digestInputs(inputs []input) (string, error) {
	total := sha256.New()
	for _, in := range inputs {
		r, err := in.open()
		if err != nil {
			return "", err
		}
		one := sha256.New()
		_, err = io.Copy(one, r)
		if err := errors.Join(err, r.Close()); err != nil {
			return "", fmt.Errorf("reading %s: %w", in.name, err)
		}
		fmt.Fprintf(total, "%q %x\n", in.name, one.Sum(nil))
	}
	return hex.EncodeToString(total.Sum(nil)), nil
}

// readStamp returns the stamp of an archive; the zero stamp when there is none, or none that can be trusted: it cannot
// be read, or the archive is gone or has another size.
func readStamp(archive string) stamp {
	data, err := os.ReadFile(stampPath(archive))
	if err != nil {
		return stamp{}
	}
	var s stamp
	if json.Unmarshal(data, &s) != nil {
		return stamp{}
	}
	if info, err := os.Stat(archive); err != nil || info.Size() != s.Size {
		return stamp{}
	}
	return s
}

// writeStamp records what the archive was made from. It is written last: an interrupted build has no stamp.
func writeStamp(archive string, s stamp) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(stampPath(archive), append(data, '\n'), 0o644) //nolint:gosec // nothing secret in it
}

// removeStamp forgets what the archive was made from.
func removeStamp(archive string) error {
	if err := os.Remove(stampPath(archive)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func stampPath(archive string) string { return archive + ".json" }
