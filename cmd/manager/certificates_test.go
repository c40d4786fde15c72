package main

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/open-policy-agent/cert-controller/pkg/rotator"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// longEnough is for how long a certificate that was just renewed is good at least.
const longEnough = 90 * 24 * time.Hour

// maker makes certificates as the manager does, but such that end in a day.
var maker = &rotator.CertRotator{
	CAName: "soma", CAOrganization: "soma", DNSName: "soma-webhook.soma-system.svc",
	ExtKeyUsages: &[]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
}

// A certificate, and the CA itself, that end soon are renewed, and served and trusted by the API server without a restart.
func (f *fixture) renewsCertificates(t *testing.T) {
	first := f.servedAnew(t, nil)

	ca, err := caOf(f.secret(t))
	if err != nil {
		t.Fatal(err)
	}
	f.put(t, ca)
	second := f.servedAnew(t, first)
	if again, err := caOf(f.secret(t)); err != nil || !again.Cert.Equal(ca.Cert) {
		t.Errorf("the CA was renewed with a certificate of its own: %v", err)
	}

	ending, err := maker.CreateCACert(time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	f.put(t, ending)
	f.servedAnew(t, second)
	if again, err := caOf(f.secret(t)); err != nil || again.Cert.Equal(ending.Cert) {
		t.Errorf("the CA that ends soon is still there: %v", err)
	}
}

// servedAnew waits until the webhooks are served with a certificate that is good for long, is not the one before, and is
// signed by the CA that the API server is told to trust. It returns the certificate.
func (f *fixture) servedAnew(t *testing.T, before *x509.Certificate) *x509.Certificate {
	t.Helper()
	var served *x509.Certificate
	f.eventually(t, "a certificate that is good for long", func(ctx context.Context) error {
		trusted, err := f.trusted(ctx)
		if err != nil {
			return err
		}
		if served, err = f.dial(ctx, trusted); err != nil {
			return err
		}
		if before != nil && served.Equal(before) {
			return errors.New("the certificate is the one before")
		}
		if left := time.Until(served.NotAfter); left < longEnough {
			return fmt.Errorf("the certificate is good for %s", left)
		}
		return nil
	})
	return served
}

// dial returns the certificate with which the webhooks are served, where it is signed by the trusted CA.
func (f *fixture) dial(ctx context.Context, trusted []byte) (*x509.Certificate, error) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(trusted)
	dialer := &tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: maker.DNSName, MinVersion: tls.VersionTLS12}}
	address := net.JoinHostPort(f.options.webhookHost, strconv.Itoa(f.options.webhookPort))
	connection, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = connection.Close() }()
	return connection.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}

// trusted is the CA that the API server trusts for admission, and for the history's server too.
func (f *fixture) trusted(ctx context.Context) ([]byte, error) {
	webhooks := &admissionregistrationv1.MutatingWebhookConfiguration{}
	if err := f.server.Client.Get(ctx, client.ObjectKey{Name: "soma-admission"}, webhooks); err != nil {
		return nil, err
	}
	bundle := webhooks.Webhooks[0].ClientConfig.CABundle
	service := &unstructured.Unstructured{}
	service.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiregistration.k8s.io", Version: "v1", Kind: "APIService"})
	if err := f.server.Client.Get(ctx, client.ObjectKey{Name: "v1alpha1.history.soma.dev"}, service); err != nil {
		return nil, err
	}
	encoded, _, err := unstructured.NestedString(service.Object, "spec", "caBundle")
	if err != nil {
		return nil, err
	}
	if decoded, err := base64.StdEncoding.DecodeString(encoded); err != nil || !bytes.Equal(decoded, bundle) {
		return nil, fmt.Errorf("admission and the history's server are not trusted by the same CA: %w", err)
	}
	return bundle, nil
}

func (f *fixture) secret(t *testing.T) *corev1.Secret {
	t.Helper()
	secret := &corev1.Secret{}
	if err := f.server.Client.Get(t.Context(), client.ObjectKey{Namespace: f.options.namespace, Name: servingSecret}, secret); err != nil {
		t.Fatal(err)
	}
	return secret
}

// put makes the secret hold a certificate of the CA that ends in a day.
func (f *fixture) put(t *testing.T, ca *rotator.KeyPairArtifacts) {
	t.Helper()
	certificate, key, err := maker.CreateCertPEM(ca, time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	before := f.secret(t)
	after := before.DeepCopy()
	after.Data["ca.crt"], after.Data["ca.key"] = ca.CertPEM, ca.KeyPEM
	after.Data["tls.crt"], after.Data["tls.key"] = certificate, key
	if err := f.server.Client.Patch(t.Context(), after, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
}

// caOf is the CA in the secret.
func caOf(secret *corev1.Secret) (*rotator.KeyPairArtifacts, error) {
	pair, err := tls.X509KeyPair(secret.Data["ca.crt"], secret.Data["ca.key"])
	if err != nil {
		return nil, err
	}
	key, ok := pair.PrivateKey.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("the key of the CA is not one of RSA")
	}
	return &rotator.KeyPairArtifacts{Cert: pair.Leaf, Key: key, CertPEM: secret.Data["ca.crt"], KeyPEM: secret.Data["ca.key"]}, nil
}
