package faults

import (
	"context"
	"errors"
	"sync"

	"github.com/soma-platform/soma/internal/testing/faultproxy"
	"github.com/soma-platform/soma/internal/testing/manager"
)

// inTurn are managers within this process, one after the other: each that ends early is followed by the next, as in a
// Deployment.
type inTurn struct {
	ctx      context.Context
	prepare  []func(proxy *faultproxy.Proxy, kill func())
	over     chan struct{}
	followed chan error

	mutex    sync.Mutex
	managers []*manager.Manager
}

// succession starts managers in turn. What the n-th function plans is for the n-th of them.
func succession(ctx context.Context, prepare ...func(proxy *faultproxy.Proxy, kill func())) func() (cast, error) {
	return func() (cast, error) {
		c := &inTurn{ctx: ctx, prepare: prepare, over: make(chan struct{}), followed: make(chan error, 1)}
		first, err := c.next()
		if err != nil {
			return nil, err
		}
		go func() { c.followed <- c.follow(first) }()
		return c, nil
	}
}

func (c *inTurn) next() (*manager.Manager, error) {
	c.mutex.Lock()
	n := len(c.managers)
	c.mutex.Unlock()
	var prepare func(*faultproxy.Proxy, func())
	if n < len(c.prepare) {
		prepare = c.prepare[n]
	}
	m, err := there.start(c.ctx, 0, prepare)
	if err != nil {
		return nil, err
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.managers = append(c.managers, m)
	return m, nil
}

func (c *inTurn) follow(m *manager.Manager) error {
	for {
		select {
		case <-m.Ended():
		case <-c.over:
			if !m.Proxy.Dead() {
				return nil
			}
			<-m.Ended()
			return nil
		}
		var err error
		if m, err = c.next(); err != nil {
			return err
		}
	}
}

func (c *inTurn) proxies() []*faultproxy.Proxy {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	var all []*faultproxy.Proxy
	for _, m := range c.managers {
		all = append(all, m.Proxy)
	}
	return all
}

func (c *inTurn) end() error {
	for _, proxy := range c.proxies() {
		proxy.Disarm()
	}
	close(c.over)
	err := <-c.followed
	for _, m := range c.managers {
		if m.Proxy.Dead() {
			m.Kill()
		} else {
			err = errors.Join(err, m.Stop())
		}
	}
	return err
}
