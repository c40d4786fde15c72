// Package provider speaks OpenID Connect with the identity providers that are configured, and believes of their tokens what
// holds against somebody who makes tokens of their own.
package provider

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/soma-platform/soma/internal/gateway/config"
)

const (
	// MaxToken bounds a token of an identity provider.
	MaxToken = 16 << 10
	// discoveryRetry is how long a provider that could not be asked is not asked again.
	discoveryRetry = 2 * time.Second
	// leeway is how far its clock may be from ours.
	leeway = time.Minute
)

// ErrUnreachable is for a provider that does not answer as one. What it has signed before can still be believed.
var ErrUnreachable = errors.New("the identity provider cannot be reached")

// algorithms that tokens may be signed with: with a key pair, so that who checks a signature cannot make one.
var algorithms = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA}

// Providers are the identity providers of a configuration.
type Providers struct {
	byName map[string]*Provider
	byURL  map[string]*Provider
	inRow  []*Provider
}

// New makes them. None is asked before it is needed, so that the gateway starts without.
func New(c *config.Config, now func() time.Time) (*Providers, error) {
	all := &Providers{byName: map[string]*Provider{}, byURL: map[string]*Provider{}}
	for i := range c.Issuers {
		issuer := &c.Issuers[i]
		ca, err := issuer.CA()
		if err != nil {
			return nil, err
		}
		secret, err := issuer.Secret()
		if err != nil {
			return nil, err
		}
		client, err := newClient(ca)
		if err != nil {
			return nil, fmt.Errorf("issuer %s: %w", issuer.Name, err)
		}
		provider := &Provider{Issuer: issuer, CA: ca, secret: secret, client: client, now: now}
		all.byName[issuer.Name], all.byURL[issuer.URL] = provider, provider
		all.inRow = append(all.inRow, provider)
	}
	return all, nil
}

// All are the providers as the configuration has them.
func (p *Providers) All() []*Provider { return p.inRow }

// ByName is the provider of a name in the configuration, or nil.
func (p *Providers) ByName(name string) *Provider { return p.byName[name] }

// ByURL is the provider of an address, or nil.
func (p *Providers) ByURL(url string) *Provider { return p.byURL[url] }

// OfToken is the provider that a token says it is from, and nothing more than that: nil where there is none.
func (p *Providers) OfToken(raw string) *Provider {
	if len(raw) > MaxToken {
		return nil
	}
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	if json.Unmarshal(payload, &claims) != nil {
		return nil
	}
	return p.byURL[claims.Issuer]
}

// Provider is one identity provider.
type Provider struct {
	Issuer *config.Issuer
	// CA is its certificate authority in PEM; nil where machines know it.
	CA     []byte
	secret string
	client *http.Client
	now    func() time.Time

	mu         sync.Mutex
	discovered *oidc.Provider
	failed     error
	failedAt   time.Time
}

// Tokens are what a provider gave.
type Tokens struct {
	Claims  Claims
	Refresh string
	// ID is the token that the claims are from.
	ID string
}

// context makes one whose requests go by the provider's client.
func (p *Provider) context(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, p.client)
}

// discover asks the provider who it is, once.
func (p *Provider) discover() (*oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.discovered != nil {
		return p.discovered, nil
	}
	if p.failed != nil && p.now().Sub(p.failedAt) < discoveryRetry {
		return nil, p.failed
	}
	// Keys are asked for in this context later: it ends with no request.
	discovered, err := oidc.NewProvider(p.context(context.Background()), p.Issuer.URL)
	if err != nil {
		p.failed, p.failedAt = fmt.Errorf("%w: %w", ErrUnreachable, err), p.now()
		return nil, p.failed
	}
	p.discovered, p.failed = discovered, nil
	return discovered, nil
}

func (p *Provider) oauth(redirect string) (*oauth2.Config, error) {
	discovered, err := p.discover()
	if err != nil {
		return nil, err
	}
	return &oauth2.Config{
		ClientID: p.Issuer.ClientID, ClientSecret: p.secret, RedirectURL: redirect,
		Endpoint: discovered.Endpoint(), Scopes: p.Issuer.Scopes,
	}, nil
}

// SignInURL is where a browser signs in, to come back to the redirect.
func (p *Provider) SignInURL(redirect, state, nonce, verifier string) (string, error) {
	flow, err := p.oauth(redirect)
	if err != nil {
		return "", err
	}
	return flow.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)), nil
}

// Exchange gets the tokens for the code that a browser came back with.
func (p *Provider) Exchange(ctx context.Context, redirect, code, nonce, verifier string) (Tokens, error) {
	flow, err := p.oauth(redirect) //nolint:contextcheck // what is found out of a provider is for all who ask
	if err != nil {
		return Tokens{}, err
	}
	given, err := flow.Exchange(p.context(ctx), code, oauth2.VerifierOption(verifier))
	if err != nil {
		return Tokens{}, fmt.Errorf("exchange the code: %w", scrub(err))
	}
	tokens, err := p.tokens(ctx, given)
	if err != nil {
		return Tokens{}, err
	}
	if tokens.Claims.Nonce != nonce || nonce == "" {
		return Tokens{}, errors.New("the token was made for another sign-in: its nonce is not ours")
	}
	return tokens, nil
}

// Refresh asks whether the person is still who they were. It returns an error of ErrUnreachable where there is no answer, and
// any other where the answer is no.
func (p *Provider) Refresh(ctx context.Context, refresh string) (Tokens, error) {
	flow, err := p.oauth("") //nolint:contextcheck // what is found out of a provider is for all who ask
	if err != nil {
		return Tokens{}, err
	}
	given, err := flow.TokenSource(p.context(ctx), &oauth2.Token{RefreshToken: refresh}).Token()
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused) && refused.Response != nil && refused.Response.StatusCode < http.StatusInternalServerError && refused.Response.StatusCode != http.StatusTooManyRequests:
		return Tokens{}, fmt.Errorf("refresh: %w", scrub(err))
	case err != nil:
		return Tokens{}, fmt.Errorf("%w: %w", ErrUnreachable, scrub(err))
	}
	tokens, err := p.tokens(ctx, given)
	if tokens.Refresh == "" {
		tokens.Refresh = refresh
	}
	return tokens, err
}

func (p *Provider) tokens(ctx context.Context, given *oauth2.Token) (Tokens, error) {
	raw, ok := given.Extra("id_token").(string)
	if !ok {
		return Tokens{}, errors.New("the identity provider gave no ID token: it must speak OpenID Connect")
	}
	claims, err := p.Verify(ctx, raw, p.Issuer.ClientID)
	if err != nil {
		return Tokens{}, err
	}
	return Tokens{Claims: claims, Refresh: given.RefreshToken, ID: raw}, nil
}

// SignOutURL is where a browser signs out at the provider as well, with a token that it gave as a hint of whom: empty where it
// offers no such thing, or does not answer. It is on the provider's own origin, as pages let forms lead nowhere else.
func (p *Provider) SignOutURL(hint string) string {
	discovered, err := p.discover()
	if err != nil {
		return ""
	}
	var offered struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if err := discovered.Claims(&offered); err != nil {
		return ""
	}
	to, err := url.Parse(offered.EndSession)
	if err != nil || originOf(to) != p.Origin() {
		return ""
	}
	query := to.Query()
	query.Set("client_id", p.Issuer.ClientID)
	if hint != "" {
		query.Set("id_token_hint", hint)
	}
	to.RawQuery = query.Encode()
	return to.String()
}

// Origin is the provider's, as browsers say it.
func (p *Provider) Origin() string {
	at, err := url.Parse(p.Issuer.URL)
	if err != nil {
		return ""
	}
	return originOf(at)
}

func originOf(at *url.URL) string { return at.Scheme + "://" + at.Host }

// Verify believes a token of the provider that was made for a client, or says why not.
func (p *Provider) Verify(ctx context.Context, raw, client string) (Claims, error) {
	if len(raw) > MaxToken {
		return Claims{}, fmt.Errorf("the token has more than %d bytes", MaxToken)
	}
	if err := checkHeader(raw); err != nil {
		return Claims{}, err
	}
	// What is wrong with the claims is seen before keys are asked for.
	if claims, err := unverified(raw, p.Issuer); err != nil {
		return Claims{}, err
	} else if err := claims.check(p.Issuer.URL, client, p.now()); err != nil {
		return Claims{}, err
	}
	discovered, err := p.discover() //nolint:contextcheck // what is found out of a provider is for all who ask
	if err != nil {
		return Claims{}, err
	}
	verifier := discovered.Verifier(&oidc.Config{ClientID: client, SupportedSigningAlgs: algorithms, Now: p.now})
	token, err := verifier.Verify(p.context(ctx), raw)
	if err != nil {
		return Claims{}, err
	}
	var payload json.RawMessage
	if err := token.Claims(&payload); err != nil {
		return Claims{}, fmt.Errorf("read the claims: %w", err)
	}
	claims, err := decode(payload, p.Issuer)
	if err != nil {
		return Claims{}, err
	}
	return claims, claims.check(p.Issuer.URL, client, p.now())
}

// scrub leaves of an error from a provider what may be in a log: what it answered can have anything in it.
func scrub(err error) error {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		code := refused.ErrorCode
		if len(code) > 64 {
			code = code[:64]
		}
		status := 0
		if refused.Response != nil {
			status = refused.Response.StatusCode
		}
		return fmt.Errorf("the identity provider refused with status %d and error %q", status, code)
	}
	return err
}
