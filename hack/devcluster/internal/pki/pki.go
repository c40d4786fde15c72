// Package pki keeps the keys and certificates of a cluster: one authority for all, one for the front proxy of
// aggregated APIs, a key pair that signs service account tokens, and a certificate for each part. It is kubeadm's code.
package pki

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	certutil "k8s.io/client-go/util/cert"
	"k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm"
	"k8s.io/kubernetes/cmd/kubeadm/app/util/pkiutil"
)

const (
	algorithm = kubeadm.EncryptionAlgorithmECDSAP256
	// renewBefore is how long before its end a certificate is made anew.
	renewBefore = 30 * 24 * time.Hour
)

// Pair names the files of a certificate and its key.
type Pair struct {
	Cert, Key string
}

// Authority signs certificates into a folder.
type Authority struct {
	Pair
	dir  string
	cert *x509.Certificate
	key  crypto.Signer
}

// Leaf says what a certificate is for.
type Leaf struct {
	// Name names the files; CommonName and Organization are the user and the group for Kubernetes.
	Name, CommonName, Organization string
	// Names and IPs are what a server is reached at.
	Names []string
	IPs   []net.IP
}

// OpenAuthority reads the authority of this name, or makes it if there is none.
func OpenAuthority(dir, name string) (*Authority, error) {
	cert, key, err := loadOrMake(dir, name, func() (*x509.Certificate, crypto.Signer, error) {
		return pkiutil.NewCertificateAuthority(&pkiutil.CertConfig{
			Config:              certutil.Config{CommonName: name},
			EncryptionAlgorithm: algorithm,
		})
	})
	if err != nil {
		return nil, fmt.Errorf("certificate authority %s: %w", name, err)
	}
	return &Authority{Pair: pair(dir, name), dir: dir, cert: cert, key: key}, nil
}

// Issue reads the certificate of this name, or signs it if there is none or it ends soon.
func (a *Authority) Issue(leaf Leaf) (Pair, error) {
	config := &pkiutil.CertConfig{
		Config: certutil.Config{
			CommonName: leaf.CommonName,
			AltNames:   certutil.AltNames{DNSNames: leaf.Names, IPs: leaf.IPs},
			NotBefore:  time.Now().Add(-time.Minute).UTC(),
			Usages:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		},
		EncryptionAlgorithm: algorithm,
	}
	if leaf.Organization != "" {
		config.Organization = []string{leaf.Organization}
	}
	if len(leaf.Names)+len(leaf.IPs) > 0 {
		config.Usages = append(config.Usages, x509.ExtKeyUsageServerAuth)
	}
	_, _, err := loadOrMake(a.dir, leaf.Name, func() (*x509.Certificate, crypto.Signer, error) {
		return pkiutil.NewCertAndKey(a.cert, a.key, config)
	})
	if err != nil {
		return Pair{}, fmt.Errorf("certificate %s: %w", leaf.Name, err)
	}
	return pair(a.dir, leaf.Name), nil
}

// SigningKey reads the key pair of this name, or makes it; Cert names the file of the public key.
func SigningKey(dir, name string) (Pair, error) {
	files := Pair{Cert: filepath.Join(dir, name+".pub"), Key: filepath.Join(dir, name+".key")}
	if _, err := os.Stat(files.Cert); err == nil {
		return files, nil
	}
	key, err := pkiutil.GeneratePrivateKey(algorithm)
	if err != nil {
		return Pair{}, err
	}
	// The private key first: the public one's presence says that both are there.
	if err := pkiutil.WriteKey(dir, name, key); err != nil {
		return Pair{}, err
	}
	if err := pkiutil.WritePublicKey(dir, name, key.Public()); err != nil {
		return Pair{}, err
	}
	return files, nil
}

func loadOrMake(dir, name string, create func() (*x509.Certificate, crypto.Signer, error)) (*x509.Certificate, crypto.Signer, error) {
	if cert, key, err := pkiutil.TryLoadCertAndKeyFromDisk(dir, name); err == nil && time.Until(cert.NotAfter) > renewBefore {
		return cert, key, nil
	}
	cert, key, err := create()
	if err != nil {
		return nil, nil, err
	}
	return cert, key, pkiutil.WriteCertAndKey(dir, name, cert, key)
}

func pair(dir, name string) Pair {
	cert, key := pkiutil.PathsForCertAndKey(dir, name)
	return Pair{Cert: cert, Key: key}
}
