package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/soma-platform/soma/internal/platform/conditions"
)

// probeTimeout is how long a cluster has for each answer.
const probeTimeout = 5 * time.Second

// maxVersion is the length in bytes to which a version is cut.
const maxVersion = 64

// maxAnswer is the size in bytes above which an answer is not read on.
const maxAnswer = 1 << 20

// identityNamespace is the namespace that every cluster has and that is never made again: its UID tells clusters apart.
const identityNamespace = metav1.NamespaceSystem

// ErrKubeconfig is the kind of error of a kubeconfig that is refused. Trying again without another one does not help.
var ErrKubeconfig = errors.New("kubeconfig refused")

// Facts are what a cluster's API server tells of it.
type Facts struct {
	// Version of Kubernetes, for instance "v1.37.2".
	Version string
	// ID tells the cluster from all others, whatever its address.
	ID string
}

// Fleet probes clusters. It is safe for use by several goroutines.
type Fleet struct {
	local *rest.Config
}

// New returns a fleet whose local cluster is reached by the configuration of the manager itself.
func New(local *rest.Config) (*Fleet, error) {
	if local == nil {
		return nil, errors.New("fleet: the configuration of the local cluster is required")
	}
	return &Fleet{local: local}, nil
}

// Local asks the cluster that the manager runs in.
func (f *Fleet) Local(ctx context.Context) (Facts, error) {
	return probe(ctx, rest.CopyConfig(f.local))
}

// Remote asks the cluster that a kubeconfig leads to. The error is ErrKubeconfig where the kubeconfig is refused; any
// other means that the cluster did not answer.
func (f *Fleet) Remote(ctx context.Context, kubeconfig []byte) (Facts, error) {
	config, err := FromKubeconfig(kubeconfig)
	if err != nil {
		return Facts{}, fmt.Errorf("%w: %w", ErrKubeconfig, err)
	}
	return probe(ctx, config)
}

// probe asks for the version and the identity: that the API server answers, and that it lets us in.
func probe(ctx context.Context, config *rest.Config) (Facts, error) {
	config.Timeout = probeTimeout
	config.APIPath, config.GroupVersion = "/api", &corev1.SchemeGroupVersion
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	config.UserAgent = "soma-fleet"
	// A probe is a question and an answer: it is not held back by what the manager asks for otherwise.
	config.QPS, config.RateLimiter = -1, nil
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return bounded{next} })
	client, err := rest.RESTClientFor(config)
	if err != nil {
		// The message could quote the certificate or key.
		return Facts{}, fmt.Errorf("%w: its CA, certificate or key cannot be read", ErrKubeconfig)
	}
	namespace := &corev1.Namespace{}
	if err := client.Get().Resource("namespaces").Name(identityNamespace).Do(ctx).Into(namespace); err != nil {
		return Facts{}, fmt.Errorf("read namespace %s: %w", identityNamespace, err)
	}
	body, err := client.Get().AbsPath("/version").Do(ctx).Raw()
	if err != nil {
		return Facts{}, fmt.Errorf("read the version: %w", err)
	}
	var info version.Info
	if err := json.Unmarshal(body, &info); err != nil {
		return Facts{}, fmt.Errorf("read the version: %w", err)
	}
	return Facts{Version: conditions.Cut(info.GitVersion, maxVersion), ID: string(namespace.UID)}, nil
}

// bounded cuts off answers that are longer than an honest one can be.
type bounded struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := b.next.RoundTrip(request)
	if err == nil {
		response.Body = http.MaxBytesReader(nil, response.Body, maxAnswer)
	}
	return response, err
}
