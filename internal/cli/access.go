package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	access "github.com/soma-platform/soma/api/access/v1alpha1"
	"github.com/soma-platform/soma/api/v1alpha1"
)

// The reviews by which is asked who may do what.
var (
	accessReviews  = access.GroupVersion.WithResource("accessreviews")
	holdersReviews = access.GroupVersion.WithResource("holdersreviews")
	selfReviews    = access.GroupVersion.WithResource("selfreviews")
)

// askRights makes a review and returns the answer.
func askRights[T any](ctx context.Context, a *app, gvr schema.GroupVersionResource, question runtime.Object) (*T, *unstructured.Unstructured, error) {
	u, err := a.create(ctx, gvr, "", question, false)
	if err != nil {
		return nil, nil, err
	}
	answer, err := decode[T](u)
	return answer, u, err
}

func reviewType(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: access.GroupVersion.String(), Kind: kind}
}

func newCanI(a *app) *cobra.Command {
	var out output
	user := ""
	c := &cobra.Command{
		Use: "can-i ACTION ADDRESS", Short: "Ask whether you may do something, and why",
		Long: `Ask whether you may do something, and why. ACTION is list, read, write or manage, each with those before it. The exit code is
0 where you may, else 1.

With --user the question is about somebody else: you are told of what you may manage yourself.`,
		Example: a.examples("can-i write job/train", "a job of the current project", "can-i read secret:", "all secrets of the project",
			"can-i manage job://local/acme/vision", "all jobs of a project of organization acme", "can-i read job/train --user bob", "whether bob may"),
		Args:              twoArgs("an action", "an address"),
		ValidArgsFunction: once(actions(), once2(a.addresses())),
		RunE: func(c *cobra.Command, args []string) error {
			if err := out.check(c); err != nil {
				return err
			}
			action, at, err := a.actionAt(args)
			if err != nil {
				return usageError(c, err)
			}
			question := &access.AccessReview{TypeMeta: reviewType("AccessReview"), Spec: access.AccessReviewSpec{User: user, URI: at.uri, Project: at.project, Action: action}}
			answer, u, err := askRights[access.AccessReview](c.Context(), a, accessReviews, question)
			if err != nil {
				return err
			}
			if !out.table() {
				err = out.object(a.out, u)
			} else {
				a.printAnswer(a.out, answer)
			}
			if err == nil && !answer.Status.Allowed {
				err = exitWith(exitFailure)
			}
			return err
		},
	}
	c.Flags().StringVarP(&user, "user", "u", "", "ask about this user")
	completeFlag(c, "user", a.objectNames(users))
	out.addTo(c)
	return c
}

// actionAt reads an action and an address.
func (a *app) actionAt(args []string) (v1alpha1.Action, place, error) {
	action, err := parseAction(args[0])
	if err != nil {
		return "", place{}, err
	}
	at, err := a.place(args[1])
	return action, at, err
}

// printAnswer says what an access review answered.
func (a *app) printAnswer(w io.Writer, review *access.AccessReview) {
	status := &review.Status
	if status.Allowed {
		fmt.Fprintf(w, "%s, because %s\n", styleOf(w, a).good("yes"), status.Because[0].Text)
		for _, because := range status.Because[1:] {
			fmt.Fprintf(w, "     and because %s\n", because.Text)
		}
		return
	}
	text := "missing " + missingText(status.Missing)
	if status.Level != "" {
		text += fmt.Sprintf("; %s is allowed", status.Level)
	}
	fmt.Fprintf(w, "%s, %s\n", styleOf(w, a).bad("no"), text)
	if status.Message != "" {
		fmt.Fprintln(w, status.Message)
	}
	if len(status.Managers) > 0 {
		fmt.Fprintf(w, "ask %s\n", strings.Join(status.Managers, " or "))
	}
}

// missingText is a list of rights for a person: write on job://local/acme/vision/train.
func missingText(missing []access.MissingRight) string {
	parts := make([]string, 0, len(missing))
	for _, m := range missing {
		parts = append(parts, fmt.Sprintf("%s on %s", m.Action, m.URI))
	}
	return strings.Join(parts, ", ")
}

func newWhoCan(a *app) *cobra.Command {
	var out output
	c := &cobra.Command{
		Use: "who-can ACTION ADDRESS", Short: "Ask who may do something, and why",
		Long:              "Ask who may do something, and why. You are told of what you may manage yourself, and of a project from write on.",
		Example:           a.examples("who-can read job/train", "a job of the current project", "who-can write project:", "who says who works in it"),
		Args:              twoArgs("an action", "an address"),
		ValidArgsFunction: once(actions(), once2(a.addresses())),
		RunE: func(c *cobra.Command, args []string) error {
			if err := out.check(c); err != nil {
				return err
			}
			action, at, err := a.actionAt(args)
			if err != nil {
				return usageError(c, err)
			}
			question := &access.HoldersReview{TypeMeta: reviewType("HoldersReview"), Spec: access.HoldersReviewSpec{URI: at.uri, Project: at.project, Action: action}}
			answer, u, err := askRights[access.HoldersReview](c.Context(), a, holdersReviews, question)
			if err != nil {
				return err
			}
			return a.printHolders(answer, u, &out)
		},
	}
	out.addTo(c)
	return c
}

func (a *app) printHolders(review *access.HoldersReview, u *unstructured.Unstructured, out *output) error {
	if out.format == "name" {
		for _, holder := range review.Status.Holders {
			fmt.Fprintln(a.out, holder.User)
		}
		return nil
	}
	if !out.table() {
		return out.object(a.out, u)
	}
	if len(review.Status.Holders) == 0 {
		fmt.Fprintln(a.err, "Nobody may.")
		return nil
	}
	t := &table{columns: []column{{name: "User"}, {name: "Name", wide: true}, {name: "May"}, {name: "Because"}}}
	for _, holder := range review.Status.Holders {
		t.add(holder.User, holder.DisplayName, string(holder.Level), holder.Because)
	}
	if err := t.print(a.out, out.wide(), true); err != nil {
		return err
	}
	if review.Status.More > 0 {
		fmt.Fprintf(a.err, "and %d others\n", review.Status.More)
	}
	return nil
}

func newWhoAmI(a *app) *cobra.Command {
	var out output
	c := &cobra.Command{
		Use: "whoami", Short: "Show who you are, and what you may do",
		Long:    "Show who you are, and what you may do; with -o wide also why.",
		Example: a.examples("whoami", "for people", "whoami -o name", "the name alone"),
		Args:    noArgs, ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := out.check(c); err != nil {
				return err
			}
			answer, u, err := a.askSelf(c.Context())
			if err != nil {
				return err
			}
			return a.printSelf(answer, u, &out)
		},
	}
	out.addTo(c)
	return c
}

// askSelf asks who the user is, and what they may do. Where Soma cannot be asked, the cluster is.
func (a *app) askSelf(ctx context.Context) (*access.SelfReview, *unstructured.Unstructured, error) {
	answer, u, err := askRights[access.SelfReview](ctx, a, selfReviews, &access.SelfReview{TypeMeta: reviewType("SelfReview")})
	if !apierrors.IsForbidden(err) && !apierrors.IsNotFound(err) {
		return answer, u, err
	}
	name, clusterErr := a.whoAmI(ctx)
	if clusterErr != nil {
		return nil, nil, err
	}
	answer = &access.SelfReview{TypeMeta: reviewType("SelfReview"), Status: access.SelfReviewStatus{
		Username: name, Message: "Soma does not know this user, or cannot be asked: what they may do, the cluster's own RBAC says (kubectl auth can-i --list)",
	}}
	u, err = toUnstructuredWhole(answer)
	return answer, u, err
}

func (a *app) printSelf(review *access.SelfReview, u *unstructured.Unstructured, out *output) error {
	status := &review.Status
	if out.format == "name" {
		name := status.User
		if name == "" {
			name = status.Username
		}
		_, err := fmt.Fprintln(a.out, name)
		return err
	}
	if !out.table() {
		return out.object(a.out, u)
	}
	roles := make([]string, 0, len(status.Roles))
	for _, held := range status.Roles {
		roles = append(roles, heldText(held))
	}
	a.printFields(a.out, []field{
		{"User", status.User}, {"Name", status.DisplayName}, {"In Kubernetes", status.Username},
		{"Groups", strings.Join(status.Groups, ", ")}, {"Roles", strings.Join(roles, ", ")}, {"Message", status.Message},
	})
	if len(status.Rights) == 0 {
		return nil
	}
	fmt.Fprintln(a.out)
	return a.printRights(status.Rights, status.More, out.wide())
}

// printRights prints what the user may do as a table.
func (a *app) printRights(rights []access.HeldRight, more int32, wide bool) error {
	t := &table{columns: []column{{name: "May"}, {name: "On"}, {name: "Because", wide: true}}}
	for i := range rights {
		t.add(string(rights[i].Action), rights[i].URI, rights[i].Because.Text)
	}
	if err := t.print(a.out, wide, true); err != nil {
		return err
	}
	if more > 0 {
		fmt.Fprintf(a.err, "and %d others\n", more)
	}
	return nil
}

// heldText is a role that is held, for a person.
func heldText(held v1alpha1.HeldRole) string {
	if held.Organization == "" {
		return held.Role
	}
	return held.Role + " in organization " + held.Organization
}
