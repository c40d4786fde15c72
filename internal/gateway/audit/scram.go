package audit

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"

	xdg "github.com/xdg-go/scram"
)

// scramIterations are those of PostgreSQL itself.
const scramIterations = 4096

// scram is what PostgreSQL keeps of a password, by which a client can show that it has it and nobody can find it:
// https://www.postgresql.org/docs/current/catalog-pg-authid.html.
func scram(password string) (string, error) {
	client, err := xdg.SHA256.NewClient("", password, "")
	if err != nil {
		return "", fmt.Errorf("the password of the role that gateways write as: %w: give it another", err)
	}
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails
	kept := client.GetStoredCredentials(xdg.KeyFactors{Salt: string(salt), Iters: scramIterations})
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", scramIterations, encode(salt), encode(kept.StoredKey), encode(kept.ServerKey)), nil
}
