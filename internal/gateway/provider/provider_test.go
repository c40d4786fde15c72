package provider

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/soma-platform/soma/internal/gateway/config"
)

const client = "soma-cli"

// issuer signs whatever a test asks for: a real provider does not make tokens that are wrong in one thing.
type issuer struct {
	*httptest.Server
	key   *rsa.PrivateKey
	asked atomic.Int64
	// signOut is where it says that people sign out.
	signOut string
}

func newIssuer(t *testing.T) (*issuer, *Provider) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: key}
	i.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/.well-known/openid-configuration":
			_ = json.NewEncoder(w).Encode(map[string]any{
				"issuer": i.URL, "authorization_endpoint": i.URL + "/auth", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys", "end_session_endpoint": i.signOut,
				"id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"},
			})
		case "/keys":
			i.asked.Add(1)
			_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{jwk(&key.PublicKey, "one")}})
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(i.Close)
	file := filepath.Join(t.TempDir(), "ca")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := New(&config.Config{Issuers: []config.Issuer{{Name: "test", URL: i.URL, ClientID: "soma", CLIClientID: client, CAFile: file, GroupsClaim: "groups"}}}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return i, all.ByName("test")
}

func jwk(key *rsa.PublicKey, id string) map[string]any {
	return map[string]any{
		"kty": "RSA", "kid": id, "use": "sig", "alg": "RS256", "n": encode(key.N.Bytes()), "e": encode(big.NewInt(int64(key.E)).Bytes()),
	}
}

func encode(text []byte) string { return base64.RawURLEncoding.EncodeToString(text) }

// claims are good ones.
func (i *issuer) claims() map[string]any {
	now := time.Now().Unix()
	return map[string]any{"iss": i.URL, "sub": "alice", "aud": client, "exp": now + 600, "iat": now - 5, "groups": []string{"b", "a", "b"}, "email": "alice@example.org"}
}

func unsigned(header, claims map[string]any) string {
	h, _ := json.Marshal(header)
	c, _ := json.Marshal(claims)
	return encode(h) + "." + encode(c)
}

func signRSA(t *testing.T, key *rsa.PrivateKey, text string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + encode(signature)
}

func (i *issuer) token(t *testing.T, header, claims map[string]any) string {
	all := map[string]any{"alg": "RS256", "kid": "one", "typ": "JWT"}
	maps.Copy(all, header)
	return signRSA(t, i.key, unsigned(all, claims))
}

func TestVerify(t *testing.T) {
	i, p := newIssuer(t)
	got, err := p.Verify(t.Context(), i.token(t, nil, i.claims()), client)
	if err != nil || got.Identity.Subject != "alice" || got.Identity.Issuer != i.URL || strings.Join(got.Groups, " ") != "a b" || got.Email != "alice@example.org" {
		t.Fatalf("%+v, %v", got, err)
	}
	claim := func(name string, value any) string {
		claims := i.claims()
		if value == nil {
			delete(claims, name)
		} else {
			claims[name] = value
		}
		return i.token(t, nil, claims)
	}
	now := time.Now().Unix()
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	elliptical, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	hs := func(key []byte) string {
		text := unsigned(map[string]any{"alg": "HS256", "kid": "one"}, i.claims())
		mac := hmac.New(sha256.New, key)
		_, _ = mac.Write([]byte(text))
		return text + "." + encode(mac.Sum(nil))
	}
	public, err := x509.MarshalPKIXPublicKey(&i.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	good := i.token(t, nil, i.claims())
	parts := strings.Split(good, ".")
	refused := map[string]string{
		"empty":                     "",
		"another issuer":            claim("iss", "https://evil.example"),
		"issuer with a slash":       claim("iss", i.URL+"/"),
		"no issuer":                 claim("iss", nil),
		"another audience":          claim("aud", "soma"),
		"no audience":               claim("aud", nil),
		"several audiences":         claim("aud", []string{client, "other"}),
		"audience of a number":      claim("aud", 1),
		"no subject":                claim("sub", nil),
		"empty subject":             claim("sub", ""),
		"subject of a number":       claim("sub", 7),
		"long subject":              claim("sub", strings.Repeat("s", 256)),
		"expired":                   claim("exp", now-1),
		"no end":                    claim("exp", nil),
		"end as a text":             claim("exp", "9999999999"),
		"end beyond all":            claim("exp", 1e300),
		"no beginning":              claim("iat", nil),
		"issued in the future":      claim("iat", now+3600),
		"not yet":                   claim("nbf", now+3600),
		"nbf as a text":             claim("nbf", "now"),
		"given to another":          claim("azp", "other"),
		"given to a number":         claim("azp", 1),
		"groups of numbers":         claim("groups", []int{1}),
		"verified by a text":        claim("email_verified", "true"),
		"an access token":           i.token(t, map[string]any{"typ": "at+jwt"}, i.claims()),
		"critical extensions":       i.token(t, map[string]any{"crit": []string{"x"}, "x": 1}, i.claims()),
		"none":                      unsigned(map[string]any{"alg": "none"}, i.claims()) + ".",
		"None":                      unsigned(map[string]any{"alg": "None"}, i.claims()) + "." + parts[2],
		"HS256 with the modulus":    hs(i.key.N.Bytes()),
		"HS256 with the key":        hs(public),
		"HS256 with the key in PEM": hs(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
		"HS256 with nothing":        hs(nil),
		"ES256 over an RSA key": func() string {
			text := unsigned(map[string]any{"alg": "ES256", "kid": "one"}, i.claims())
			sum := sha256.Sum256([]byte(text))
			signature, _ := ecdsa.SignASN1(rand.Reader, elliptical, sum[:])
			return text + "." + encode(signature)
		}(),
		"a key in the header":        signRSA(t, other, unsigned(map[string]any{"alg": "RS256", "jwk": jwk(&other.PublicKey, "one")}, i.claims())),
		"a key in the header, named": signRSA(t, other, unsigned(map[string]any{"alg": "RS256", "kid": "one", "jwk": jwk(&other.PublicKey, "one")}, i.claims())),
		"where a key is":             signRSA(t, other, unsigned(map[string]any{"alg": "RS256", "kid": "x", "jku": "https://evil.example/keys", "x5u": "https://evil.example"}, i.claims())),
		"another key":                signRSA(t, other, unsigned(map[string]any{"alg": "RS256", "kid": "one"}, i.claims())),
		"no name of a key":           signRSA(t, other, unsigned(map[string]any{"alg": "RS256"}, i.claims())),
		"other claims":               parts[0] + "." + encode([]byte(`{"iss":"`+i.URL+`","sub":"admin","aud":"soma-cli","exp":9999999999,"iat":1}`)) + "." + parts[2],
		"no signature":               parts[0] + "." + parts[1] + ".",
		"four parts":                 good + "." + parts[2],
		"a line break":               parts[0] + "." + parts[1] + ".\n" + parts[2],
		"as JSON":                    `{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`,
		"too long":                   good + strings.Repeat("A", MaxToken),
	}
	for name, raw := range refused {
		if got, err := p.Verify(t.Context(), raw, client); err == nil {
			t.Errorf("%s: it is believed: %+v", name, got)
		}
	}
	for name, raw := range map[string]string{
		"given to us": claim("azp", client), "one audience as a list": claim("aud", []string{client}),
		"no groups": claim("groups", nil), "one group": claim("groups", "a"), "a type in small letters": i.token(t, map[string]any{"typ": "jwt"}, i.claims()),
	} {
		if _, err := p.Verify(t.Context(), raw, client); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := p.Verify(t.Context(), claim("exp", now-1), client); !errors.Is(err, ErrExpired) {
		t.Errorf("an expired token: %v", err)
	}
	// However many keys are named that do not exist, the provider is asked for its keys now and then.
	if asked := i.asked.Load(); asked > 3 {
		t.Errorf("the provider was asked for its keys %d times", asked)
	}
}

func TestSeveralAudiencesNeedAParty(t *testing.T) {
	i, p := newIssuer(t)
	claims := i.claims()
	claims["aud"], claims["azp"] = []string{client, "other"}, client
	if _, err := p.Verify(t.Context(), i.token(t, nil, claims), client); err != nil {
		t.Error(err)
	}
}

func TestGroupsAreBounded(t *testing.T) {
	i, p := newIssuer(t)
	claims := i.claims()
	groups := []string{"", "with\nbreak", strings.Repeat("g", 254)}
	for n := range 300 {
		groups = append(groups, "group-"+big.NewInt(int64(n)).String())
	}
	claims["groups"] = groups
	got, err := p.Verify(t.Context(), i.token(t, nil, claims), client)
	if err != nil || len(got.Groups) != 256 || got.MoreGroups != 44 {
		t.Errorf("%d groups and %d more, %v", len(got.Groups), got.MoreGroups, err)
	}
}

func TestUnverifiedEmailIsNotShown(t *testing.T) {
	i, p := newIssuer(t)
	claims := i.claims()
	claims["email_verified"] = false
	if got, err := p.Verify(t.Context(), i.token(t, nil, claims), client); err != nil || got.Email != "" {
		t.Errorf("%q, %v", got.Email, err)
	}
}

func TestUnreachable(t *testing.T) {
	i, p := newIssuer(t)
	raw := i.token(t, nil, i.claims())
	i.Close()
	if _, err := p.Verify(t.Context(), raw, client); !errors.Is(err, ErrUnreachable) {
		t.Errorf("without a provider: %v", err)
	}
}

func TestSignOutURL(t *testing.T) {
	tests := map[string]struct {
		offered func(issuer string) string
		want    string
	}{
		"none":           {func(string) string { return "" }, ""},
		"its own":        {func(issuer string) string { return issuer + "/out?x=y" }, "/out?client_id=soma&id_token_hint=a.b.c&x=y"},
		"another origin": {func(string) string { return "https://evil.example/out" }, ""},
		"without TLS":    {func(issuer string) string { return strings.Replace(issuer, "https:", "http:", 1) + "/out" }, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			i, p := newIssuer(t)
			i.signOut = test.offered(i.URL)
			want := test.want
			if want != "" {
				want = i.URL + want
			}
			if got := p.SignOutURL("a.b.c"); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}
