package kubeproxy

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

var errTooLarge = errors.New("an object is larger than any may be")

// bounded reads no more than what is left; whoever reads one thing after the other renews it for each.
type bounded struct {
	reader io.Reader
	left   int64
}

// Read reads.
func (b *bounded) Read(into []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLarge
	}
	n, err := b.reader.Read(into)
	b.left -= int64(n)
	return n, err
}

// expect reads a token that has to come.
func expect(decoder *json.Decoder, want json.Delim) error {
	switch token, err := decoder.Token(); {
	case err != nil:
		return err
	case token != want:
		return fmt.Errorf("there is %v where %v was expected", token, want)
	}
	return nil
}

// joiner writes pieces of JSON, and remembers the first error.
type joiner struct {
	out *bufio.Writer
	err error
}

func (j *joiner) text(text string) {
	if j.err == nil {
		_, j.err = j.out.WriteString(text)
	}
}

func (j *joiner) raw(raw []byte) {
	if j.err == nil {
		_, j.err = j.out.Write(raw)
	}
}

func (j *joiner) key(name string, first bool) {
	if !first {
		j.text(",")
	}
	encoded, err := json.Marshal(name)
	if err != nil {
		j.err = errors.Join(j.err, err)
		return
	}
	j.raw(encoded)
	j.text(":")
}
