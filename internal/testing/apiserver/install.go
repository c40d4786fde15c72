package apiserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// Install makes the objects in files of the repository's folder config; a pattern can name several.
func (s *Server) Install(ctx context.Context, patterns ...string) error {
	root, err := repository()
	if err != nil {
		return err
	}
	for _, pattern := range patterns {
		files, err := filepath.Glob(filepath.Join(root, "config", pattern))
		if err != nil || len(files) == 0 {
			return fmt.Errorf("there is no file %s in config (%w)", pattern, err)
		}
		for _, file := range files {
			if filepath.Base(file) == "kustomization.yaml" {
				continue
			}
			if err := s.installFile(ctx, file); err != nil {
				return fmt.Errorf("install %s: %w", file, err)
			}
		}
	}
	return nil
}

func (s *Server) installFile(ctx context.Context, file string) error {
	text, err := os.ReadFile(file) //nolint:gosec // a file of this repository
	if err != nil {
		return err
	}
	for decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), len(text)); ; {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(object); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := s.Client.Create(ctx, object); err != nil {
			return err
		}
	}
}
