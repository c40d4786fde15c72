package main

import (
	"context"
	"fmt"

	"k8s.io/client-go/rest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/soma-platform/soma/internal/platform/scrape"
)

// metricsServer tells metrics to those whom the cluster lets read them; nil for an address that is nowhere.
func metricsServer(api *rest.Config, address string) (func(context.Context) error, error) {
	client, err := rest.HTTPClientFor(api)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	server, err := metricsserver.NewServer(scrape.Options(address, true), api, client)
	if err != nil {
		return nil, fmt.Errorf("serve metrics: %w", err)
	}
	if server == nil {
		return nil, nil
	}
	return server.Start, nil
}
