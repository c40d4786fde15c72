package aclstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"k8s.io/utils/clock"

	"github.com/soma-platform/soma/internal/access"
)

const (
	// redisTimeout bounds how long Redis is waited for before the authority itself is asked.
	redisTimeout = 100 * time.Millisecond
	// remember is how long an answer is kept in the process; what is taken from somebody may be allowed so much longer.
	remember = time.Second
	// maxRemembered bounds how many users' trees are kept in the process.
	maxRemembered = 4096
	// maxWanted bounds the stream of who was asked about.
	maxWanted = 65536
)

// Source is where rights are decided: it is asked for the tree of a user where Redis has none that counts.
type Source interface {
	Tree(ctx context.Context, user string) (*access.Tree, error)
}

// Reader answers from Redis what users may do. All fields are required but Observe. It is safe for concurrent use.
type Reader struct {
	Redis  redis.Cmdable
	Keys   Keys
	Source Source
	Clock  clock.PassiveClock
	// Observe is told how each question was answered: nil from Redis, or why the source had to be asked.
	Observe func(why error)

	mu    sync.Mutex
	trees map[string]remembered
}

type remembered struct {
	tree  *access.Tree
	until time.Time
}

// Allows reports whether a user may do something. Where neither Redis nor the source can say, that is an error, and whoever
// asks must not let them.
func (r *Reader) Allows(ctx context.Context, user string, target access.Target, level access.Level) (bool, error) {
	tree, err := r.Tree(ctx, user)
	if err != nil {
		return false, err
	}
	return tree.Allows(target, level), nil
}

// Tree is what a user may do, as it was a moment ago.
func (r *Reader) Tree(ctx context.Context, user string) (*access.Tree, error) {
	now := r.Clock.Now()
	r.mu.Lock()
	kept, found := r.trees[user]
	r.mu.Unlock()
	if found && now.Before(kept.until) {
		return kept.tree, nil
	}
	tree, why := r.read(ctx, user, now)
	if r.Observe != nil {
		r.Observe(why)
	}
	if why != nil {
		r.want(ctx, user)
		var err error
		if tree, err = r.Source.Tree(ctx, user); err != nil {
			return nil, fmt.Errorf("what %s may do is not known: %w", user, err)
		}
	}
	r.keep(user, tree, now)
	return tree, nil
}

// read finds the tree in Redis, or why there is none that counts.
func (r *Reader) read(ctx context.Context, user string, now time.Time) (*access.Tree, error) {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	entry, err := r.Redis.Get(ctx, keyPrefix+user).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, ErrMissing
	}
	if err != nil {
		return nil, fmt.Errorf("read Redis: %w", err)
	}
	tree, _, err := r.Keys.open(user, entry, now)
	return tree, err
}

// want lets the writer know that the user is asked about. That it cannot makes nothing wrong, only slower.
func (r *Reader) want(ctx context.Context, user string) {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	_ = r.Redis.XAdd(ctx, &redis.XAddArgs{Stream: wantedKey, MaxLen: maxWanted, Approx: true, Values: []string{"user", user}}).Err()
}

func (r *Reader) keep(user string, tree *access.Tree, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.trees == nil || len(r.trees) >= maxRemembered {
		// Whoever is asked about again is soon there again.
		r.trees = map[string]remembered{}
	}
	r.trees[user] = remembered{tree: tree, until: now.Add(remember)}
}
