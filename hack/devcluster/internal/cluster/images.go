package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// imagePrefix is the beginning of the names of the images that hack/images makes.
const imagePrefix = "soma.dev/"

// Import gives the images that changed to the real node of a running cluster. Without one there is nothing to do.
func (c *Cluster) Import(ctx context.Context) error {
	running, err := c.running()
	if err != nil {
		return err
	}
	if !running {
		return ErrNotUp
	}
	release, err := c.lock()
	if err != nil {
		return err
	}
	defer release()
	if c.state, err = loadState(c.Layout, os.Geteuid() == 0, running, AsBefore); err != nil || !c.Rooted {
		return err
	}
	return c.importImages(ctx)
}

// importImages gives the image archives in the folder images to the real node: those that changed since they were given.
func (c *Cluster) importImages(ctx context.Context) error {
	archives, err := filepath.Glob(filepath.Join(c.images(), "*.tar"))
	if err != nil {
		return err
	}
	// Beside containerd's own data, so that both go together.
	path := c.data(true, "containerd", "soma-images.json")
	given := map[string]string{}
	if data, err := os.ReadFile(path); err == nil {
		if err := json.Unmarshal(data, &given); err != nil {
			given = map[string]string{}
		}
	}
	for _, archive := range archives {
		name := filepath.Base(archive)
		mark, err := fileMark(archive)
		if err != nil {
			return err
		}
		if given[name] == mark {
			continue
		}
		// Digests give a container's image a name that says exactly what ran.
		base := imagePrefix + strings.TrimSuffix(name, ".tar")
		if err := c.progress.Step("image "+name, func() error { return c.ctr(ctx, "images", "import", "--base-name", base, "--digests", archive) }); err != nil {
			return err
		}
		given[name] = mark
		data, err := json.Marshal(given)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// fileMark changes when a file's content does. An image made again alike has the same mark: its content is read, not its
// time.
func fileMark(path string) (string, error) {
	file, err := os.Open(filepath.Clean(path))
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
