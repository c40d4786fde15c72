// Package manifests checks that what installs Soma is valid, and that kustomize and Helm install alike.
package manifests

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const root = "../.."

// objects are rendered objects by what tells them apart.
type objects map[string]*unstructured.Unstructured

// kustomize renders a folder of config.
func kustomize(t *testing.T, folder string) objects {
	t.Helper()
	rendered, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(root, "config", folder))
	if err != nil {
		t.Fatalf("render config/%s: %v", folder, err)
	}
	text, err := rendered.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, text)
}

// helm renders the chart with values as a person would set them, into the usual namespace.
func helm(t *testing.T, values map[string]any) (objects, error) {
	t.Helper()
	chart, err := loader.Load(filepath.Join(root, "charts", "soma"))
	if err != nil {
		t.Fatalf("load the chart: %v", err)
	}
	release := common.ReleaseOptions{Name: "soma", Namespace: "soma-system", Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(chart, values, release, common.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(chart, all)
	if err != nil {
		return nil, err
	}
	found := objects{}
	for name, text := range files {
		if filepath.Ext(name) == ".yaml" {
			maps.Copy(found, parse(t, []byte(text)))
		}
	}
	return found, nil
}

// parse reads the documents of a text. Two of the same object are a mistake.
func parse(t *testing.T, text []byte) objects {
	t.Helper()
	found := objects{}
	for reader := utilyaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(text))); ; {
		document, err := readAll(reader)
		if errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		var content map[string]any
		if err := yaml.UnmarshalStrict(document, &content); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		if len(content) == 0 {
			continue
		}
		object := &unstructured.Unstructured{Object: content}
		name := fmt.Sprintf("%s %s/%s", object.GroupVersionKind(), object.GetNamespace(), object.GetName())
		if found[name] != nil {
			t.Fatalf("%s is there twice", name)
		}
		found[name] = object
	}
}

// readAll reads one document, which may be longer than a single read gives.
func readAll(reader io.Reader) ([]byte, error) {
	var document []byte
	for buffer := make([]byte, 64<<10); ; {
		n, err := reader.Read(buffer)
		document = append(document, buffer[:n]...)
		if !errors.Is(err, io.ErrShortBuffer) {
			return document, err
		}
	}
}
