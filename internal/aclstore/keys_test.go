package aclstore

import (
	"bytes"
	"context"
	"encoding/base64"
	"os"
	"path/filepath"
	"testing"

	clocktesting "k8s.io/utils/clock/testing"
)

func TestKeyring(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	line := func(first byte) string { return base64.StdEncoding.EncodeToString(testKeys(first)[0]) + "\n" }
	if _, err := OpenKeyring(path); err == nil {
		t.Error("a file that is not there is read")
	}
	put(line('a'))
	ring, err := OpenKeyring(path)
	if err != nil {
		t.Fatal(err)
	}
	fake := clocktesting.NewFakeClock(noon)
	ctx, stop := context.WithCancel(t.Context())
	failures := make(chan error, 1)
	done := make(chan struct{})
	go func() {
		ring.Follow(ctx, fake, func(err error) { failures <- err })
		close(done)
	}()
	eventually(t, "the file is followed", fake.HasWaiters)
	put("nonsense")
	fake.Step(keysInterval)
	if err := <-failures; err == nil || !bytes.Equal(ring.Keys()[0], testKeys('a')[0]) {
		t.Errorf("what is wrong replaced the keys: %v", err)
	}
	put(line('b') + line('a'))
	fake.Step(keysInterval)
	eventually(t, "the new key signs, and the one before is taken", func() bool {
		keys := ring.Keys()
		return len(keys) == 2 && bytes.Equal(keys[0], testKeys('b')[0]) && bytes.Equal(keys[1], testKeys('a')[0])
	})
	stop()
	<-done
}
