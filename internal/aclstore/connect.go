package aclstore

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/redis/go-redis/v9"
)

// connectTimeout bounds each step of a conversation with Redis.
const connectTimeout = time.Second

// errAddress has no part of the address in it, which holds a password.
var errAddress = errors.New("the address of Redis is not redis://USER:PASSWORD@HOST:PORT/NUMBER, or rediss:// for TLS")

// Connect makes a client of the Redis at an address. It connects when it is used, and waits for nobody for long. By TLS it trusts who
// is in a file of certificate authorities, or whom the machine trusts where there is no such file.
func Connect(address, caFile string) (*redis.Client, error) {
	options, err := redis.ParseURL(address)
	if err != nil {
		return nil, errAddress
	}
	if options.TLSConfig != nil {
		if options.TLSConfig.RootCAs, err = authorities(caFile); err != nil {
			return nil, err
		}
	}
	options.DialTimeout, options.ReadTimeout, options.WriteTimeout, options.PoolTimeout = connectTimeout, connectTimeout, connectTimeout, connectTimeout
	options.MaxRetries = 1
	// Who asks says for how long they wait.
	options.ContextTimeoutEnabled = true
	return redis.NewClient(options), nil
}

// authorities reads a file of certificate authorities; without it they are those of the machine.
func authorities(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(filepath.Clean(file))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read whom to trust for Redis: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s: there is no certificate authority in it for Redis", file)
	}
	return pool, nil
}
