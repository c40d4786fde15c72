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
	// again is how soon it is tried again to write what Redis did not take, and writeTime how long Redis may take for a batch.
	again     = time.Second
	writeTime = 2 * time.Second
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

// replace writes an entry over one that does not count, unless another is there by now.
var replace = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[3] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`)

// Rights tell what a user may do now, and of which revision that is: a number that only grows in this process, and is 0 while
// nothing is known.
type Rights func(user string) (tree *access.Tree, revision uint32)

// Term is the term in which this process writes, and whether it may. Who writes later has a later one.
type Term func() (term uint32, writes bool)

// Writer writes what users may do to Redis. All fields are required. One writes at a time: of two that take themselves for
// the one, entries of the later term stay.
type Writer struct {
	Redis   redis.UniversalClient
	Keys    func() Keys
	Rights  Rights
	Term    Term
	Clock   clock.WithTicker
	Metrics *Metrics

	mu     sync.Mutex
	wanted map[string]time.Time // until when a user counts as asked about
	// changed wakes the writer for the users whose rights changed.
	changed map[string]struct{}
	wake    chan struct{}
	away    bool
}

// lifetime is after how many milliseconds Redis itself lets go of an entry.
var lifetime = (Validity + skew).Milliseconds()

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

// Run writes until the context ends. That Redis does not take it is told once to a function; it is tried again all the time.
func (w *Writer) Run(ctx context.Context, failed func(error)) error {
	w.mu.Lock()
	w.prepare()
	w.mu.Unlock()
	asked := make(chan []string)
	go w.listen(ctx, asked, failed)
	ticker := w.Clock.NewTicker(refresh)
	defer ticker.Stop()
	defer w.Metrics.up.Set(0)
	var retry <-chan time.Time
	for {
		var users []string
		select {
		case <-ctx.Done():
			return nil
		case names := <-asked:
			users = w.want(names)
		case <-w.wake:
			users = w.takeChanged()
		case <-retry:
			retry, users = nil, w.takeChanged()
		case <-ticker.C():
			users = w.due()
		}
		if len(users) == 0 {
			continue
		}
		err := w.write(ctx, users)
		w.report(ctx, err, failed)
		if err != nil && retry == nil {
			retry = w.Clock.After(again)
		}
	}
}

// report tells that Redis is away, once, and takes note that it is back.
func (w *Writer) report(ctx context.Context, err error, failed func(error)) {
	if ctx.Err() != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil && !w.away {
		failed(err)
	}
	w.away = err != nil
	if w.away {
		w.Metrics.up.Set(0)
	} else {
		w.Metrics.up.Set(1)
	}
}

// listen reads who is asked about. What was asked before it began is no loss: it is asked again.
func (w *Writer) listen(ctx context.Context, asked chan<- []string, failed func(error)) {
	last := "$"
	for ctx.Err() == nil {
		streams, err := w.Redis.XRead(ctx, &redis.XReadArgs{Streams: []string{wantedKey, last}, Count: batch, Block: refresh}).Result()
		if err != nil {
			if errors.Is(err, redis.Nil) {
				w.report(ctx, nil, failed)
				continue
			}
			w.report(ctx, fmt.Errorf("read from Redis who is asked about: %w", err), failed)
			// Emptied or away: from what comes next on.
			last = "$"
			w.pause(ctx)
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
	case <-w.Clock.After(again):
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
	w.Metrics.entries.Set(float64(len(w.wanted)))
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
	w.Metrics.entries.Set(float64(len(w.wanted)))
	return slices.Sorted(maps.Keys(w.wanted))
}

// write writes the entries of users. Those that Redis does not take count as changed.
func (w *Writer) write(ctx context.Context, users []string) error {
	for len(users) > 0 {
		part := users[:min(len(users), batch)]
		if err := w.writePart(ctx, part); err != nil {
			w.Metrics.writes.WithLabelValues(wasFailed).Add(float64(len(part)))
			w.mu.Lock()
			defer w.mu.Unlock()
			for _, user := range users {
				w.changed[user] = struct{}{}
			}
			return fmt.Errorf("write what %d users may do to Redis: %w", len(users), err)
		}
		users = users[len(part):]
	}
	return nil
}

func (w *Writer) writePart(ctx context.Context, users []string) error {
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	pipe := w.Redis.Pipeline()
	results := map[string]*redis.Cmd{}
	for _, user := range users {
		if entry := w.entry(user); entry != nil {
			results[user] = forward.Eval(ctx, pipe, []string{keyPrefix + user}, entry, lifetime)
		}
	}
	if len(results) == 0 {
		return nil
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return err
	}
	for user, result := range results {
		wrote, err := result.Int()
		if err == nil && wrote == 0 {
			wrote, err = w.replaceInvalid(ctx, user)
		}
		if err != nil {
			return err
		}
		w.Metrics.writes.WithLabelValues([]string{wasLater, wasWritten}[wrote]).Inc()
	}
	return nil
}

// entry is the entry of a user as of now; nil where this process has none to write. The term is read first: what is signed
// after it is over has an earlier one than what others write.
func (w *Writer) entry(user string) []byte {
	term, writes := w.Term()
	tree, revision := w.Rights(user)
	if !writes || revision == 0 {
		return nil
	}
	return w.Keys().seal(user, uint64(term)<<32|uint64(revision), access.Encode(tree), w.Clock.Now())
}

// replaceInvalid writes over what stands in the way of a user's entry and does not count: a generation counts only with the
// right code, and for as long as the entry does.
func (w *Writer) replaceInvalid(ctx context.Context, user string) (wrote int, err error) {
	there, err := w.Redis.Get(ctx, keyPrefix+user).Bytes()
	if err != nil && !errors.Is(err, redis.Nil) {
		return 0, err
	}
	entry := w.entry(user)
	if _, _, invalid := w.Keys().open(user, there, w.Clock.Now()); invalid == nil || entry == nil {
		return 0, nil
	}
	return replace.Eval(ctx, w.Redis, []string{keyPrefix + user}, entry, lifetime, there).Int()
}
