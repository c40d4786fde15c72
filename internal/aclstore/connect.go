package aclstore

import (
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// connectTimeout bounds each step of a conversation with Redis.
const connectTimeout = time.Second

// errAddress has no part of the address in it, which holds a password.
var errAddress = errors.New("the address of Redis is not redis://USER:PASSWORD@HOST:PORT/NUMBER, or rediss:// for TLS")

// Connect makes a client of the Redis at an address. It connects when it is used, and waits for nobody for long.
func Connect(address string) (*redis.Client, error) {
	options, err := redis.ParseURL(address)
	if err != nil {
		return nil, errAddress
	}
	options.DialTimeout, options.ReadTimeout, options.WriteTimeout, options.PoolTimeout = connectTimeout, connectTimeout, connectTimeout, connectTimeout
	options.MaxRetries = 1
	// Who asks says for how long they wait.
	options.ContextTimeoutEnabled = true
	return redis.NewClient(options), nil
}
