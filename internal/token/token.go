// Package token is the form of the tokens by which service accounts come: soma_USER_ID_SECRET. The User keeps their hashes
// alone.
package token

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

const (
	// Prefix begins every token, so that scanners for secrets find those that were let out.
	Prefix = "soma_"
	// SecretBytes is how many random bytes are in one.
	SecretBytes = 32
	// maxName is the longest name of a user or a token.
	maxName = 63
	// MaxLength bounds a token.
	MaxLength = len(Prefix) + maxName + 1 + maxName + 1 + 52
)

// encoding has no character that separates the parts of a token, and no two that look alike.
var encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// errForm does not say which part is wrong: the token may be one of somebody else's with a slip in it, and is a secret.
var errForm = errors.New("the token does not have the form soma_USER_ID_SECRET")

// Token is what a token says of itself, to be believed once its hash was found.
type Token struct {
	// User is the name of the service account.
	User string
	// ID names the token among those of the user.
	ID string
}

// New makes a token of random bytes.
func New(user, id string, random [SecretBytes]byte) (string, error) {
	if !isName(user) || !isName(id) {
		return "", fmt.Errorf("a token for %q named %q: names have 1 to %d lower-case letters, digits and '-', with a letter or digit at both ends", user, id, maxName)
	}
	return Prefix + user + "_" + id + "_" + encoding.EncodeToString(random[:]), nil
}

// Is reports whether a text claims to be a token of this form.
func Is(text string) bool { return strings.HasPrefix(text, Prefix) }

// Parse reads a token. It accepts one way of writing each.
func Parse(text string) (Token, error) {
	if len(text) > MaxLength {
		return Token{}, errForm
	}
	rest, found := strings.CutPrefix(text, Prefix)
	parts := strings.Split(rest, "_")
	if !found || len(parts) != 3 || !isName(parts[0]) || !isName(parts[1]) {
		return Token{}, errForm
	}
	secret, err := encoding.DecodeString(parts[2])
	if err != nil || len(secret) != SecretBytes || encoding.EncodeToString(secret) != parts[2] {
		return Token{}, errForm
	}
	return Token{User: parts[0], ID: parts[1]}, nil
}

// Hash is what the User keeps of a token. A token has 256 random bits: nothing slower is needed.
func Hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Matches reports whether a token has the hash, in a time that does not depend on how much of it is right.
func Matches(text, hash string) bool {
	return subtle.ConstantTimeCompare([]byte(Hash(text)), []byte(hash)) == 1
}

// isName reports whether a text is a name of a user or a token.
func isName(text string) bool {
	if text == "" || len(text) > maxName || text[0] == '-' || text[len(text)-1] == '-' {
		return false
	}
	for i := range len(text) {
		c := text[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
