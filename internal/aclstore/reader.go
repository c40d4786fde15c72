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
	// maxRemembered bounds how many users' trees, and how many answers of the source, are kept in the process.
	maxRemembered = 4096
	// maxWanted bounds the stream of who was asked about.
	maxWanted = 65536
)

// Source is where rights are decided: it is asked where Redis has no entry that counts.
type Source interface {
	Allows(ctx context.Context, user string, target access.Target, level access.Level) (bool, error)
}

// Reader answers from Redis what users may do. All fields are required but Observe. It is safe for concurrent use.
type Reader struct {
	Redis  redis.Cmdable
	Keys   func() Keys
	Source Source
	Clock  clock.PassiveClock
	// Observe is told how each question was answered that had not just been asked: nil from Redis, or why the source had to be.
	Observe func(why error)

	mu      sync.Mutex
	trees   map[string]remembered[*access.Tree]
	answers map[question]remembered[bool]
}

// question is one that the source answered.
type question struct {
	user, target string
	level        access.Level
}

type remembered[T any] struct {
	what  T
	until time.Time
}

// Allows reports whether a user may do something, as it was a moment ago. Where neither Redis nor the source can say, that is an
// error, and whoever asks must not let them.
func (r *Reader) Allows(ctx context.Context, user string, target access.Target, level access.Level) (bool, error) {
	now := r.Clock.Now()
	asked := question{user, target.String(), level}
	if tree, found := recall(&r.mu, r.trees, user, now); found {
		return tree.Allows(target, level), nil
	}
	if allowed, found := recall(&r.mu, r.answers, asked, now); found {
		return allowed, nil
	}
	tree, why := r.read(ctx, user, now)
	if r.Observe != nil {
		r.Observe(why)
	}
	if why == nil {
		keep(&r.mu, &r.trees, user, tree, now)
		return tree.Allows(target, level), nil
	}
	if errors.Is(why, ErrMissing) || errors.Is(why, ErrForged) || errors.Is(why, ErrOld) {
		r.want(ctx, user)
	}
	allowed, err := r.Source.Allows(ctx, user, target, level)
	if err != nil {
		return false, fmt.Errorf("what %s may do is not known: %w", user, err)
	}
	keep(&r.mu, &r.answers, asked, allowed, now)
	return allowed, nil
}

// read finds the tree in Redis, or why there is none that counts.
func (r *Reader) read(ctx context.Context, user string, now time.Time) (*access.Tree, error) {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	entry, err := r.Redis.Get(ctx, keyPrefix+user).Bytes()
	var refused redis.Error
	switch {
	case errors.Is(err, redis.Nil):
		return nil, ErrMissing
	case errors.As(err, &refused):
		// What is there is not even of the sort that entries are.
		return nil, fmt.Errorf("%w: %w", ErrForged, err)
	case err != nil:
		return nil, fmt.Errorf("read Redis: %w", err)
	}
	tree, _, err := r.Keys().open(user, entry, now)
	return tree, err
}

// want lets the writer know that the user is asked about. That it cannot makes nothing wrong, only slower.
func (r *Reader) want(ctx context.Context, user string) {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	_ = r.Redis.XAdd(ctx, &redis.XAddArgs{Stream: wantedKey, MaxLen: maxWanted, Approx: true, Values: []string{"user", user}}).Err()
}

func recall[K comparable, T any](mu *sync.Mutex, known map[K]remembered[T], key K, now time.Time) (what T, found bool) {
	mu.Lock()
	defer mu.Unlock()
	kept, found := known[key]
	return kept.what, found && now.Before(kept.until)
}

func keep[K comparable, T any](mu *sync.Mutex, known *map[K]remembered[T], key K, what T, now time.Time) {
	mu.Lock()
	defer mu.Unlock()
	if *known == nil || len(*known) >= maxRemembered {
		// Whoever is asked about again is soon there again.
		*known = map[K]remembered[T]{}
	}
	(*known)[key] = remembered[T]{what: what, until: now.Add(remember)}
}
