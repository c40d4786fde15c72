package signin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// SignOutPath is where a gateway ends what a request comes with.
const SignOutPath = "/signout"

// ErrNoRevocation says that an identity provider takes no token back.
var ErrNoRevocation = errors.New("it does not offer to take tokens back before they end")

// End has a gateway end a token, which counts no more then wherever there is a copy of it.
func End(ctx context.Context, d *Discovery, token string) error {
	c, err := client([]byte(d.CA))
	if err != nil {
		return err
	}
	return post(ctx, c, d.Gateway+SignOutPath, "Bearer "+token, nil)
}

// NotTaken reports an error of a gateway that does not take the token anyway: what it says of why is returned.
func NotTaken(err error) (said string, notTaken bool) {
	var refused *refusal
	if !errors.As(err, &refused) || refused.code != http.StatusUnauthorized {
		return "", false
	}
	return refused.said, true
}

// Revoke has an identity provider take back what gets further tokens. The error is ErrNoRevocation where it does not offer that.
func Revoke(ctx context.Context, issuer *Issuer, refresh string) error {
	f, err := begin(ctx, issuer)
	if err != nil {
		return err
	}
	var offered struct {
		Revocation string `json:"revocation_endpoint"`
	}
	if err := f.provider.Claims(&offered); err != nil {
		return fmt.Errorf("read what it offers: %w", err)
	}
	if !strings.HasPrefix(offered.Revocation, "https://") {
		return ErrNoRevocation
	}
	return post(ctx, f.client, offered.Revocation, "", url.Values{"token": {refresh}, "token_type_hint": {"refresh_token"}, "client_id": {issuer.ClientID}})
}

// post asks for something that has no answer but that it is done.
func post(ctx context.Context, c *http.Client, address, authorization string, form url.Values) error {
	defer c.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	response, err := c.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // it was only read from
	if response.StatusCode/100 != 2 {
		said, _ := io.ReadAll(io.LimitReader(response.Body, maxSaid)) // what can be read of why is told
		return &refusal{code: response.StatusCode, status: response.Status, said: shortened(said)}
	}
	return nil
}
