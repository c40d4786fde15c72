package aclstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/soma-platform/soma/internal/access"
)

const (
	// Validity is how long an entry counts after it was signed.
	Validity = 15 * time.Second
	// skew is how far the clocks of who writes and who reads may be apart.
	skew = 5 * time.Second

	// keyPrefix is that of the keys of entries; the rest is the user's name.
	keyPrefix = "soma:access:"
	// wantedKey is the stream of names of users who were asked about and had no entry that counted.
	wantedKey = "soma:access-wanted"

	// header is what precedes a tree: a code, the version of the form, when it was signed and the generation.
	header = sha256.Size + 1 + 8 + 8
	form   = 1
)

// Why an entry does not count. None of it is an error of Redis.
var (
	ErrMissing = errors.New("there is no entry")
	ErrForged  = errors.New("the entry does not carry the right code")
	ErrOld     = errors.New("the entry was signed too long ago, or in the future")
)

// seal makes the entry of a user: what the user may do, of which generation that is, and when it was signed.
func (k Keys) seal(user string, generation uint64, tree []byte, at time.Time) []byte {
	entry := make([]byte, header, header+len(tree))
	entry[sha256.Size] = form
	binary.BigEndian.PutUint64(entry[sha256.Size+1:], uint64(at.UnixMilli())) //nolint:gosec // after 1970
	binary.BigEndian.PutUint64(entry[sha256.Size+9:], generation)
	entry = append(entry, tree...)
	copy(entry, code(k[0], user, entry[sha256.Size:]))
	return entry
}

// open reads the entry of a user, if it counts at a time.
func (k Keys) open(user string, entry []byte, now time.Time) (tree *access.Tree, generation uint64, err error) {
	if len(entry) < header || !k.made(user, entry) || entry[sha256.Size] != form {
		return nil, 0, ErrForged
	}
	signed := time.UnixMilli(int64(binary.BigEndian.Uint64(entry[sha256.Size+1:]))) //nolint:gosec // our own
	if now.After(signed.Add(Validity)) || now.Before(signed.Add(-skew)) {
		return nil, 0, ErrOld
	}
	tree, err = access.Decode(bytes.Clone(entry[header:]))
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrForged, err)
	}
	return tree, binary.BigEndian.Uint64(entry[sha256.Size+9:]), nil
}
