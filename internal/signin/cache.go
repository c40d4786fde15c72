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

// Cache keeps who is signed in, one file for each gateway, that only its owner can read.
type Cache struct{ folder string }

// Saved is what is kept for a gateway.
type Saved struct {
	Discovery Discovery `json:"discovery"`
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

func (c *Cache) path(gateway string) string {
	sum := sha256.Sum256([]byte(gateway))
	return filepath.Join(c.folder, hex.EncodeToString(sum[:12])+".json")
}

// Load is what is kept for a gateway: ErrNotSignedIn where that is nothing.
func (c *Cache) Load(gateway string) (*Saved, error) {
	path := c.path(gateway)
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
	if err := json.Unmarshal(text, &saved); err != nil || saved.Discovery.Gateway != gateway {
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
	path := c.path(saved.Discovery.Gateway)
	fresh := path + "." + rand.Text()
	if err := os.WriteFile(fresh, text, 0o600); err != nil {
		return fmt.Errorf("keep the sign-in: %w", err)
	}
	if err := os.Rename(fresh, path); err != nil {
		return fmt.Errorf("keep the sign-in: %w", errors.Join(err, os.Remove(fresh)))
	}
	return nil
}

// Take forgets who is signed in at a gateway and is what was kept: ErrNotSignedIn where that is nothing. Who renews the tokens
// right now does so before, or not at all.
func (c *Cache) Take(ctx context.Context, gateway string) (*Saved, error) {
	if _, err := os.Stat(c.path(gateway)); errors.Is(err, os.ErrNotExist) {
		return nil, ErrNotSignedIn
	}
	unlock, err := c.lock(ctx, gateway)
	if err != nil {
		return nil, err
	}
	defer unlock()
	saved, err := c.Load(gateway)
	if err := c.Remove(gateway); err != nil {
		return nil, err
	}
	return saved, err
}

// Remove forgets who is signed in at a gateway.
func (c *Cache) Remove(gateway string) error {
	if err := os.Remove(c.path(gateway)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("forget the sign-in: %w", err)
	}
	return nil
}

// Token is a token for a gateway that counts for a while yet. It is renewed where it does not; of several processes one does
// that, as most identity providers take what renews it once.
func (c *Cache) Token(ctx context.Context, gateway string, now func() time.Time) (*Tokens, error) {
	saved, err := c.Load(gateway)
	if err != nil {
		return nil, err
	}
	if saved.Tokens.Expires.Sub(now()) > renewBefore {
		return &saved.Tokens, nil
	}
	unlock, err := c.lock(ctx, gateway)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if saved, err = c.Load(gateway); err != nil {
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

// lock keeps other processes from renewing the tokens of a gateway until the returned function is called.
func (c *Cache) lock(ctx context.Context, gateway string) (func(), error) {
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	path := c.path(gateway) + ".lock"
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
