package aclstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"k8s.io/utils/clock"

	"github.com/soma-platform/soma/internal/access"
)

const (
	// refresh is how often the entries of those who are asked about are signed anew: twice before they stop counting.
	refresh = Validity / 3
	// interest is for how long somebody counts as asked about.
	interest = 10 * time.Minute
	// maxInterest bounds how many users have entries.
	maxInterest = 65536
	// batch is how many entries go to Redis at once.
	batch = 512
)

// forward writes an entry unless one of a later generation is there: whoever was paused with an old one writes nothing.
// Whatever else is there is written over.
var forward = redis.NewScript(`
local now = redis.pcall('GET', KEYS[1])
if type(now) == 'string' and #now >= 49 and string.sub(now, 42, 49) > string.sub(ARGV[1], 42, 49) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`)

// Trees tell what users may do now, and of which generation that is: a number that only grows.
type Trees func(user string) (tree *access.Tree, generation uint64)

// Writer writes what users may do to Redis. All fields are required. One writes at a time.
type Writer struct {
	Redis redis.UniversalClient
	Keys  Keys
	Trees Trees
	Clock clock.WithTicker

	mu     sync.Mutex
	wanted map[string]time.Time // until when a user counts as asked about
	// changed wakes the writer for the users whose rights changed.
	changed map[string]struct{}
	wake    chan struct{}
}

// Changed has the entries of users written anew at once, if they have one. It does not block.
func (w *Writer) Changed(users []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.prepare()
	for _, user := range users {
		if _, asked := w.wanted[user]; asked {
			w.changed[user] = struct{}{}
		}
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// prepare makes what a Writer needs. The caller holds the lock.
func (w *Writer) prepare() {
	if w.wanted == nil {
		w.wanted, w.changed, w.wake = map[string]time.Time{}, map[string]struct{}{}, make(chan struct{}, 1)
	}
}

// Run writes until the context ends. What Redis does not take is told to a function, and tried again.
func (w *Writer) Run(ctx context.Context, failed func(error)) error {
	if err := w.Keys.Check(); err != nil {
		return err
	}
	w.mu.Lock()
	w.prepare()
	w.mu.Unlock()
	asked := make(chan []string)
	go w.listen(ctx, asked, failed)
	ticker := w.Clock.NewTicker(refresh)
	defer ticker.Stop()
	for {
		var users []string
		select {
		case <-ctx.Done():
			return nil
		case names := <-asked:
			users = w.want(names)
		case <-w.wake:
			users = w.takeChanged()
		case <-ticker.C():
			users = w.due()
		}
		if err := w.write(ctx, users); err != nil && ctx.Err() == nil {
			failed(err)
		}
	}
}

// listen reads who is asked about. What was asked before it began is no loss: it is asked again.
func (w *Writer) listen(ctx context.Context, asked chan<- []string, failed func(error)) {
	last := "$"
	for ctx.Err() == nil {
		streams, err := w.Redis.XRead(ctx, &redis.XReadArgs{Streams: []string{wantedKey, last}, Count: batch, Block: refresh}).Result()
		if err != nil {
			if ctx.Err() == nil && !errors.Is(err, redis.Nil) {
				failed(fmt.Errorf("read from Redis who is asked about: %w", err))
				// Emptied or away: from what comes next on.
				last = "$"
				w.pause(ctx)
			}
			continue
		}
		var names []string
		for _, stream := range streams {
			for _, message := range stream.Messages {
				last = message.ID
				if name, ok := message.Values["user"].(string); ok && len(name) <= 63 {
					names = append(names, name)
				}
			}
		}
		select {
		case asked <- names:
		case <-ctx.Done():
		}
	}
}

func (w *Writer) pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-w.Clock.After(time.Second):
	}
}

// want takes note of who is asked about, as far as there is room, and returns whose entries are to be written.
func (w *Writer) want(names []string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	until := w.Clock.Now().Add(interest)
	var users []string
	for _, name := range names {
		if _, known := w.wanted[name]; known || len(w.wanted) < maxInterest {
			w.wanted[name] = until
			users = append(users, name)
		}
	}
	slices.Sort(users)
	return slices.Compact(users)
}

func (w *Writer) takeChanged() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	users := slices.Sorted(maps.Keys(w.changed))
	clear(w.changed)
	return users
}

// due are the users whose entries are to be signed anew; whom nobody asked about for long is forgotten. Readers that have
// the entry do not say that they use it, so that it ends now and then, and is asked for.
func (w *Writer) due() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.Clock.Now()
	maps.DeleteFunc(w.wanted, func(_ string, until time.Time) bool { return now.After(until) })
	return slices.Sorted(maps.Keys(w.wanted))
}

func (w *Writer) write(ctx context.Context, users []string) error {
	for part := range slices.Chunk(users, batch) {
		pipe := w.Redis.Pipeline()
		results := make([]*redis.Cmd, len(part))
		for i, user := range part {
			results[i] = forward.Eval(ctx, pipe, []string{keyPrefix + user}, w.entry(user), (Validity + skew).Milliseconds())
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return fmt.Errorf("write what %d users may do to Redis: %w", len(part), err)
		}
		for i, result := range results {
			if wrote, err := result.Int(); err == nil && wrote == 0 {
				if err := w.replaceForged(ctx, part[i]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// entry is the entry of a user as of now.
func (w *Writer) entry(user string) []byte {
	tree, generation := w.Trees(user)
	return w.Keys.seal(user, generation, access.Encode(tree), w.Clock.Now())
}

// replaceForged writes over what stands in the way of a user's entry and is none: a generation counts only with the right code.
func (w *Writer) replaceForged(ctx context.Context, user string) error {
	entry, err := w.Redis.Get(ctx, keyPrefix+user).Bytes()
	if err != nil {
		return fmt.Errorf("read the entry of %s from Redis: %w", user, err)
	}
	if _, _, err := w.Keys.open(user, entry, w.Clock.Now()); !errors.Is(err, ErrForged) {
		return nil
	}
	if err := w.Redis.Set(ctx, keyPrefix+user, w.entry(user), Validity+skew).Err(); err != nil {
		return fmt.Errorf("write over a forged entry of %s in Redis: %w", user, err)
	}
	return nil
}
