// Package historyapi is the aggregated API server that serves history.soma.dev from PostgreSQL: read-only, under the rights
// that the cluster's own RBAC grants. It keeps no state of its own.
package historyapi

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	openapinamer "k8s.io/apiserver/pkg/endpoints/openapi"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/options"
	"k8s.io/apiserver/pkg/util/compatibility"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	api "github.com/soma-platform/soma/api/history/v1alpha1"
	"github.com/soma-platform/soma/internal/historyapi/openapi"
	"github.com/soma-platform/soma/internal/platform/version"
)

const (
	// requestTimeout bounds one request.
	requestTimeout = 35 * time.Second
	// maxRequests bounds the requests that are served at the same time: each may hold a page of records.
	maxRequests = 64
)

var (
	scheme = runtime.NewScheme()
	codecs = serializer.NewCodecFactory(scheme)
)

func init() {
	utilruntime.Must(api.AddToScheme(scheme))
	// There is one version and so one shape: the types are also the internal ones.
	scheme.AddKnownTypes(schema.GroupVersion{Group: api.GroupName, Version: runtime.APIVersionInternal}, &api.JobRecord{}, &api.JobRecordList{})
	utilruntime.Must(scheme.SetVersionPriority(api.GroupVersion))
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	scheme.AddUnversionedTypes(schema.GroupVersion{Version: "v1"},
		&metav1.Status{}, &metav1.APIVersions{}, &metav1.APIGroupList{}, &metav1.APIGroup{}, &metav1.APIResourceList{})
}

// Options are how the server is reached and how it reaches the cluster.
type Options struct {
	// BindAddress and Port are where it listens.
	BindAddress net.IP
	Port        int
	// CertFile and KeyFile are its certificate and key. They are waited for, and read again when they change.
	CertFile, KeyFile string
	// Kubeconfig is the cluster that is asked who a caller is and what they may do. Empty: the one that the server runs in.
	Kubeconfig string
}

// Run serves until the context ends, then answers what was begun.
func Run(ctx context.Context, o Options, store Reader, clk clock.PassiveClock) error {
	if err := waitForFiles(ctx, o.CertFile, o.KeyFile); err != nil {
		return err
	}
	config, err := o.config()
	if err != nil {
		return err
	}
	server, err := config.Complete(nil).New("soma-history", genericapiserver.NewEmptyDelegate())
	if err != nil {
		return fmt.Errorf("make the server: %w", err)
	}
	group := genericapiserver.NewDefaultAPIGroupInfo(api.GroupName, scheme, metav1.ParameterCodec, codecs)
	group.VersionedResourcesStorageMap[api.GroupVersion.Version] = map[string]rest.Storage{
		resource.Resource: Storage(store, clk),
	}
	if err := server.InstallAPIGroup(&group); err != nil {
		return fmt.Errorf("install %s: %w", api.GroupVersion, err)
	}
	return server.PrepareRun().RunWithContext(ctx)
}

func (o Options) config() (*genericapiserver.Config, error) {
	config := genericapiserver.NewConfig(codecs)
	config.EffectiveVersion = compatibility.DefaultBuildEffectiveVersion()
	config.RequestTimeout = requestTimeout
	config.MaxRequestsInFlight = maxRequests
	config.EnableProfiling = false
	config.EnableIndex = false
	namer := openapinamer.NewDefinitionNamer(scheme)
	config.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(openapi.GetOpenAPIDefinitions, namer)
	config.OpenAPIConfig.Info.Title = "Soma history"
	config.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(openapi.GetOpenAPIDefinitions, namer)
	// Everybody may read it who may sign in: by it the command line knows which Soma the cluster has.
	config.OpenAPIV3Config.Info.Title, config.OpenAPIV3Config.Info.Version = "Soma", version.Version

	serving := options.NewSecureServingOptions()
	serving.BindAddress, serving.BindPort = o.BindAddress, o.Port
	serving.ServerCert.CertKey = options.CertKey{CertFile: o.CertFile, KeyFile: o.KeyFile}
	serving.MinTLSVersion = "VersionTLS12"
	authentication := options.NewDelegatingAuthenticationOptions()
	authentication.RemoteKubeConfigFile = o.Kubeconfig
	authorization := options.NewDelegatingAuthorizationOptions().WithAlwaysAllowPaths("/healthz", "/livez", "/readyz")
	authorization.RemoteKubeConfigFile = o.Kubeconfig

	var problems []error
	problems = append(problems, serving.Validate()...)
	problems = append(problems, authentication.Validate()...)
	problems = append(problems, authorization.Validate()...)
	if err := utilerrors.NewAggregate(problems); err != nil {
		return nil, fmt.Errorf("the server's options: %w", err)
	}
	if err := serving.WithLoopback().ApplyTo(&config.SecureServing, &config.LoopbackClientConfig); err != nil {
		return nil, fmt.Errorf("prepare to serve on port %d: %w", o.Port, err)
	}
	if err := authentication.ApplyTo(&config.Authentication, config.SecureServing, config.OpenAPIConfig); err != nil {
		return nil, fmt.Errorf("prepare to ask the cluster who a caller is: %w", err)
	}
	if err := authorization.ApplyTo(&config.Authorization); err != nil {
		return nil, fmt.Errorf("prepare to ask the cluster what a caller may do: %w", err)
	}
	return config, nil
}

// waitForFiles waits until files are there: the certificate is made by the manager, that may start later.
func waitForFiles(ctx context.Context, files ...string) error {
	for _, file := range files {
		told := false
		err := wait.PollUntilContextCancel(ctx, time.Second, true, func(context.Context) (bool, error) {
			info, err := os.Stat(file)
			if err == nil && info.Size() > 0 {
				return true, nil
			}
			if !told {
				klog.InfoS("Waiting for the serving certificate; the manager makes it", "file", file)
				told = true
			}
			return false, nil
		})
		if err != nil {
			return fmt.Errorf("wait for %s: %w", file, err)
		}
	}
	return nil
}
