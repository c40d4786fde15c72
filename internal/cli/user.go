package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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
	c.AddCommand(newListing(a, listed), newGet(a, listed, "Show a user, yourself by default", true, a.describeUser), newUserCreate(a), newUserDelegate(a),
		newUserDisabled(a, true, "disable", "Take everything from users at once, what is open included"),
		newUserDisabled(a, false, "enable", "Give users back what they had"))
	return c
}

func userListing() listing[v1alpha1.User] {
	return listing[v1alpha1.User]{
		resource: users, short: "List users, as far as you may see them",
		none: "There are no users that you may see.",
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

// describeUser shows a user, and who else stands in a relation to them, as far as that may be seen.
func (a *app) describeUser(ctx context.Context, u *v1alpha1.User) error {
	found, _, err := a.seen(ctx, users, access.User)
	if err != nil {
		found = &unstructured.UnstructuredList{} // it helps, so that who may not see others goes on without
	}
	var others []*v1alpha1.User
	for i := range found.Items {
		if other, err := decode[v1alpha1.User](&found.Items[i]); err == nil { // one bad object does not hide the others
			others = append(others, other)
		}
	}
	a.printFields(a.out, userFields(u, others, a.now()))
	return nil
}

// userFields are what is said of a user among others.
func userFields(u *v1alpha1.User, others []*v1alpha1.User, now time.Time) []field {
	var identities, held, tokens, owns, submitsFor []string
	for _, identity := range u.Spec.Identities {
		identities = append(identities, identity.Subject+" of "+identity.Issuer)
	}
	if len(identities) == 0 && u.Spec.Type == v1alpha1.UserPerson {
		identities = []string{"nobody: spec.identities has none"}
	}
	for _, role := range u.Spec.Roles {
		held = append(held, heldText(role))
	}
	for i := range u.Spec.Tokens {
		t := &u.Spec.Tokens[i]
		tokens = append(tokens, fmt.Sprintf("%s, %s, for %s", t.ID, endText(t.ExpiresAt.Time, now), scopeText(t.Scope)))
	}
	for _, other := range others {
		if other.Spec.Owner == u.Name {
			owns = append(owns, other.Name)
		}
		if slices.Contains(other.Spec.Delegates, u.Name) {
			submitsFor = append(submitsFor, other.Name)
		}
	}
	disabled := ""
	if u.IsDisabled() {
		disabled = "yes"
	}
	_, why := readiness(u.Status.Conditions)
	return []field{
		{"Name", u.Name}, {"Type", string(u.Spec.Type)}, {"Display name", u.Spec.DisplayName}, {"Email", u.Spec.Email}, {"Disabled", disabled},
		{"Owner", u.Spec.Owner}, {"Signs in as", strings.Join(identities, "\n")}, {"Roles", strings.Join(held, "\n")},
		{"Groups", strings.Join(u.Status.Groups, ", ")}, {"Delegates", strings.Join(u.Spec.Delegates, ", ")}, {"Submits for", strings.Join(submitsFor, ", ")},
		{"Service accounts", strings.Join(owns, ", ")}, {"Tokens", strings.Join(tokens, "\n")}, {"Not before", describeTime(timeOf(u.Spec.NotBefore), now)},
		{"Signed in", describeTime(timeOf(u.Status.LastSignIn), now)}, {"Created", describeTime(u.CreationTimestamp.Time, now)}, {"Message", why},
	}
}

func newUserCreate(a *app) *cobra.Command {
	var out output
	spec := v1alpha1.UserSpec{Type: v1alpha1.UserPerson}
	var identity v1alpha1.Identity
	var without bool
	var held []string
	c := &cobra.Command{
		Use: "create NAME", Short: "Make a user who signs in with an identity provider",
		Long: `Make a user who signs in with an identity provider. --issuer and --subject say by what the provider knows the person: iss and sub in
its tokens. Who signs in before there is a user is shown both, to be sent to you. In a project a role is given by "acl grant".`,
		Example: a.examples("user create bob --issuer https://login.example.com --subject 2f7c… --role organization-writer:acme", "who works in all projects of acme"),
		Args:    oneArg("the name of the user"), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, args []string) error {
			if err := out.check(c); err != nil {
				return err
			}
			switch named := identity.Issuer != ""; {
			case named != (identity.Subject != ""):
				return usageError(c, errors.New("--issuer and --subject go together"))
			case named == without:
				return usageError(c, errors.New("say by --issuer and --subject who signs in as this user, or by --no-identity that nobody does yet; "+
					"for a program there is \"service-account create\""))
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
	flags.BoolVar(&without, "no-identity", false, "nobody signs in as this user yet: spec.identities is written later")
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
	return u, a.explainError(ctx, err, users, "", name)
}
