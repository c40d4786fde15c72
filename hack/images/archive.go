package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"
)

// annotationName tells containerd under which full name to import an image; the OCI one holds the tag alone.
const (
	annotationName = "io.containerd.image.name"
	annotationTag  = "org.opencontainers.image.ref.name"
)

// writeArchive makes a one-layer image of the tree and writes it to path as an OCI archive, through a temporary file so
// that path is always whole. work is a scratch directory. It returns the digest of the image's manifest.
func writeArchive(path, work string, id identity, tree []entry, config v1.Config) (v1.Hash, error) {
	img, err := assemble(filepath.Join(work, "layer.tar.zst"), tree, config)
	if err != nil {
		return v1.Hash{}, err
	}
	digest, err := img.Digest()
	if err != nil {
		return v1.Hash{}, err
	}
	oci, err := layout.Write(filepath.Join(work, "oci"), empty.Index)
	if err != nil {
		return v1.Hash{}, err
	}
	err = oci.AppendImage(img,
		layout.WithAnnotations(map[string]string{annotationName: id.reference(), annotationTag: id.tag}),
		layout.WithPlatform(v1.Platform{OS: "linux", Architecture: runtime.GOARCH}))
	if err != nil {
		return v1.Hash{}, err
	}
	files, err := scan(string(oci), nil)
	if err != nil {
		return v1.Hash{}, err
	}
	for i := range files { // the same whoever makes it, with whatever umask
		files[i].uid, files[i].gid = 0, 0
		files[i].mode = files[i].mode.Type() | 0o755
	}
	partial := path + ".partial"
	if err := writeTarFile(partial, files, false); err != nil {
		return v1.Hash{}, err
	}
	return digest, os.Rename(partial, path)
}

// assemble makes an image whose single layer holds the tree. The layer is kept in the file at blob.
func assemble(blob string, tree []entry, config v1.Config) (v1.Image, error) {
	if err := writeTarFile(blob, tree, true); err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromFile(blob, tarball.WithMediaType(types.OCILayerZStd))
	if err != nil {
		return nil, err
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	base, err = mutate.ConfigFile(base, &v1.ConfigFile{
		OS: "linux", Architecture: runtime.GOARCH, Created: v1.Time{Time: epoch}, Config: config,
		RootFS: v1.RootFS{Type: "layers"},
	})
	if err != nil {
		return nil, err
	}
	return mutate.Append(base, mutate.Addendum{Layer: layer, History: v1.History{
		Created: v1.Time{Time: epoch}, CreatedBy: "soma hack/images",
	}})
}

// writeTarFile writes the tree to a new file as a tar archive, compressed if asked.
func writeTarFile(path string, tree []entry, compress bool) (err error) {
	f, err := os.Create(path) //nolint:gosec // the caller's own output path
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if !compress {
		return writeTar(f, tree)
	}
	z, err := zstd.NewWriter(f)
	if err != nil {
		return fmt.Errorf("compressing %s: %w", path, err)
	}
	return errors.Join(writeTar(z, tree), z.Close())
}
