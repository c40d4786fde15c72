// Command images makes the container images of the development cluster and of the tests, on this machine and without a
// registry or a container engine. See README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

const usage = `Usage:
  images build [flags]   make the images whose inputs changed
  images list [flags]    show every image and whether it is current

Flags:
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := execute(ctx, os.Args[1:])
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

func execute(ctx context.Context, args []string) error {
	var s settings
	var only string
	flags := flag.NewFlagSet("images", flag.ContinueOnError)
	flags.StringVar(&s.out, "out", ".soma/images", "`directory` of the archives")
	flags.StringVar(&s.bin, "bin", "bin", "`directory` of Soma's own binaries")
	flags.StringVar(&s.traefik, "traefik", ".soma/bin/traefik", "`file` of Traefik's program")
	flags.StringVar(&s.tag, "tag", "dev", "`tag` of Soma's own images")
	flags.StringVar(&only, "only", "", "comma-separated `names`: build these alone, and fail if one cannot be built")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	command := ""
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = args[0], args[1:]
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("do not know what to do with %q: see images -h", flags.Arg(0))
	}
	switch command {
	case "build":
		return build(ctx, os.Stdout, s, names(only))
	case "list":
		return list(os.Stdout, s)
	case "":
		flags.Usage()
		return flag.ErrHelp
	default:
		return fmt.Errorf("no command is called %q: choose build or list", command)
	}
}

// names splits the value of --only.
func names(only string) []string {
	return strings.FieldsFunc(only, func(r rune) bool { return r == ',' || r == ' ' })
}
