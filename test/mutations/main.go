// Command mutations breaks the code on purpose, one way after the other, and fails where the tests do not notice. It changes no
// file: the compiler is given another text in its place.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
)

func main() {
	list := flag.String("list", "test/mutations/mutations.yaml", "file of the mutations")
	focus := flag.String("focus", "", "try only those whose words match this regular expression")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *list, *focus); err != nil {
		fmt.Fprintln(os.Stderr, "mutations:", err)
		os.Exit(1)
	}
}

// run tries all that match, also after one that was missed or cannot be tried.
func run(ctx context.Context, list, focus string) error {
	words, err := regexp.Compile(focus)
	if err != nil {
		return fmt.Errorf("-focus: %w", err)
	}
	mutations, err := read(list)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "mutations")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder) //nolint:errcheck // it is a temporary folder
	var failed []error
	tried, whole := 0, map[string]error{}
	for _, m := range mutations {
		if !words.MatchString(m.Breaks) {
			continue
		}
		if ctx.Err() != nil {
			return errors.Join(append(failed, ctx.Err())...)
		}
		tried++
		noticed, err := m.try(ctx, folder, whole)
		switch {
		case err != nil:
			fmt.Println("NOT TRIED", m.Breaks)
			failed = append(failed, fmt.Errorf("%s: %w", m.Breaks, err))
		case noticed:
			fmt.Println("noticed  ", m.Breaks)
		default:
			fmt.Println("MISSED   ", m.Breaks)
			failed = append(failed, fmt.Errorf("`go test %s` does not notice that %s", m.tests(), m.Breaks))
		}
	}
	if tried == 0 {
		failed = append(failed, fmt.Errorf("no mutation in %s matches %q", list, focus))
	}
	return errors.Join(failed...)
}
