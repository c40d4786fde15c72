package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// traefik is the proxy that leads to the pages of jobs on the development cluster.
func traefik(s settings) image {
	pins := func(name string) input {
		path := filepath.Join(s.traefik, name)
		return input{name: name, open: func() (io.ReadCloser, error) { return os.Open(path) }} //nolint:gosec // chosen on the command line
	}
	return image{
		identity: identity{"traefik", "1"},
		about:    "the proxy before the pages of jobs",
		config:   v1.Config{Entrypoint: []string{"/traefik"}, User: "65532:65532", WorkingDir: "/"},
		sources:  []string{"small.go", "traefik.go"},
		inputs:   []input{text("go", runtime.Version()), pins("go.mod"), pins("go.sum")},
		tree: func(ctx context.Context, work string, say reporter) ([]entry, error) {
			say("compiling Traefik: the first time this takes several minutes")
			program, err := compile(ctx, work, s.traefik, "github.com/traefik/traefik/v3/cmd/traefik")
			if err != nil {
				return nil, err
			}
			return []entry{program.as("traefik"), nonrootPasswd, nonrootGroup}, nil
		},
	}
}
