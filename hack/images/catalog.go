package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// sources are the files of this program. Those that shape an image are among its inputs, so that a change of how it is
// made makes it again.
//
//go:embed *.go go.mod pause/main.go sklearn
var sources embed.FS

// shared are the sources that shape every image.
var shared = []string{"go.mod", "tree.go", "archive.go"}

// repository is the prefix of every image's name.
const repository = "soma.dev/"

// searchPath is the PATH inside images that have a shell.
const searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// errUnavailable says that an image cannot be made on this machine as it is, and why; others can.
var errUnavailable = errors.New("not possible here")

// identity names an image.
type identity struct{ name, tag string }

// reference is the image's full name, as a pod names it.
func (i identity) reference() string { return repository + i.name + ":" + i.tag }

// image is an entry of the catalogue.
type image struct {
	identity
	// about says what the image is for.
	about string
	// config is what a container of the image runs and as whom, unless the pod says otherwise.
	config v1.Config
	// sources names the embedded sources that shape this image besides the shared ones.
	sources []string
	// inputs are what it is made from besides sources.
	inputs []input
	// check, if any, returns an errUnavailable when the image cannot be made here.
	check func() error
	// tree makes the file system. work is an empty scratch directory, removed once the image is written.
	tree func(ctx context.Context, work string, say reporter) ([]entry, error)
}

// reporter tells the person who waits what happens.
type reporter func(format string, args ...any)

// settings are what the command line decides.
type settings struct {
	// out is the directory of the archives.
	out string
	// tag is the tag of Soma's own images.
	tag string
	// bin is the directory of Soma's own binaries.
	bin string
	// traefik is the file of Traefik's program.
	traefik string
}

// catalog lists every image. To add one, add it here.
func catalog(s settings) []image {
	own := func(name string) image {
		return program(identity{name, s.tag}, filepath.Join(s.bin, name), "make build")
	}
	return []image{
		pause(),
		busybox(),
		own("manager"),
		own("history"),
		own("gateway"),
		program(identity{"traefik", "1"}, s.traefik, "make devcluster"),
		sklearn(),
	}
}

// choose returns the images with the given names, in the catalogue's order; all of them for no names.
func choose(all []image, names []string) ([]image, error) {
	if len(names) == 0 {
		return all, nil
	}
	known := make(map[string]bool, len(all))
	var chosen []image
	for _, img := range all {
		known[img.name] = true
		if slices.Contains(names, img.name) {
			chosen = append(chosen, img)
		}
	}
	for _, name := range names {
		if !known[name] {
			return nil, fmt.Errorf("no image is called %q: choose from %s", name,
				strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
	}
	return chosen, nil
}

// digest is the digest of everything that the image is made from.
func (img image) digest() (string, error) {
	var inputs []input
	for _, name := range slices.Concat(shared, img.sources) {
		inputs = append(inputs, input{name: "source " + name, open: func() (io.ReadCloser, error) { return sources.Open(name) }})
	}
	inputs = append(inputs, text("reference", img.reference()), text("platform", "linux/"+runtime.GOARCH))
	inputs = append(inputs, img.inputs...)
	return digestInputs(inputs)
}

// archive is the path of the image's archive in the directory out.
func (img image) archive(out string) string { return filepath.Join(out, img.name+".tar") }

// text is an input that is a value rather than a file.
func text(name, value string) input {
	return input{name: name, open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewBufferString(value)), nil
	}}
}

// source is the content of an embedded source, which is there by construction.
func source(name string) ([]byte, error) { return sources.ReadFile(name) }
