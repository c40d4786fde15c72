// Package session seals what a browser keeps for the gateway: who is signed in, and what a sign-in that is under way has to
// remember. Nothing is stored: every gateway with the same keys opens what another has sealed.
package session

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/soma-platform/soma/internal/platform/keyfile"
)

const (
	// version is the first byte of what is sealed.
	version = 1
	// maxSealed bounds what is opened, and what is sealed: a browser keeps 4096 bytes of a cookie with its name and
	// attributes.
	maxSealed = 3800
)

// Purpose keeps what is sealed for one purpose from being taken for another.
type Purpose string

// The purposes.
const (
	// ForSession is a session of somebody who signed in.
	ForSession Purpose = "session"
	// ForSignIn is a sign-in that is under way.
	ForSignIn Purpose = "sign-in"
	// ForSignOut is what the identity provider is shown when somebody signs out.
	ForSignOut Purpose = "sign-out"
	// ForPage is a visit of the page of a job, and ForCode what a browser comes to its host with.
	ForPage Purpose = "job-page"
	ForCode Purpose = "job-page-code"
	// ForConnection is a ticket with which a browser opens a connection to a container.
	ForConnection Purpose = "connection"
)

var purposes = []Purpose{ForSession, ForSignIn, ForSignOut, ForPage, ForCode, ForConnection}

// errPurpose is for a purpose that there is no key for.
var errPurpose = errors.New("nothing is sealed for this purpose")

// ErrTooLong is for what would not fit into a cookie.
var ErrTooLong = errors.New("it does not fit into a cookie")

// errOpen does not say why: who presents a cookie that was not sealed by us learns nothing.
var errOpen = errors.New("it was not sealed with a key that is known here")

// Keys seal with the first key and open with each. They are safe for concurrent use, and can be replaced while they are used.
type Keys struct {
	current atomic.Pointer[map[Purpose][]cipher.AEAD]
}

// ReadKeys reads keys from a file.
func ReadKeys(path string) (*Keys, error) {
	keys := &Keys{}
	return keys, keys.Reload(path)
}

// Reload takes the keys that a file has by now. What is wrong with it leaves the keys as they are.
func (k *Keys) Reload(path string) error {
	keys, err := keyfile.Read(path)
	if err != nil {
		return err
	}
	return k.use(keys)
}

// Set takes keys as the file has them: one a line, 32 bytes in base64; what follows a # is not read.
func (k *Keys) Set(text []byte) error {
	keys, err := keyfile.Parse(text)
	if err != nil {
		return err
	}
	return k.use(keys)
}

func (k *Keys) use(keys [][]byte) error {
	ciphers := map[Purpose][]cipher.AEAD{}
	for _, key := range keys {
		for _, purpose := range purposes {
			sealer, err := sealer(key, purpose)
			if err != nil {
				return err
			}
			ciphers[purpose] = append(ciphers[purpose], sealer)
		}
	}
	k.current.Store(&ciphers)
	return nil
}

// sealer makes a cipher of a key for a purpose. Each has a key of its own, and nonces of its own making.
func sealer(key []byte, purpose Purpose) (cipher.AEAD, error) {
	derived, err := hkdf.Key(sha256.New, key, nil, "soma gateway "+string(purpose), keyfile.Bytes)
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, fmt.Errorf("make a cipher: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// Seal makes of a text one that only the keys open, and only for the purpose.
func (k *Keys) Seal(purpose Purpose, text []byte) (string, error) {
	sealers := (*k.current.Load())[purpose]
	if len(sealers) == 0 {
		return "", errPurpose
	}
	sealed := sealers[0].Seal([]byte{version}, nil, text, []byte{version}) //nolint:gosec // the cipher makes a random nonce itself
	encoded := base64.RawURLEncoding.EncodeToString(sealed)
	if len(encoded) > maxSealed {
		return "", ErrTooLong
	}
	return encoded, nil
}

// Open is the text that was sealed for the purpose.
func (k *Keys) Open(purpose Purpose, encoded string) ([]byte, error) {
	if len(encoded) > maxSealed {
		return nil, errOpen
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || len(sealed) < 1 || sealed[0] != version {
		return nil, errOpen
	}
	for _, sealer := range (*k.current.Load())[purpose] {
		if text, err := sealer.Open(nil, nil, sealed[1:], sealed[:1]); err == nil {
			return text, nil
		}
	}
	return nil, errOpen
}

// NewKey makes a line for a file of keys.
func NewKey() string {
	key := make([]byte, keyfile.Bytes)
	_, _ = rand.Read(key)
	return base64.StdEncoding.EncodeToString(key)
}
