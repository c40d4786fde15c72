// Package historyapi is the aggregated API server that serves history.soma.dev from PostgreSQL: read-only, under the rights
// that the cluster's own RBAC grants. It keeps no state of its own.
package historyapi

import (
	"context"

	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/utils/clock"

	api "github.com/soma-platform/soma/api/history/v1alpha1"
	"github.com/soma-platform/soma/internal/openapi"
	"github.com/soma-platform/soma/internal/platform/aggregated"
)

// Options are how the server is reached and how it reaches the cluster.
type Options = aggregated.Options

// Run serves until the context ends, then answers what was begun.
func Run(ctx context.Context, o Options, store Reader, clk clock.PassiveClock) error {
	scheme, err := aggregated.NewScheme(api.GroupVersion, api.AddToScheme, &api.JobRecord{}, &api.JobRecordList{})
	if err != nil {
		return err
	}
	return aggregated.Run(ctx, o, aggregated.Group{
		Name: "soma-history", Title: "Soma history", Version: api.GroupVersion, Scheme: scheme, Definitions: openapi.GetOpenAPIDefinitions,
		Storage: func(authorizer.Authorizer) map[string]rest.Storage {
			return map[string]rest.Storage{resource.Resource: Storage(store, clk)}
		},
	})
}
