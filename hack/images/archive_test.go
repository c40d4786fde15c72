package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

func TestAssemble(t *testing.T) {
	tree := busyboxTree([]byte("#!"), []string{"busybox", "sh", "ls"})
	img, err := assemble(filepath.Join(t.TempDir(), "layer"), tree, v1.Config{User: "1000:1000", Cmd: []string{"sh"}})
	if err != nil {
		t.Fatal(err)
	}
	layers, err := img.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("the image has %d layers (%v), want 1", len(layers), err)
	}
	if got, err := layers[0].MediaType(); got != types.OCILayerZStd {
		t.Errorf("the layer is %s (%v), want %s", got, err, types.OCILayerZStd)
	}
	var want bytes.Buffer
	if err := writeTar(&want, tree); err != nil {
		t.Fatal(err)
	}
	r, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("the layer is not the tree: %v", err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if id, _, err := v1.SHA256(&want); err != nil || !slices.Equal(config.RootFS.DiffIDs, []v1.Hash{id}) {
		t.Errorf("the config names the layers %v, want %s (%v)", config.RootFS.DiffIDs, id, err)
	}
	if config.OS != "linux" || config.Architecture == "" || config.Config.User != "1000:1000" {
		t.Errorf("config is %+v", config)
	}
}

func TestWriteArchiveIsDeterministicAndNamed(t *testing.T) {
	id := identity{"busybox", "1"}
	tree := busyboxTree(bytes.Repeat([]byte("binary"), 1e5), []string{"sh", "ls"})
	var digests [2]v1.Hash
	var archives [2][]byte
	for i := range archives {
		path := filepath.Join(t.TempDir(), "image.tar")
		var err error
		if digests[i], err = writeArchive(path, t.TempDir(), id, tree, v1.Config{}); err != nil {
			t.Fatal(err)
		}
		if archives[i], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	if digests[0] != digests[1] || !bytes.Equal(archives[0], archives[1]) {
		t.Errorf("two archives of the same tree differ: %s, %s", digests[0], digests[1])
	}

	var index v1.IndexManifest
	if err := json.Unmarshal(member(t, archives[0], "index.json"), &index); err != nil {
		t.Fatal(err)
	}
	if len(index.Manifests) != 1 {
		t.Fatalf("the archive holds %d images, want 1", len(index.Manifests))
	}
	m := index.Manifests[0]
	if m.Digest != digests[0] || m.Annotations[annotationName] != "soma.dev/busybox:1" || m.Annotations[annotationTag] != "1" {
		t.Errorf("the archive's image is %+v, want digest %s and its name", m, digests[0])
	}
}

// member returns the content of one file of a tar archive.
func member(t *testing.T, archive []byte, name string) []byte {
	t.Helper()
	r := tar.NewReader(bytes.NewReader(archive))
	for {
		h, err := r.Next()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if h.Name == name {
			data, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			return data
		}
	}
}
