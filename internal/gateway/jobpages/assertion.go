package jobpages

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"k8s.io/utils/lru"
)

const (
	// AssertionHeader is where a job finds who asks: a JWT for the job's UID.
	AssertionHeader = "X-Soma-Assertion"
	// KeysPath is where jobs find the keys by which assertions are known.
	KeysPath = "/.well-known/soma/assertion-keys"

	assertionType     = "soma-assertion+jwt"
	assertionLifetime = time.Minute
	// maxAssertions bounds how many are kept in mind, a few hundred bytes each.
	maxAssertions = 8192
)

// Signer signs assertions.
type Signer struct {
	issuer string
	signer jose.Signer
	keys   []byte
	// signed are assertions that may be given again: a page is many requests, and to sign is most of what each would take.
	signed *lru.Cache
}

// about is whom an assertion is about and for.
type about struct{ user, jobUID string }

type assertion struct {
	text string
	at   time.Time
}

// NewSigner makes a signer of a key, for the gateway at an address.
func NewSigner(issuer string, key ed25519.PrivateKey) (*Signer, error) {
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("the key of assertions is no key of Ed25519")
	}
	sum := sha256.Sum256(public)
	id := base64.RawURLEncoding.EncodeToString(sum[:8])
	options := (&jose.SignerOptions{}).WithType(assertionType).WithHeader("kid", id)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: key}, options)
	if err != nil {
		return nil, fmt.Errorf("the key of assertions: %w", err)
	}
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: public, KeyID: id, Algorithm: string(jose.EdDSA), Use: "sig"}}})
	if err != nil {
		return nil, fmt.Errorf("write the keys of assertions: %w", err)
	}
	return &Signer{issuer: issuer, signer: signer, keys: keys, signed: lru.New(maxAssertions)}, nil
}

// Sign says to the job of a UID that a user asks. It counts for a minute from when it was signed, half of it at least.
func (s *Signer) Sign(user, jobUID string, now time.Time) (string, error) {
	key := about{user, jobUID}
	if found, there := s.signed.Get(key); there {
		if a, ok := found.(assertion); ok && !now.Before(a.at) && now.Sub(a.at) < assertionLifetime/2 {
			return a.text, nil
		}
	}
	text, err := jwt.Signed(s.signer).Claims(jwt.Claims{
		Issuer: s.issuer, Subject: user, Audience: jwt.Audience{jobUID},
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(assertionLifetime)),
	}).Serialize()
	if err != nil {
		return "", fmt.Errorf("sign an assertion: %w", err)
	}
	s.signed.Add(key, assertion{text, now})
	return text, nil
}

// ServeHTTP gives the keys, as a JSON Web Key Set (RFC 7517), to everybody.
func (s *Signer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/jwk-set+json")
	w.Header().Set("Cache-Control", "max-age=300")
	_, _ = w.Write(s.keys)
}
