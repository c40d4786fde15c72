package pki

import (
	"crypto/x509"
	"net"
	"os"
	"testing"

	"k8s.io/kubernetes/cmd/kubeadm/app/util/pkiutil"
)

func TestIssue(t *testing.T) {
	dir := t.TempDir()
	ca, err := OpenAuthority(dir, "ca")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		leaf       Leaf
		wantUsages int
	}{
		"a client": {Leaf{Name: "client", CommonName: "someone", Organization: "system:nodes"}, 1},
		"a server": {Leaf{Name: "server", CommonName: "server", Names: []string{"localhost"}, IPs: []net.IP{net.IPv4(127, 0, 0, 1)}}, 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			files, err := ca.Issue(test.leaf)
			if err != nil {
				t.Fatal(err)
			}
			first, err := os.ReadFile(files.Cert)
			if err != nil {
				t.Fatal(err)
			}
			cert, _, err := pkiutil.TryLoadCertAndKeyFromDisk(dir, test.leaf.Name)
			if err != nil {
				t.Fatal(err)
			}
			if cert.Subject.CommonName != test.leaf.CommonName || len(cert.ExtKeyUsage) != test.wantUsages {
				t.Errorf("subject %v, usages %v", cert.Subject, cert.ExtKeyUsage)
			}
			roots := x509.NewCertPool()
			roots.AddCert(ca.cert)
			if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
				t.Error(err)
			}

			// Opened again, the authority is the same and the certificate stays as it is.
			again, err := OpenAuthority(dir, "ca")
			if err != nil {
				t.Fatal(err)
			}
			if files, err = again.Issue(test.leaf); err != nil {
				t.Fatal(err)
			}
			second, err := os.ReadFile(files.Cert)
			if err != nil || string(first) != string(second) {
				t.Errorf("the certificate was made anew although it is good (%v)", err)
			}
		})
	}
}

func TestSigningKey(t *testing.T) {
	dir := t.TempDir()
	files, err := SigningKey(dir, "sa")
	if err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(files.Key)
	if err != nil {
		t.Fatal(err)
	}
	if files, err = SigningKey(dir, "sa"); err != nil {
		t.Fatal(err)
	}
	if second, err := os.ReadFile(files.Key); err != nil || string(first) != string(second) {
		t.Errorf("the key was made anew (%v): every token would end", err)
	}
	if info, err := os.Stat(files.Key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the key = %v, %v; want 0600", info.Mode(), err)
	}
}
