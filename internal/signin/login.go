package signin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	// loginTimeout is how long a person may take.
	loginTimeout = 10 * time.Minute
	// callbackPath is where the identity provider sends the browser back to.
	callbackPath = "/callback"
)

// algorithms that tokens may be signed with.
var algorithms = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA}

// Tokens are what somebody is who signed in.
type Tokens struct {
	// ID is the token that the gateway takes.
	ID string `json:"idToken"`
	// Refresh gets the next one; empty where the provider gives none.
	Refresh string `json:"refreshToken,omitempty"`
	// Expires is when ID stops counting.
	Expires time.Time `json:"expires"`
}

// flow is a sign-in at an issuer.
type flow struct {
	provider *oidc.Provider
	client   *http.Client
	oauth    oauth2.Config
}

func begin(ctx context.Context, issuer *Issuer) (*flow, error) {
	c, err := client([]byte(issuer.CA))
	if err != nil {
		return nil, err
	}
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, c), issuer.URL)
	if err != nil {
		return nil, fmt.Errorf("ask %s how to sign in: %w", issuer.URL, err)
	}
	return &flow{provider: provider, client: c, oauth: oauth2.Config{ClientID: issuer.ClientID, Endpoint: provider.Endpoint(), Scopes: issuer.Scopes}}, nil
}

// tokens checks what the provider gave. The nonce is empty where the flow has none.
func (f *flow) tokens(ctx context.Context, given *oauth2.Token, nonce string) (*Tokens, error) {
	raw, ok := given.Extra("id_token").(string)
	if !ok {
		return nil, errors.New("the identity provider gave no ID token: it must speak OpenID Connect")
	}
	verifier := f.provider.Verifier(&oidc.Config{ClientID: f.oauth.ClientID, SupportedSigningAlgs: algorithms})
	token, err := verifier.Verify(oidc.ClientContext(ctx, f.client), raw)
	if err != nil {
		return nil, fmt.Errorf("the identity provider's token is not believed: %w", err)
	}
	if nonce != "" && token.Nonce != nonce {
		return nil, errors.New("the identity provider's token was made for another sign-in")
	}
	return &Tokens{ID: raw, Refresh: given.RefreshToken, Expires: token.Expiry}, nil
}

// Browser signs in by a browser of this machine, which open opens with an address. The browser comes back to a port of the
// loopback, which listens until then.
func Browser(ctx context.Context, issuer *Issuer, open func(address string) error) (*Tokens, error) {
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	f, err := begin(ctx, issuer)
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("wait for the browser: %w", err)
	}
	f.oauth.RedirectURL = "http://" + listener.Addr().String() + callbackPath
	state, nonce, verifier := rand.Text(), rand.Text(), oauth2.GenerateVerifier()
	came := make(chan answer, 1)
	server := &http.Server{Handler: waiting(state, issuer.URL, came), ReadHeaderTimeout: askTimeout, MaxHeaderBytes: 64 << 10}
	go func() { _ = server.Serve(listener) }()
	defer func() { _ = server.Close() }()

	if err := open(f.oauth.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier))); err != nil {
		return nil, fmt.Errorf("open a browser: %w", err)
	}
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("nobody signed in: %w", ctx.Err())
	case got := <-came:
		// What the browser is told has to reach it.
		defer func() { _ = server.Shutdown(context.WithoutCancel(ctx)) }()
		if got.err != nil {
			return nil, got.err
		}
		given, err := f.oauth.Exchange(oidc.ClientContext(ctx, f.client), got.code, oauth2.VerifierOption(verifier))
		if err != nil {
			return nil, fmt.Errorf("exchange the code: %w", err)
		}
		return f.tokens(ctx, given, nonce)
	}
}

// answer is with what the browser came back.
type answer struct {
	code string
	err  error
}

// waiting waits for the browser to come back once. Whatever comes without the state is from somebody else, and is not listened to.
func waiting(state, issuer string, came chan<- answer) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+callbackPath, func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(state)) != 1 {
			http.Error(w, "This is no answer to the sign-in that waits here.", http.StatusBadRequest)
			return
		}
		var got answer
		switch code := query.Get("error"); {
		case code != "":
			got.err = fmt.Errorf("the identity provider says %.64q", code)
		case query.Has("iss") && query.Get("iss") != issuer:
			got.err = errors.New("the answer is from another identity provider")
		case query.Get("code") == "":
			got.err = errors.New("the identity provider gave no code")
		default:
			got.code = query.Get("code")
		}
		text := "You are signed in. Close this window and go back to the terminal."
		if got.err != nil {
			text = "The sign-in did not succeed. The terminal says why."
			w.WriteHeader(http.StatusBadRequest)
		}
		_, _ = w.Write([]byte(text + "\n"))
		select {
		case came <- got:
		default:
		}
	})
	return mux
}

// Code is what a person enters on another device.
type Code struct {
	// Address is where, and Code what. Complete, where the provider gives it, has both.
	Address, Code, Complete string
}

// Device signs in by a browser of another machine, where the person enters the code that show shows.
func Device(ctx context.Context, issuer *Issuer, show func(Code) error) (*Tokens, error) {
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	f, err := begin(ctx, issuer)
	if err != nil {
		return nil, err
	}
	if f.oauth.Endpoint.DeviceAuthURL == "" {
		return nil, fmt.Errorf("%s has no sign-in by another device: sign in by a browser of this machine", issuer.URL)
	}
	ctx = oidc.ClientContext(ctx, f.client)
	verifier := oauth2.GenerateVerifier()
	asked, err := f.oauth.DeviceAuth(ctx, oauth2.S256ChallengeOption(verifier))
	if err != nil {
		return nil, fmt.Errorf("ask for a code: %w", err)
	}
	if err := show(Code{Address: asked.VerificationURI, Code: asked.UserCode, Complete: asked.VerificationURIComplete}); err != nil {
		return nil, err
	}
	given, err := f.oauth.DeviceAccessToken(ctx, asked, oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, fmt.Errorf("wait for the code to be entered: %w", err)
	}
	return f.tokens(ctx, given, "")
}

// ErrSignInAgain says that the provider gives no more tokens.
var ErrSignInAgain = errors.New("you have to sign in again: soma login")

// Refresh gets the next tokens. It returns an error of ErrSignInAgain where the provider gives none, and any other where it
// does not answer.
func Refresh(ctx context.Context, issuer *Issuer, tokens *Tokens) (*Tokens, error) {
	if tokens.Refresh == "" {
		return nil, ErrSignInAgain
	}
	f, err := begin(ctx, issuer)
	if err != nil {
		return nil, err
	}
	given, err := f.oauth.TokenSource(oidc.ClientContext(ctx, f.client), &oauth2.Token{RefreshToken: tokens.Refresh}).Token()
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused) && refused.Response != nil && refused.Response.StatusCode/100 == 4 && refused.Response.StatusCode != http.StatusTooManyRequests:
		return nil, fmt.Errorf("%w (the identity provider says %.64q)", ErrSignInAgain, refused.ErrorCode)
	case err != nil:
		return nil, fmt.Errorf("renew the sign-in: %w", err)
	}
	next, err := f.tokens(ctx, given, "")
	if err == nil && next.Refresh == "" {
		next.Refresh = tokens.Refresh
	}
	return next, err
}
