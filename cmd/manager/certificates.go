package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/open-policy-agent/cert-controller/pkg/rotator"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// servingSecret is the secret with the serving certificate of the webhooks, of the history's API server and of the gateway.
const servingSecret = "soma-serving-certs"

// setupCertificates keeps what this process serves with as the secret has it. Unless somebody else does, as cert-manager
// can, the manager that leads also makes the certificate, renews it in time and tells the API server whom to trust.
func setupCertificates(ctx context.Context, mgr ctrl.Manager, certificate *servingCertificate, o options) error {
	certificate.manager, certificate.namespace, certificate.folder = mgr, o.namespace, o.certDir
	if err := mgr.Add(certificate); err != nil {
		return fmt.Errorf("follow the serving certificate: %w", err)
	}
	plain, err := uncached(mgr)
	if err != nil {
		return err
	}
	key := types.NamespacedName{Namespace: o.namespace, Name: servingSecret}
	if err := mgr.Add(&trust{client: plain, from: key, to: trustSecret, log: mgr.GetLogger().WithName("certificates")}); err != nil {
		return fmt.Errorf("tell the proxy before the pages of jobs whom to trust: %w", err)
	}
	if !o.certRotation {
		return nil
	}
	// The installation makes the secret, empty: the right to create secrets cannot be bound to a name.
	switch err := plain.Get(ctx, key, &corev1.Secret{}); {
	case apierrors.IsNotFound(err):
		return fmt.Errorf("the secret %s for the serving certificate does not exist: install Soma's manifests or chart again, which contain it", key)
	case err != nil:
		return fmt.Errorf("read the secret %s: %w", key, err)
	}
	service := func(name string) string { return fmt.Sprintf("%s.%s.svc", name, o.namespace) }
	more := append([]string{service("soma-history"), service("soma-gateway"), service("soma-gateway-pages"), service("soma-access")}, o.servingNames...)
	if err := mgr.Add(&outdated{client: plain, key: key, names: more}); err != nil {
		return fmt.Errorf("look for names that the certificate lacks: %w", err)
	}
	err = rotator.AddRotator(plainManager{mgr, plain}, &rotator.CertRotator{
		SecretKey:      key,
		CertDir:        o.certDir,
		CAName:         "soma",
		CAOrganization: "soma",
		DNSName:        service("soma-webhook"),
		ExtraDNSNames:  more,
		IsReady:        make(chan struct{}),
		Webhooks: []rotator.WebhookInfo{
			{Name: "soma-admission", Type: rotator.Mutating},
			{Name: "soma-admission", Type: rotator.Validating},
			{Name: "v1alpha1.history.soma.dev", Type: rotator.APIService},
			// It is there where a gateway is installed.
			{Name: "v1alpha1.access.soma.dev", Type: rotator.APIService},
		},
		RequireLeaderElection: o.leaderElect,
	})
	if err != nil {
		return fmt.Errorf("set up the rotation of certificates: %w", err)
	}
	return nil
}

// uncached is a client for secrets by their names. The manager's own would keep every secret of the cluster in memory, to be sure of
// reading what it wrote.
func uncached(mgr ctrl.Manager) (client.Client, error) {
	plain, err := client.New(mgr.GetConfig(), client.Options{Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper()})
	if err != nil {
		return nil, fmt.Errorf("make a client for secrets: %w", err)
	}
	return plain, nil
}

// outdated removes, once this manager leads, a certificate that lacks one of the names, so that another is made. The rotation
// itself looks at the first name alone.
type outdated struct {
	client client.Client
	key    types.NamespacedName
	names  []string
}

// Start looks once.
func (o *outdated) Start(ctx context.Context) error {
	var secret corev1.Secret
	if err := o.client.Get(ctx, o.key, &secret); err != nil {
		return fmt.Errorf("read the secret %s: %w", o.key, err)
	}
	if len(secret.Data["tls.crt"]) == 0 || covers(secret.Data["tls.crt"], o.names) {
		return nil
	}
	delete(secret.Data, "tls.crt")
	delete(secret.Data, "tls.key")
	// Who wrote in between has made another.
	if err := o.client.Update(ctx, &secret); err != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("remove the certificate that lacks names from the secret %s: %w", o.key, err)
	}
	return nil
}

// covers reports whether a certificate in PEM is for all of the names.
func covers(text []byte, names []string) bool {
	block, _ := pem.Decode(text)
	if block == nil {
		return false
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return false
	}
	for _, name := range names {
		if certificate.VerifyHostname(name) != nil {
			return false
		}
	}
	return true
}

// plainManager is a manager with another client.
type plainManager struct {
	ctrl.Manager
	client client.Client
}

// GetClient is the other client.
func (m plainManager) GetClient() client.Client { return m.client }

// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=mutatingwebhookconfigurations;validatingwebhookconfigurations,verbs=get;list;watch
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=mutatingwebhookconfigurations;validatingwebhookconfigurations,resourceNames=soma-admission,verbs=update
// +kubebuilder:rbac:groups=apiregistration.k8s.io,resources=apiservices,verbs=get;list;watch
// +kubebuilder:rbac:groups=apiregistration.k8s.io,resources=apiservices,resourceNames=v1alpha1.history.soma.dev;v1alpha1.access.soma.dev,verbs=update
// +kubebuilder:rbac:groups="",resources=secrets,namespace=soma-system,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets,namespace=soma-system,resourceNames=soma-serving-certs,verbs=update

// servingCertificate is what the servers of this process serve with, as the secret has it. It is read from the secret and
// not from a mount, which would follow a renewal only after a minute or more. A copy is written to a folder, where the
// rotation looks for the sign that the certificate has arrived.
type servingCertificate struct {
	manager   manager.Manager
	namespace string
	folder    string
	current   atomic.Pointer[tls.Certificate]
}

// configure makes a server take the certificate of the moment.
func (c *servingCertificate) configure(config *tls.Config) {
	config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		if certificate := c.current.Load(); certificate != nil {
			return certificate, nil
		}
		return nil, errors.New("the serving certificate has not been made yet")
	}
}

// NeedLeaderElection reports that every manager serves, the leader or not.
func (c *servingCertificate) NeedLeaderElection() bool { return false }

// Start follows the secret until the context ends.
func (c *servingCertificate) Start(ctx context.Context) error {
	secrets, err := cache.New(c.manager.GetConfig(), cache.Options{
		Scheme:            c.manager.GetScheme(),
		DefaultNamespaces: map[string]cache.Config{c.namespace: {}},
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Secret{}: {Field: fields.OneTermEqualSelector("metadata.name", servingSecret)},
		},
	})
	if err != nil {
		return fmt.Errorf("make a cache of the secret %s: %w", servingSecret, err)
	}
	informer, err := secrets.GetInformer(ctx, &corev1.Secret{}, cache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("follow the secret %s: %w", servingSecret, err)
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    c.take,
		UpdateFunc: func(_, secret any) { c.take(secret) },
	})
	if err != nil {
		return fmt.Errorf("follow the secret %s: %w", servingSecret, err)
	}
	return secrets.Start(ctx)
}

func (c *servingCertificate) take(object any) {
	secret, ok := object.(*corev1.Secret)
	if !ok || len(secret.Data["tls.crt"]) == 0 || len(secret.Data["tls.key"]) == 0 {
		return
	}
	log := c.manager.GetLogger().WithName("certificates")
	certificate, err := tls.X509KeyPair(secret.Data["tls.crt"], secret.Data["tls.key"])
	if err != nil {
		log.Error(err, "the secret does not hold a certificate with its key", "secret", servingSecret)
		return
	}
	c.current.Store(&certificate)
	if err := replaceFile(filepath.Join(c.folder, "tls.crt"), secret.Data["tls.crt"]); err != nil {
		log.Error(err, "cannot write the serving certificate")
		return
	}
	log.Info("serving certificate taken")
}

// replaceFile writes a file so that a reader sees the old content or the new, never a part.
func replaceFile(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
