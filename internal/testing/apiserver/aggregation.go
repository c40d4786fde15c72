package apiserver

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/util/cert"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// User is somebody whom the server takes for a user of that name and those groups.
func (s *Server) User(name string, groups ...string) (*envtest.AuthenticatedUser, error) {
	user, err := s.environment.AddUser(envtest.User{Name: name, Groups: groups}, nil)
	if err != nil {
		return nil, fmt.Errorf("make user %s: %w", name, err)
	}
	return user, nil
}

// aggregate gives the server what it needs to pass requests on to aggregated API servers: a certificate by which they know
// that it is the server that says who calls.
func (s *Server) aggregate() error {
	if err := s.makeFolder(); err != nil {
		return err
	}
	authority, key, err := selfSigned("front proxies", nil, nil)
	if err != nil {
		return err
	}
	client, clientKey, err := selfSigned("front-proxy", authority, key)
	if err != nil {
		return err
	}
	encodedKey, err := x509.MarshalECPrivateKey(clientKey)
	if err != nil {
		return err
	}
	arguments := s.environment.ControlPlane.GetAPIServer().Configure()
	for flag, block := range map[string]*pem.Block{
		"requestheader-client-ca-file": {Type: cert.CertificateBlockType, Bytes: authority.Raw},
		"proxy-client-cert-file":       {Type: cert.CertificateBlockType, Bytes: client.Raw},
		"proxy-client-key-file":        {Type: "EC PRIVATE KEY", Bytes: encodedKey},
	} {
		file := filepath.Join(s.folder, flag)
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			return err
		}
		arguments.Set(flag, file)
	}
	arguments.Set("requestheader-allowed-names", "front-proxy")
	arguments.Set("requestheader-username-headers", "X-Remote-User")
	arguments.Set("requestheader-group-headers", "X-Remote-Group")
	arguments.Set("requestheader-extra-headers-prefix", "X-Remote-Extra-")
	return nil
}

// selfSigned makes a certificate that is signed by another, or an authority where there is none.
func selfSigned(name string, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if parent == nil {
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
		parent, parentKey = template, key
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		return nil, nil, err
	}
	made, err := x509.ParseCertificate(raw)
	return made, key, err
}

// Aggregate has the server pass on what it is asked of an API group to this machine's port.
func (s *Server) Aggregate(ctx context.Context, version schema.GroupVersion, port int) error {
	const namespace = "aggregated"
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "server-" + version.Version},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "localhost"},
	}
	registration := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
		"metadata": map[string]any{"name": version.Version + "." + version.Group},
		"spec": map[string]any{
			"group": version.Group, "version": version.Version, "groupPriorityMinimum": int64(1000), "versionPriority": int64(100),
			"insecureSkipTLSVerify": true,
			"service":               map[string]any{"namespace": namespace, "name": service.Name, "port": int64(port)},
		},
	}}
	for _, object := range []client.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, service, registration} {
		if err := client.IgnoreAlreadyExists(s.Client.Create(ctx, object)); err != nil {
			return fmt.Errorf("register %s: %w", version, err)
		}
	}
	return nil
}
