// Package scrape is how the processes of a system tell their metrics: by TLS, to those whom the cluster lets read them.
package scrape

import (
	"crypto/tls"

	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// Options serve metrics at an address, "0" for nowhere. Those that are not secure are told to everybody.
func Options(address string, secure bool) metricsserver.Options {
	options := metricsserver.Options{BindAddress: address}
	if secure {
		options.SecureServing = true
		options.FilterProvider = filters.WithAuthenticationAndAuthorization
		options.TLSOpts = []func(*tls.Config){func(c *tls.Config) { c.MinVersion = tls.VersionTLS12 }}
	}
	return options
}
