// Package accessapi is the aggregated API server that serves access.soma.dev: it answers who may do what, and why, from the
// authority of the process that it runs in. It keeps no state of its own.
package accessapi

import (
	"context"

	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/registry/rest"

	api "github.com/soma-platform/soma/api/access/v1alpha1"
	"github.com/soma-platform/soma/internal/authority"
	"github.com/soma-platform/soma/internal/openapi"
	"github.com/soma-platform/soma/internal/platform/aggregated"
)

// Options are how the server is reached and how it reaches the cluster.
type Options = aggregated.Options

// Run serves until the context ends, then answers what was begun.
func Run(ctx context.Context, o Options, rights *authority.Authority) error {
	scheme, err := aggregated.NewScheme(api.GroupVersion, api.AddToScheme, api.Kinds()...)
	if err != nil {
		return err
	}
	return aggregated.Run(ctx, o, aggregated.Group{
		Name: "soma-access", Title: "Soma access", Version: api.GroupVersion, Scheme: scheme, Definitions: openapi.GetOpenAPIDefinitions,
		Storage: func(cluster authorizer.Authorizer) map[string]rest.Storage { return Storage(rights, cluster) },
	})
}
