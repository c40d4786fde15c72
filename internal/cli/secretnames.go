package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/soma-platform/soma/api/v1alpha1"
)

// secretNames offers the project's secrets that jobs may use. Their values are not read.
func (a *app) secretNames() completer {
	return offer(func(ctx context.Context, _ []string, _ string) ([]string, error) { return a.findSecrets(ctx) })
}

func (a *app) findSecrets(ctx context.Context) ([]string, error) {
	c, err := a.connect()
	if err != nil {
		return nil, err
	}
	table, err := a.printed(ctx, secrets, c.project, v1alpha1.LabelSecret+"="+v1alpha1.SecretLabelValue, "", maxCompletions)
	if err != nil {
		return nil, err
	}
	return cells(table, "Name"), nil
}

// secretWords offers what a value that begins with before, such as "NAME=secret:", can go on with: the secrets, and behind
// SECRET/ its keys. With whole set a secret without a key is a value too. Behind each word comes after.
func (a *app) secretWords(ctx context.Context, before, rest, after string, whole bool) ([]string, error) {
	name, _, keys := strings.Cut(rest, "/")
	if !keys {
		found, err := a.findSecrets(ctx)
		var words []string
		for _, secret := range found {
			if whole {
				words = append(words, before+secret+after)
			}
			words = append(words, before+secret+"/")
		}
		return words, err
	}
	c, err := a.connect()
	if err != nil {
		return nil, err
	}
	u, err := a.get(ctx, secrets, c.project, name)
	if err != nil || u.GetLabels()[v1alpha1.LabelSecret] != v1alpha1.SecretLabelValue {
		return nil, err
	}
	data, _ := u.Object["data"].(map[string]any)
	var words []string
	for key := range data {
		words = append(words, before+name+"/"+key+after)
	}
	slices.Sort(words)
	return words, nil
}

// envWords offers the secrets for NAME=secret:. What else a variable can be only the user knows.
func (a *app) envWords() completer {
	find := offer(func(ctx context.Context, _ []string, prefix string) ([]string, error) {
		variable, rest, found := strings.Cut(prefix, "="+secretPrefix)
		if !found {
			return nil, nil
		}
		return a.secretWords(ctx, variable+"="+secretPrefix, rest, "", false)
	})
	return openEnded(find)
}

// volumeWords offers the sources of volumes. The folder behind them only the user knows.
func (a *app) volumeWords() completer {
	find := offer(func(ctx context.Context, _ []string, prefix string) ([]string, error) {
		rest, found := strings.CutPrefix(prefix, secretPrefix)
		switch {
		case !found:
			return []string{secretPrefix, "scratch:"}, nil
		case strings.Contains(rest, ":"):
			return nil, nil
		default:
			return a.secretWords(ctx, secretPrefix, rest, ":", true)
		}
	})
	return openEnded(find)
}

// openEnded puts no space behind words that go on.
func openEnded(find completer) completer {
	return func(c *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		words, directive := find(c, args, prefix)
		goesOn := slices.ContainsFunc(words, func(word string) bool { return strings.HasSuffix(word, "/") || strings.HasSuffix(word, ":") })
		if goesOn {
			directive |= cobra.ShellCompDirectiveNoSpace
		}
		return words, directive
	}
}
