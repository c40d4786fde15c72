package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/soma-platform/soma/api/v1alpha1"
)

func newUserDelegate(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "delegate", Aliases: []string{"delegates"}, Short: "Say who may submit jobs on your behalf",
		Long: `Say who may submit jobs on your behalf, a service account as a rule: such a job counts as yours, and says through whom it came. The
delegate needs the right to make jobs, and so do you.`,
	}
	c.AddCommand(
		newDelegateChange(a, "add", "Let users submit jobs on your behalf", "may submit jobs on behalf of", func(all []string, name string) []string {
			if slices.Contains(all, name) {
				return all
			}
			return append(all, name)
		}),
		newDelegateChange(a, "rm", "Let users submit jobs on your behalf no longer", "may not submit jobs any more on behalf of", func(all []string, name string) []string {
			return slices.DeleteFunc(all, func(other string) bool { return other == name })
		}),
	)
	return c
}

func newDelegateChange(a *app, word, short, said string, change func(all []string, name string) []string) *cobra.Command {
	var of string
	c := &cobra.Command{
		Use: word + " NAME...", Short: short, Args: someArgs("the name of a user"), ValidArgsFunction: a.objectNames(users),
		Example: a.examples("user delegate "+word+" ci-vision", ""),
		RunE: func(c *cobra.Command, names []string) error {
			whose, err := a.orSelf(c.Context(), of)
			if err != nil {
				return err
			}
			err = a.changeUser(c.Context(), whose, func(user *v1alpha1.User) (map[string]any, error) {
				delegates := user.Spec.Delegates
				for _, name := range names {
					delegates = change(delegates, name)
				}
				return map[string]any{"delegates": orNull(delegates)}, nil
			})
			if err != nil {
				return err
			}
			for _, name := range names {
				fmt.Fprintf(a.out, "%s %s %s\n", name, said, whose)
			}
			return nil
		},
	}
	c.Flags().StringVar(&of, "of", "", "a service account of yours, in place of yourself")
	completeFlag(c, "of", a.objectNames(users))
	return c
}

// orSelf is a name, or that of the user who asks.
func (a *app) orSelf(ctx context.Context, name string) (string, error) {
	if name != "" {
		return name, nil
	}
	answer, _, err := a.askSelf(ctx)
	switch {
	case err != nil:
		return "", err
	case answer.Status.User == "":
		return "", fmt.Errorf("%s is no user of Soma's: say of whom, with --of", answer.Status.Username)
	}
	return answer.Status.User, nil
}
