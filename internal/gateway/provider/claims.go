package provider

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/gateway/config"
)

const (
	// MaxGroups is how many groups a User keeps. The others are bounds of what a User keeps as well.
	MaxGroups    = 256
	maxGroup     = 253
	maxSubject   = 255
	maxEmail     = 254
	maxName      = 128
	maxAudiences = 32
)

// Claims are what a token says of a person. Identity is who it is; everything else is for people to read.
type Claims struct {
	Identity v1alpha1.Identity
	IssuedAt time.Time
	// SignedIn is when the person last showed who they are, as far as the provider tells; otherwise it is IssuedAt.
	SignedIn time.Time
	Expires  time.Time
	Nonce    string

	Name, Username, Email string
	Groups                []string
	// MoreGroups is how many groups the person has beyond those that are kept.
	MoreGroups int

	audience   audience
	authorized *string
	notBefore  *seconds
}

// ErrExpired is for a token that counted once.
var ErrExpired = errors.New("the token has expired")

// payload is a token's payload. A claim of another type than it has in the standard makes the token count for nothing.
type payload struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  audience `json:"aud"`
	Party     *string  `json:"azp"`
	Expires   *seconds `json:"exp"`
	IssuedAt  *seconds `json:"iat"`
	NotBefore *seconds `json:"nbf"`
	SignedIn  *seconds `json:"auth_time"`
	Nonce     string   `json:"nonce"`
	Name      string   `json:"name"`
	Username  string   `json:"preferred_username"`
	Email     string   `json:"email"`
	Verified  *bool    `json:"email_verified"`
}

// audience is one client or several.
type audience []string

// UnmarshalJSON reads a string or a list of them.
func (a *audience) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*a = audience{one}
		return nil
	}
	var several []string
	if err := json.Unmarshal(text, &several); err != nil || len(several) > maxAudiences {
		return errors.New("aud is neither a text nor a list of some")
	}
	*a = several
	return nil
}

// seconds is a time as tokens have it.
type seconds time.Time

// UnmarshalJSON reads a number of seconds since 1970.
func (s *seconds) UnmarshalJSON(text []byte) error {
	var number float64
	if err := json.Unmarshal(text, &number); err != nil || number < 0 || number > 1<<40 {
		return errors.New("a time is no number of seconds")
	}
	*s = seconds(time.Unix(int64(number), 0))
	return nil
}

// header is a token's header. Keys in it, or where to find some, are not read: the configured provider says which keys count.
type header struct {
	Algorithm string   `json:"alg"`
	Type      string   `json:"typ"`
	Critical  []string `json:"crit"`
}

// checkHeader refuses what is no ID token: another algorithm, a token of another type, or one that asks for more than we know.
func checkHeader(raw string) error {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return errors.New("the token does not have three parts")
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil || strings.ContainsAny(raw, "\r\n") {
		return errors.New("the token is not base64")
	}
	var h header
	if err := json.Unmarshal(text, &h); err != nil {
		return fmt.Errorf("the token's header: %w", err)
	}
	switch {
	case !slices.Contains(algorithms, h.Algorithm):
		return fmt.Errorf("the token is signed by %q", clip(h.Algorithm, maxName))
	case h.Type != "" && !strings.EqualFold(h.Type, "JWT"):
		return fmt.Errorf("the token is of type %q", clip(h.Type, maxName))
	case len(h.Critical) > 0:
		return errors.New("the token asks for extensions")
	}
	return nil
}

// unverified reads a token's claims before anything says that they are true.
func unverified(raw string, issuer *config.Issuer) (Claims, error) {
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
	if err != nil {
		return Claims{}, errors.New("the token's payload is not base64")
	}
	return decode(text, issuer)
}

// decode reads claims, each with its own type.
func decode(text []byte, issuer *config.Issuer) (Claims, error) {
	var p payload
	if err := json.Unmarshal(text, &p); err != nil {
		return Claims{}, fmt.Errorf("the token's claims: %w", err)
	}
	if p.Expires == nil || p.IssuedAt == nil {
		return Claims{}, errors.New("the token does not say when it was issued and until when it counts")
	}
	c := Claims{
		Identity: v1alpha1.Identity{Issuer: p.Issuer, Subject: p.Subject},
		IssuedAt: time.Time(*p.IssuedAt), Expires: time.Time(*p.Expires), Nonce: p.Nonce,
		Name: clip(p.Name, maxName), Username: clip(p.Username, maxName),
		audience: p.Audience, authorized: p.Party, notBefore: p.NotBefore,
	}
	c.SignedIn = c.IssuedAt
	if p.SignedIn != nil && time.Time(*p.SignedIn).Before(c.IssuedAt) {
		c.SignedIn = time.Time(*p.SignedIn)
	}
	// An address that is not the person's own is not shown as theirs.
	if len(p.Email) <= maxEmail && (p.Verified == nil || *p.Verified) {
		c.Email = p.Email
	}
	return c, c.readGroups(text, issuer)
}

// readGroups reads the groups, which have a claim of their own name at each provider: a list, or one text.
func (c *Claims) readGroups(text []byte, issuer *config.Issuer) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return fmt.Errorf("the token's claims: %w", err)
	}
	claim, found := all[issuer.GroupsClaim]
	if !found || string(claim) == "null" {
		return nil
	}
	var groups []string
	if err := json.Unmarshal(claim, &groups); err != nil {
		var one string
		if json.Unmarshal(claim, &one) != nil {
			return fmt.Errorf("the claim %s is neither a text nor a list of some", issuer.GroupsClaim)
		}
		groups = []string{one}
	}
	for _, group := range groups {
		group = issuer.GroupsPrefix + group
		// Nobody is in a group of a name that cannot be written down, nor by one provider in one of another's.
		if group == "" || !issuer.Owns(group) || len(group) > maxGroup || strings.ContainsFunc(group, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			continue
		}
		c.Groups = append(c.Groups, group)
	}
	slices.Sort(c.Groups)
	c.Groups = slices.Compact(c.Groups)
	if len(c.Groups) > MaxGroups {
		c.MoreGroups = len(c.Groups) - MaxGroups
		c.Groups = c.Groups[:MaxGroups]
	}
	return nil
}

// check says why the claims do not count for a client at a time, if they do not.
func (c *Claims) check(issuer, client string, now time.Time) error {
	switch {
	case c.Identity.Issuer != issuer:
		return errors.New("the token is from another issuer")
	case c.Identity.Subject == "" || len(c.Identity.Subject) > maxSubject:
		return fmt.Errorf("the token has no subject of 1 to %d bytes", maxSubject)
	case !slices.Contains(c.audience, client):
		return errors.New("the token is made for another client")
	case c.authorized != nil && *c.authorized != client, c.authorized == nil && len(c.audience) > 1:
		return errors.New("the token was given to another client")
	case !now.Before(c.Expires):
		return ErrExpired
	case c.IssuedAt.After(now.Add(leeway)):
		return errors.New("the token was issued in the future")
	case c.notBefore != nil && time.Time(*c.notBefore).After(now.Add(leeway)):
		return errors.New("the token does not count yet")
	}
	return nil
}

// clip cuts a text to a number of bytes, and not within a character.
func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "")
}
