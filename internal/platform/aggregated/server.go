// Package aggregated serves an API group beside the cluster's own API server, which passes on to it what it is asked of the
// group. The cluster says who calls, and what they may.
package aggregated

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
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	openapinamer "k8s.io/apiserver/pkg/endpoints/openapi"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/options"
	"k8s.io/apiserver/pkg/util/compatibility"
	"k8s.io/klog/v2"
	"k8s.io/kube-openapi/pkg/common"

	"github.com/soma-platform/soma/internal/platform/version"
)

const (
	// requestTimeout bounds one request.
	requestTimeout = 35 * time.Second
	// maxRequests bounds the requests that are served at the same time: each may hold a page of objects.
	maxRequests = 64
)

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

// Group is the API group that is served, in one version.
type Group struct {
	// Name of the server, for its own log, and Title for people.
	Name, Title string
	Version     schema.GroupVersion
	// Scheme knows the kinds, from NewScheme.
	Scheme      *runtime.Scheme
	Definitions common.GetOpenAPIDefinitions
	// Storage makes what answers, by resource. It may ask the cluster what somebody may do.
	Storage func(authorizer.Authorizer) map[string]rest.Storage
}

// NewScheme makes a scheme for a group. There is one version and so one shape: the types are also the internal ones.
func NewScheme(version schema.GroupVersion, add func(*runtime.Scheme) error, kinds ...runtime.Object) (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	if err := add(scheme); err != nil {
		return nil, err
	}
	scheme.AddKnownTypes(schema.GroupVersion{Group: version.Group, Version: runtime.APIVersionInternal}, kinds...)
	if err := scheme.SetVersionPriority(version); err != nil {
		return nil, err
	}
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	scheme.AddUnversionedTypes(schema.GroupVersion{Version: "v1"},
		&metav1.Status{}, &metav1.APIVersions{}, &metav1.APIGroupList{}, &metav1.APIGroup{}, &metav1.APIResourceList{})
	return scheme, nil
}

// Run serves until the context ends, then answers what was begun.
func Run(ctx context.Context, o Options, g Group) error {
	if err := waitForFiles(ctx, o.CertFile, o.KeyFile); err != nil {
		return err
	}
	codecs := serializer.NewCodecFactory(g.Scheme)
	config, err := o.config(g, codecs)
	if err != nil {
		return err
	}
	server, err := config.Complete(nil).New(g.Name, genericapiserver.NewEmptyDelegate())
	if err != nil {
		return fmt.Errorf("make the server: %w", err)
	}
	group := genericapiserver.NewDefaultAPIGroupInfo(g.Version.Group, g.Scheme, metav1.ParameterCodec, codecs)
	group.VersionedResourcesStorageMap[g.Version.Version] = g.Storage(config.Authorization.Authorizer)
	if err := server.InstallAPIGroup(&group); err != nil {
		return fmt.Errorf("install %s: %w", g.Version, err)
	}
	return server.PrepareRun().RunWithContext(ctx)
}

func (o Options) config(g Group, codecs serializer.CodecFactory) (*genericapiserver.Config, error) {
	config := genericapiserver.NewConfig(codecs)
	config.EffectiveVersion = compatibility.DefaultBuildEffectiveVersion()
	config.RequestTimeout = requestTimeout
	config.MaxRequestsInFlight = maxRequests
	config.EnableProfiling = false
	config.EnableIndex = false
	namer := openapinamer.NewDefinitionNamer(g.Scheme)
	config.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(g.Definitions, namer)
	config.OpenAPIConfig.Info.Title = g.Title
	config.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(g.Definitions, namer)
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
