// Command soma is the command line of Soma. Behind the name kubectl-soma it is a plugin of kubectl.
package main

import (
	"os"

	"github.com/soma-platform/soma/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args, os.Stdin, os.Stdout, os.Stderr))
}
