package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/soma-platform/soma/internal/signin"
)

// logoutTimeout is how long others may take to hear of a sign-out.
const logoutTimeout = 20 * time.Second

func newLogout(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "logout [URL]", Short: "Sign out at a gateway",
		Long: `Sign out at a gateway, that of the current context by default: this machine forgets who is signed in, the gateway takes the token no more,
and the identity provider, where it offers that, gives no further ones for it. The context of the kubeconfig stays.

Sessions of browsers go on: they are ended on the gateway's own page.`,
		Args: atMostOneArg, ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, args []string) error {
			at, err := a.at(c, args)
			if err != nil {
				return err
			}
			return a.logout(c.Context(), at)
		},
	}
}

// logout signs out. What is on this machine goes in any case; what others could not be told is said.
func (a *app) logout(ctx context.Context, at signin.At) error {
	cache, err := signin.OpenCache("")
	if err != nil {
		return err
	}
	saved, err := cache.Take(ctx, at)
	switch {
	case errors.Is(err, signin.ErrNotSignedIn):
		fmt.Fprintf(a.err, "You are not signed in at %s.\n", at.Gateway)
		return nil
	case err != nil:
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, logoutTimeout)
	defer cancel()
	fmt.Fprintf(a.err, "You are signed out at %s.\n", at.Gateway)
	if until := saved.Tokens.Expires; a.now().Before(until) {
		err := signin.End(ctx, &saved.Discovery, saved.Tokens.ID)
		if said, notTaken := signin.NotTaken(err); notTaken {
			fmt.Fprintf(a.err, "The gateway does not take the token anyway: %s\n", said)
		} else if err != nil {
			fmt.Fprintf(a.err, "%s the gateway could not be told, and takes the token until %s, should there be a copy of it: %v\n", a.style.warn("warning:"), clock(until), err)
		}
	}
	if saved.Tokens.Refresh == "" {
		return nil
	}
	issuer, err := saved.Discovery.Choose(saved.Issuer)
	if err == nil {
		err = signin.Revoke(ctx, issuer, saved.Tokens.Refresh)
	}
	switch {
	case errors.Is(err, signin.ErrNoRevocation):
		fmt.Fprintln(a.err, "The identity provider takes nothing back before it ends: with a copy of what was kept here one could go on.")
	case err != nil:
		fmt.Fprintf(a.err, "%s the identity provider could not be told: with a copy of what was kept here one could go on: %v\n", a.style.warn("warning:"), err)
	}
	return nil
}
