package signin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

const (
	// renewBefore is how long before its end a token is replaced.
	renewBefore = time.Minute
	maxSaved    = 1 << 20
	// lockTimeout is how long one process waits for another that renews the same tokens, and lockStale from when on a lock is
	// that of a process that is gone.
	lockTimeout, lockStale = 30 * time.Second, time.Minute
	lockInterval           = 50 * time.Millisecond
)

// Cache keeps who is signed in, in files that only their owner can read.
type Cache struct{ folder string }

// At is where somebody is signed in: at a gateway, and by which of the sign-ins there. Each context of a kubeconfig has one of its
// own, so that one person can be several users, each in their place. The session is empty for those of earlier versions, which had
// one for each gateway.
type At struct{ Gateway, Session string }

// NewSession is the name of a sign-in that there was not before.
func NewSession() string { return rand.Text() }

// Saved is what is kept of a sign-in.
type Saved struct {
	Discovery Discovery `json:"discovery"`
	Session   string    `json:"session,omitempty"`
	// Issuer is the name of the identity provider.
	Issuer string `json:"issuer"`
	Tokens Tokens `json:"tokens"`
}

// ErrNotSignedIn says that nobody is signed in at a gateway.
var ErrNotSignedIn = errors.New("you are not signed in: soma login")

// OpenCache is the cache in a folder; in the user's own folder for settings where that is empty.
func OpenCache(folder string) (*Cache, error) {
	if folder == "" {
		own, err := os.UserConfigDir()
		if err != nil {
			return nil, fmt.Errorf("find a folder for the sign-in: %w", err)
		}
		folder = filepath.Join(own, "soma", "sessions")
	}
	return &Cache{folder: folder}, nil
}

func (s *Saved) at() At { return At{s.Discovery.Gateway, s.Session} }

func (c *Cache) path(at At) string {
	text := at.Gateway
	if at.Session != "" {
		text += "\n" + at.Session
	}
	sum := sha256.Sum256([]byte(text))
	return filepath.Join(c.folder, hex.EncodeToString(sum[:12])+".json")
}

// Load is what is kept of a sign-in: ErrNotSignedIn where that is nothing.
func (c *Cache) Load(at At) (*Saved, error) {
	path := c.path(at)
	file, err := os.Open(path) //nolint:gosec // its name is a hash, in the folder of the user
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, ErrNotSignedIn
	case err != nil:
		return nil, fmt.Errorf("read the sign-in: %w", err)
	}
	defer file.Close() //nolint:errcheck // it was only read from
	text, err := io.ReadAll(io.LimitReader(file, maxSaved))
	if err != nil {
		return nil, fmt.Errorf("read the sign-in: %w", err)
	}
	var saved Saved
	if err := json.Unmarshal(text, &saved); err != nil || saved.at() != at {
		return nil, fmt.Errorf("%s is damaged: %w", path, ErrNotSignedIn)
	}
	return &saved, nil
}

// Save keeps who signed in, whole or not at all.
func (c *Cache) Save(saved *Saved) error {
	text, err := json.Marshal(saved)
	if err != nil {
		return fmt.Errorf("keep the sign-in: %w", err)
	}
	if err := os.MkdirAll(c.folder, 0o700); err != nil {
		return fmt.Errorf("keep the sign-in: %w", err)
	}
	path := c.path(saved.at())
	fresh := path + "." + rand.Text()
	if err := os.WriteFile(fresh, text, 0o600); err != nil {
		return fmt.Errorf("keep the sign-in: %w", err)
	}
	if err := os.Rename(fresh, path); err != nil {
		return fmt.Errorf("keep the sign-in: %w", errors.Join(err, os.Remove(fresh)))
	}
	return nil
}

// Take forgets a sign-in and is what was kept: ErrNotSignedIn where that is nothing. Who renews the tokens
// right now does so before, or not at all.
func (c *Cache) Take(ctx context.Context, at At) (*Saved, error) {
	if _, err := os.Stat(c.path(at)); errors.Is(err, os.ErrNotExist) {
		return nil, ErrNotSignedIn
	}
	unlock, err := c.lock(ctx, at)
	if err != nil {
		return nil, err
	}
	defer unlock()
	saved, err := c.Load(at)
	if err := c.Remove(at); err != nil {
		return nil, err
	}
	return saved, err
}

// Remove forgets a sign-in.
func (c *Cache) Remove(at At) error {
	if err := os.Remove(c.path(at)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("forget the sign-in: %w", err)
	}
	return nil
}

// Token is a token for a gateway that counts for a while yet. It is renewed where it does not; of several processes one does
// that, as most identity providers take what renews it once.
func (c *Cache) Token(ctx context.Context, at At, now func() time.Time) (*Tokens, error) {
	saved, err := c.Load(at)
	if err != nil {
		return nil, err
	}
	if saved.Tokens.Expires.Sub(now()) > renewBefore {
		return &saved.Tokens, nil
	}
	unlock, err := c.lock(ctx, at)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if saved, err = c.Load(at); err != nil {
		return nil, err
	}
	if saved.Tokens.Expires.Sub(now()) > renewBefore {
		return &saved.Tokens, nil
	}
	issuer, err := saved.Discovery.Choose(saved.Issuer)
	if err != nil {
		return nil, err
	}
	next, err := Refresh(ctx, issuer, &saved.Tokens)
	if err != nil {
		// A token that still counts is better than none where the identity provider does not answer.
		if !errors.Is(err, ErrSignInAgain) && now().Before(saved.Tokens.Expires) {
			return &saved.Tokens, nil
		}
		return nil, err
	}
	saved.Tokens = *next
	return next, c.Save(saved)
}

// lock keeps other processes from renewing the tokens of a sign-in until the returned function is called.
func (c *Cache) lock(ctx context.Context, at At) (func(), error) {
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	path := c.path(at) + ".lock"
	ticker := time.NewTicker(lockInterval)
	defer ticker.Stop()
	for {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // as above
		if err == nil {
			_ = file.Close()
			return func() { _ = os.Remove(path) }, nil
		}
		if !errors.Is(err, os.ErrExist) {
			return nil, fmt.Errorf("lock the sign-in: %w", err)
		}
		if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) > lockStale {
			_ = os.Remove(path)
			continue
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("another process renews the sign-in and does not end; if there is none, remove %s", path)
		case <-ticker.C:
		}
	}
}
