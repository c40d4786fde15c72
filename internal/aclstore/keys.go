package aclstore

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"sync/atomic"
	"time"

	"k8s.io/utils/clock"

	"github.com/soma-platform/soma/internal/platform/keyfile"
)

// keysInterval is how often a file of keys is read again.
const keysInterval = 10 * time.Second

// Keys are for signing: the first signs, all are accepted, so that one can be replaced.
type Keys [][]byte

// made reports whether an entry of a user was signed with one of the keys.
func (k Keys) made(user string, entry []byte) bool {
	for _, key := range k {
		if hmac.Equal(entry[:sha256.Size], code(key, user, entry[sha256.Size:])) {
			return true
		}
	}
	return false
}

// code binds what an entry says to whom it is about: the entry of one user is none of another's.
func code(key []byte, user string, rest []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(keyPrefix + user + "\x00"))
	mac.Write(rest)
	return mac.Sum(nil)
}

// Keyring is the keys that a file has, also after it was changed.
type Keyring struct {
	path    string
	current atomic.Pointer[Keys]
}

// OpenKeyring reads a file of keys.
func OpenKeyring(path string) (*Keyring, error) {
	k := &Keyring{path: path}
	return k, k.reload()
}

// Keys are those of the moment.
func (k *Keyring) Keys() Keys { return *k.current.Load() }

// Follow reads the file again and again until the context ends. What is wrong with it is told, and leaves the keys as they are.
func (k *Keyring) Follow(ctx context.Context, clk clock.WithTicker, failed func(error)) {
	ticker := clk.NewTicker(keysInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
			if err := k.reload(); err != nil {
				failed(err)
			}
		}
	}
}

func (k *Keyring) reload() error {
	read, err := keyfile.Read(k.path)
	if err != nil {
		return err
	}
	keys := Keys(read)
	k.current.Store(&keys)
	return nil
}
