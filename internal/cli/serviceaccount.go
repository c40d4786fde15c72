package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
	"github.com/soma-platform/soma/internal/token"
)

// tokenLife is how long a token is accepted where nothing else is said.
const tokenLife = "90d"

func newServiceAccount(a *app) *cobra.Command {
	c := &cobra.Command{Use: "service-account", Aliases: []string{"service-accounts", "sa"}, Short: "Make and see users for programs, and their tokens"}
	listed := serviceAccountListing()
	listed.scheme = access.User
	c.AddCommand(newListing(a, listed), newServiceAccountCreate(a), newServiceAccountToken(a), newServiceAccountRevoke(a))
	return c
}

func serviceAccountListing() listing[v1alpha1.User] {
	return listing[v1alpha1.User]{
		resource: users, short: "List service accounts, and their tokens",
		none: "There are no service accounts that you may see.",
		order: func(found *unstructured.UnstructuredList) {
			found.Items = slices.DeleteFunc(found.Items, func(u unstructured.Unstructured) bool {
				kind, _, _ := unstructured.NestedString(u.Object, "spec", "type") //nolint:errcheck // what is no string is none
				return kind != string(v1alpha1.UserServiceAccount)
			})
		},
		columns: []column{{name: "Name"}, {name: "Owner"}, {name: "Token"}, {name: "Ends"}, {name: "May"}, {name: "Age"}},
		rows: func(u *v1alpha1.User, now time.Time) [][]any {
			age := ago(u.CreationTimestamp.Time, now)
			if len(u.Spec.Tokens) == 0 {
				return [][]any{{u.Name, u.Spec.Owner, "", "", "", age}}
			}
			rows := make([][]any, 0, len(u.Spec.Tokens))
			for i := range u.Spec.Tokens {
				t := &u.Spec.Tokens[i]
				ends := clock(t.ExpiresAt.Time)
				if !now.Before(t.ExpiresAt.Time) {
					ends = "ended"
				}
				rows = append(rows, []any{u.Name, u.Spec.Owner, t.ID, ends, scopeText(t.Scope), age})
			}
			return rows
		},
	}
}

// endText says when something ends, or that it has.
func endText(at, now time.Time) string {
	if now.Before(at) {
		return "until " + clock(at)
	}
	return fmt.Sprintf("ended %s ago", ago(at, now))
}

// scopeText is what a token may be used for, for a person.
func scopeText(scope []v1alpha1.Permission) string {
	if len(scope) == 0 {
		return "everything that the account may"
	}
	parts := make([]string, 0, len(scope))
	for _, permission := range scope {
		parts = append(parts, fmt.Sprintf("%s on %s", permission.Action, permission.URI))
	}
	return shorten(strings.Join(parts, ", "), 120)
}

func newServiceAccountCreate(a *app) *cobra.Command {
	var out output
	spec := v1alpha1.UserSpec{Type: v1alpha1.UserServiceAccount}
	c := &cobra.Command{
		Use: "create NAME", Short: "Make a user for a program",
		Long: `Make a user for a program: continuous integration, a notebook, a script. You answer for it, and it works while you may work. What it
may do is given to it as to anybody: "acl grant", "share".`,
		Example: a.examples("service-account create ci", "", "acl grant ci project-writer", "what it may do", "service-account token ci", "what it comes with"),
		Args:    oneArg("the name of the service account"), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, args []string) (err error) {
			if err := out.check(c); err != nil {
				return err
			}
			if spec.Owner == "" {
				if spec.Owner, err = a.whoAmI(c.Context()); err != nil {
					return err
				}
			}
			return a.createUser(c.Context(), args[0], spec, &out)
		},
	}
	c.Flags().StringVar(&spec.Owner, "owner", "", "user who answers for it (default: you)")
	c.Flags().StringVar(&spec.DisplayName, "display-name", "", "name for people")
	completeFlag(c, "owner", a.objectNames(users))
	out.addTo(c)
	return c
}

func newServiceAccountToken(a *app) *cobra.Command {
	var id, expires string
	var scope []string
	c := &cobra.Command{
		Use: "token NAME", Short: "Make a token for a service account, and show it this once",
		Long: `Make a token for a service account, and show it this once on standard output. Soma keeps a hash of it alone: one that is lost is
revoked, and another made.`,
		Example: a.examples("service-account token ci", "for "+tokenLife, "service-account token ci --expires 7d --scope write=job:", "for a week, and for the jobs of the current project alone"),
		Args:    oneArg("the name of the service account"), ValidArgsFunction: once(a.objectNames(users), noMore),
		RunE: func(c *cobra.Command, args []string) error {
			until, err := parseUntil(expires, a.now())
			if err != nil || until.IsZero() {
				return usageError(c, errors.Join(errors.New("--expires says when the token ends"), err))
			}
			made := v1alpha1.Token{ID: id, ExpiresAt: metav1.NewTime(until)}
			for _, text := range scope {
				permission, err := a.scopeOf(c.Context(), text)
				if err != nil {
					return usageError(c, fmt.Errorf("--scope: %w", err))
				}
				made.Scope = append(made.Scope, permission)
			}
			return a.makeToken(c.Context(), args[0], made)
		},
	}
	c.Flags().StringVar(&id, "id", "", "name of the token, by which it can be revoked (default: random)")
	c.Flags().StringVar(&expires, "expires", tokenLife, "when it ends: 12h, 7d, 2026-12-31")
	c.Flags().StringArrayVar(&scope, "scope", nil, "ACTION=ADDRESS that it is for, of what the account may do; may be repeated (default: everything)")
	return c
}

// scopeOf reads ACTION=ADDRESS. What a token is for has absolute addresses.
func (a *app) scopeOf(ctx context.Context, text string) (v1alpha1.Permission, error) {
	word, address, _ := strings.Cut(text, "=")
	action, at, err := a.actionAt([]string{word, address})
	if err != nil {
		return v1alpha1.Permission{}, err
	}
	target, relative, err := access.Parse(string(at.uri))
	if err != nil || !relative {
		return v1alpha1.Permission{URI: at.uri, Action: action}, err
	}
	u, err := a.get(ctx, projects, "", at.project)
	if err != nil {
		return v1alpha1.Permission{}, fmt.Errorf("%s lies in the current project: %w", address, err)
	}
	project, err := decode[v1alpha1.Project](u)
	if err != nil {
		return v1alpha1.Permission{}, err
	}
	absolute := access.InProject(target.Scheme, project.Spec.Organization, project.Name).String()
	if strings.Contains(absolute, "*") {
		return v1alpha1.Permission{}, fmt.Errorf("%s lies on a cluster: write %s://CLUSTER/…", address, target.Scheme)
	}
	_, path, _ := strings.Cut(string(at.uri), ":")
	return v1alpha1.Permission{URI: v1alpha1.Address(strings.TrimSuffix(absolute+"/"+path, "/")), Action: action}, nil
}

// makeToken makes a token, keeps its hash with the user, and prints it.
func (a *app) makeToken(ctx context.Context, name string, made v1alpha1.Token) error {
	if made.ID == "" {
		var random [4]byte
		rand.Read(random[:]) //nolint:errcheck // it never fails
		made.ID = hex.EncodeToString(random[:])
	}
	var secret [token.SecretBytes]byte
	rand.Read(secret[:]) //nolint:errcheck // it never fails
	text, err := token.New(name, made.ID, secret)
	if err != nil {
		return &exitError{code: exitUsage, err: err}
	}
	made.Hash = token.Hash(text)
	err = a.changeTokens(ctx, name, func(tokens []v1alpha1.Token) ([]v1alpha1.Token, error) {
		if slices.ContainsFunc(tokens, func(t v1alpha1.Token) bool { return t.ID == made.ID }) {
			return nil, fmt.Errorf("service account %q has a token %q already\nchoose another --id, or revoke it: \"%s\"", name, made.ID, a.command("service-account revoke "+name+" "+made.ID))
		}
		return append(tokens, made), nil
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(a.err, "token %s of %s, until %s, for %s; it is not shown again\ntake it back with \"%s\"\n",
		made.ID, name, clock(made.ExpiresAt.Time), scopeText(made.Scope), a.command("service-account revoke "+name+" "+made.ID))
	_, err = fmt.Fprintln(a.out, text)
	return err
}

func newServiceAccountRevoke(a *app) *cobra.Command {
	all := false
	c := &cobra.Command{
		Use: "revoke NAME TOKEN...", Short: "Take tokens of a service account back",
		Long:    "Take tokens of a service account back, by their names. They count no more within 30 seconds.",
		Example: a.examples("service-account revoke ci 5f0c91aa", "", "service-account revoke ci --all", "all that it has"),
		Args:    someArgs("the name of the service account"), ValidArgsFunction: once(a.objectNames(users), noMore),
		RunE: func(c *cobra.Command, args []string) error {
			name, ids := args[0], args[1:]
			if all == (len(ids) > 0) {
				return usageError(c, errors.New("name tokens, or give --all"))
			}
			var gone []string
			err := a.changeTokens(c.Context(), name, func(tokens []v1alpha1.Token) ([]v1alpha1.Token, error) {
				for _, id := range ids {
					if !slices.ContainsFunc(tokens, func(t v1alpha1.Token) bool { return t.ID == id }) {
						return nil, fmt.Errorf("service account %q has no token %q\nsee what it has with \"%s\"", name, id, a.command("service-account ls"))
					}
				}
				gone = nil
				return slices.DeleteFunc(tokens, func(t v1alpha1.Token) bool {
					revoked := all || slices.Contains(ids, t.ID)
					if revoked {
						gone = append(gone, t.ID)
					}
					return revoked
				}), nil
			})
			if err != nil {
				return err
			}
			for _, id := range gone {
				fmt.Fprintf(a.out, "token %s of %s revoked\n", id, name)
			}
			if len(gone) == 0 {
				fmt.Fprintf(a.err, "Service account %s has no tokens.\n", name)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&all, "all", false, "all tokens")
	return c
}

// tries is how often a change is made anew that somebody else came before.
const tries = 5

// changeTokens changes the tokens of a service account as they are at that moment.
func (a *app) changeTokens(ctx context.Context, name string, change func([]v1alpha1.Token) ([]v1alpha1.Token, error)) error {
	return a.changeUser(ctx, name, func(user *v1alpha1.User) (map[string]any, error) {
		if user.Spec.Type != v1alpha1.UserServiceAccount {
			return nil, fmt.Errorf("user %q is no service account, and signs in: \"%s\"", name, a.command("login"))
		}
		tokens, err := change(user.Spec.Tokens)
		return map[string]any{"tokens": orNull(tokens)}, err
	})
}

// orNull is a list as a patch has it, which takes an empty one away.
func orNull[T any](list []T) any {
	if len(list) == 0 {
		return nil
	}
	return list
}

// changeUser changes the spec of a user as it is at that moment.
func (a *app) changeUser(ctx context.Context, name string, change func(*v1alpha1.User) (map[string]any, error)) error {
	for try := 1; ; try++ {
		u, err := a.get(ctx, users, "", name)
		if err != nil {
			return err
		}
		user, err := decode[v1alpha1.User](u)
		if err != nil {
			return err
		}
		spec, err := change(user)
		if err != nil {
			return err
		}
		_, err = a.patchUser(ctx, name, map[string]any{"metadata": map[string]any{"uid": user.UID, "resourceVersion": user.ResourceVersion}, "spec": spec})
		if !apierrors.IsConflict(err) || try == tries {
			return err
		}
	}
}
