// Package server starts an etcd and an API server for one measurement, new and empty, on the loopback of this machine.
package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/soma-platform/soma/test/performance/scrape"
)

const startTime = 2 * time.Minute

// Server is an API server with its etcd.
type Server struct {
	// WithWatch reads and writes as an administrator, without bounds on how often, as clients by Config do.
	client.WithWatch
	Config *rest.Config
	// Kubeconfig is the path of a file for other programs, which goes with the server.
	Kubeconfig string
	// API and Etcd are their processes, EtcdURL is where the latter answers.
	API, Etcd Process
	EtcdURL   string

	metrics     rest.Interface
	environment *envtest.Environment
}

// Start starts an API server that knows the kinds in the files, with some more of its flags. The binaries are in assets; the scheme is
// that of the client.
func Start(assets string, scheme *runtime.Scheme, kinds []string, flags map[string]string) (s *Server, err error) {
	s = &Server{environment: &envtest.Environment{
		Scheme: scheme, BinaryAssetsDirectory: assets, CRDDirectoryPaths: kinds, ErrorIfCRDPathMissing: true,
		ControlPlaneStartTimeout: startTime, ControlPlaneStopTimeout: startTime,
	}}
	for name, value := range flags {
		s.environment.ControlPlane.GetAPIServer().Configure().Append(name, value)
	}
	if s.Config, err = s.environment.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start the API server: %w", err), s.environment.Stop())
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop())
		}
	}()
	s.EtcdURL = s.environment.ControlPlane.Etcd.URL.String()
	admin, err := s.environment.AddUser(envtest.User{Name: "admin", Groups: []string{"system:masters"}}, nil)
	if err != nil {
		return s, fmt.Errorf("make a user: %w", err)
	}
	text, err := admin.KubeConfig()
	if err != nil {
		return s, fmt.Errorf("make a kubeconfig: %w", err)
	}
	s.Kubeconfig = filepath.Join(s.environment.ControlPlane.APIServer.CertDir, "measurement.kubeconfig")
	if err := os.WriteFile(s.Kubeconfig, text, 0o600); err != nil {
		return s, err
	}
	s.Config.QPS = -1
	if s.WithWatch, err = client.NewWithWatch(s.Config, client.Options{Scheme: scheme}); err != nil {
		return s, err
	}
	plain := rest.CopyConfig(s.Config)
	plain.NegotiatedSerializer = clientgoscheme.Codecs.WithoutConversion()
	if s.metrics, err = rest.UnversionedRESTClientFor(plain); err != nil {
		return s, err
	}
	if s.Etcd, err = child("etcd"); err != nil {
		return s, err
	}
	s.API, err = child("kube-apiserver")
	return s, err
}

// Stop ends both, and removes what they stored.
func (s *Server) Stop() error { return s.environment.Stop() }

// Writes are the requests so far that change something.
func (s *Server) Writes(ctx context.Context) (scrape.Counts, error) {
	body, err := s.metrics.Get().AbsPath("/metrics").SetHeader("Accept", "text/plain").Stream(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the metrics of the API server: %w", err)
	}
	defer func() { _ = body.Close() }()
	points, err := scrape.Parse(body, "apiserver_request_total")
	if err != nil {
		return nil, err
	}
	all := scrape.Counts{}
	for _, point := range points {
		if request := scrape.WriteOf(point.Labels); request != "" {
			all[request] += point.Value
		}
	}
	return all, nil
}
