package aclstore

import (
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/soma-platform/soma/internal/testing/redis"
)

// By TLS only who shows a certificate by a known authority is taken for Redis, and Redis takes nobody without TLS.
func TestRedisByTLS(t *testing.T) {
	folder := t.TempDir()
	write := func(name, kind string, content []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	web := httptest.NewTLSServer(nil)
	defer web.Close()
	key, err := x509.MarshalPKCS8PrivateKey(web.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	ca := write("tls.crt", "CERTIFICATE", web.Certificate().Raw)
	server, err := redis.StartTLS(t.Context(), ca, write("tls.key", "PRIVATE KEY", key))
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close() //nolint:errcheck // it was only read from
	for name, test := range map[string]struct{ address, ca, want string }{
		"the authority":          {address: "rediss://" + server.Address, ca: ca},
		"nobody to trust":        {"rediss://" + server.Address, filepath.Join(folder, "none"), "certificate"},
		"no authority in a file": {"rediss://" + server.Address, filepath.Join(folder, "tls.key"), "no certificate authority"},
		"another name":           {"rediss://" + strings.Replace(server.Address, "127.0.0.1", "localhost", 1), ca, "certificate"},
		"plain":                  {"redis://" + server.Address, ca, "EOF"},
	} {
		client, err := Connect(test.address, test.ca)
		if err == nil {
			err = client.Ping(t.Context()).Err()
			_ = client.Close()
		}
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}
