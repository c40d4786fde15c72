package audit

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
)

// scramIterations are those of PostgreSQL itself.
const scramIterations = 4096

// scram is what PostgreSQL keeps of a password, by which a client can show that it has it and nobody can find it.
func scram(password string) (string, error) {
	for _, c := range []byte(password) {
		if c < ' ' || c > '~' {
			// Others have several spellings, that the client and the server make one.
			return "", errors.New("the password of the role that gateways write as has other characters than those of ASCII: make the role by hand, or give it another password")
		}
	}
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails
	salted, err := pbkdf2.Key(sha256.New, password, salt, scramIterations, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("derive a key of the password: %w", err)
	}
	sign := func(text string) []byte {
		mac := hmac.New(sha256.New, salted)
		mac.Write([]byte(text))
		return mac.Sum(nil)
	}
	stored := sha256.Sum256(sign("Client Key"))
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", scramIterations, encode(salt), encode(stored[:]), encode(sign("Server Key"))), nil
}
