package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/access"
)

func newUser(a *app) *cobra.Command {
	c := &cobra.Command{Use: "user", Aliases: []string{"users"}, Short: "See, make and disable users"}
	listed := userListing()
	listed.scheme = access.User
	c.AddCommand(newListing(a, listed), newGet(a, listed, "Show a user, yourself by default", true), newUserCreate(a), newUserDelegate(a),
		newUserDisabled(a, true, "disable", "Take everything from users at once, what is open included"),
		newUserDisabled(a, false, "enable", "Give users back what they had"))
	return c
}

func userListing() listing[v1alpha1.User] {
	return listing[v1alpha1.User]{
		resource: users, short: "List users, as far as you may see them",
		columns: []column{{name: "Name"}, {name: "Type"}, {name: "Display name"}, {name: "Roles"}, {name: "Disabled"}, {name: "Signed in"}, {name: "Age"},
			{name: "Owner", wide: true}, {name: "Email", wide: true}, {name: "Groups", wide: true}, {name: "Message", wide: true}},
		rows: func(u *v1alpha1.User, now time.Time) [][]any {
			held := make([]string, 0, len(u.Spec.Roles))
			for _, role := range u.Spec.Roles {
				held = append(held, heldText(role))
			}
			disabled := ""
			if u.IsDisabled() {
				disabled = "yes"
			}
			_, why := readiness(u.Status.Conditions)
			return [][]any{{u.Name, string(u.Spec.Type), u.Spec.DisplayName, shorten(strings.Join(held, ", "), 80), disabled, ago(timeOf(u.Status.LastSignIn), now),
				ago(u.CreationTimestamp.Time, now), u.Spec.Owner, u.Spec.Email, shorten(strings.Join(u.Status.Groups, ", "), 80), why}}
		},
	}
}

func newUserCreate(a *app) *cobra.Command {
	var out output
	spec := v1alpha1.UserSpec{Type: v1alpha1.UserPerson}
	var identity v1alpha1.Identity
	var held []string
	c := &cobra.Command{
		Use: "create NAME", Short: "Make a user who signs in with an identity provider",
		Long: `Make a user who signs in with an identity provider. --issuer and --subject say by what the provider knows the person: iss and sub in
its tokens. In a project a role is given by "acl grant".`,
		Example: a.examples("user create bob --issuer https://login.example.com --subject 2f7c… --role organization-writer:acme", "who works in all projects of acme"),
		Args:    oneArg("the name of the user"), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, args []string) error {
			if err := out.check(c); err != nil {
				return err
			}
			if (identity.Issuer == "") != (identity.Subject == "") {
				return usageError(c, errors.New("--issuer and --subject go together"))
			}
			if identity.Issuer != "" {
				spec.Identities = []v1alpha1.Identity{identity}
			}
			for _, text := range held {
				role, organization, _ := strings.Cut(text, ":")
				spec.Roles = append(spec.Roles, v1alpha1.HeldRole{Role: role, Organization: organization})
			}
			return a.createUser(c.Context(), args[0], spec, &out)
		},
	}
	flags := c.Flags()
	flags.StringVar(&identity.Issuer, "issuer", "", "address of the identity provider")
	flags.StringVar(&identity.Subject, "subject", "", "the person's identifier there")
	flags.StringVar(&spec.DisplayName, "display-name", "", "name for people")
	flags.StringVar(&spec.Email, "email", "", "address for notifications")
	flags.StringArrayVar(&held, "role", nil, "ROLE held everywhere, or ROLE:ORGANIZATION; may be repeated")
	completeFlag(c, "role", a.objectNames(roles))
	out.addTo(c)
	return c
}

// createUser makes a user and prints the name.
func (a *app) createUser(ctx context.Context, name string, spec v1alpha1.UserSpec, out *output) error {
	user := &v1alpha1.User{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "User"},
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec,
	}
	u, err := a.create(ctx, users, "", user, false)
	if err != nil {
		return err
	}
	if !out.table() {
		return out.object(a.out, u)
	}
	_, err = fmt.Fprintln(a.out, name)
	return err
}

func newUserDisabled(a *app, disabled bool, word, short string) *cobra.Command {
	var out output
	c := &cobra.Command{
		Use: word + " NAME...", Short: short, Args: someArgs("the name of a user"), ValidArgsFunction: a.objectNames(users),
		RunE: func(c *cobra.Command, names []string) error {
			if err := out.check(c); err != nil {
				return err
			}
			var all error
			for _, name := range names {
				u, err := a.patchUser(c.Context(), name, map[string]any{"spec": map[string]any{"disabled": disabled}})
				switch {
				case err != nil:
				case out.table():
					_, err = fmt.Fprintf(a.out, "%s is %sd\n", name, word)
				default:
					err = out.object(a.out, u)
				}
				all = errors.Join(all, err)
			}
			return all
		},
	}
	out.addTo(c)
	return c
}

func (a *app) patchUser(ctx context.Context, name string, change map[string]any) (*unstructured.Unstructured, error) {
	c, err := a.connect()
	if err != nil {
		return nil, err
	}
	patch, err := json.Marshal(change)
	if err != nil {
		return nil, err
	}
	ctx, cancel := a.request(ctx)
	defer cancel()
	options := metav1.PatchOptions{FieldValidation: metav1.FieldValidationStrict, FieldManager: "soma"}
	u, err := c.dynamic.Resource(users).Patch(ctx, name, types.MergePatchType, patch, options)
	return u, a.explainError(err, users, "", name)
}
