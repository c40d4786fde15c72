package signin

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/gateway/provider"
	"github.com/soma-platform/soma/internal/gateway/session"
)

func TestEndSession(t *testing.T) {
	now := time.Unix(1_800_000_000, 500)
	over, lasts := session.NewID(now.Add(-time.Second)), session.NewID(now.Add(time.Hour))
	if got := endSession([]string{over, lasts, "of no known form", "before:1"}, "new", now); !slices.Equal(got, []string{lasts, "before:1", "new"}) {
		t.Errorf("what is over is kept: %v", got)
	}
	if got := endSession([]string{lasts}, lasts, now); !slices.Equal(got, []string{lasts}) {
		t.Errorf("twice the same: %v", got)
	}
	var full []string
	for range maxEnded {
		full = append(full, session.NewID(now.Add(time.Hour)))
	}
	got := endSession(full, "new", now)
	if !slices.Equal(got, []string{"before:1800000000"}) {
		t.Fatalf("a full list becomes %v", got)
	}
	if !ended(got, full[0], now) || !ended(got, "another", now.Add(-time.Hour)) {
		t.Error("what was made up to now still counts")
	}
	if ended(got, "another", now.Add(time.Second)) {
		t.Error("what is made later does not count")
	}
	if !ended([]string{session.ID(now, "a")}, session.ID(now.Add(time.Hour), "a"), now) || ended([]string{lasts}, session.NewID(now.Add(time.Hour)), now) {
		t.Error("a session is told from others by when it ends")
	}
	if got = endSession(got, "next", now.Add(time.Minute)); len(got) != 2 || !ended(got, full[0], now) {
		t.Errorf("the next makes %v", got)
	}
}

func TestUserName(t *testing.T) {
	identity := v1alpha1.Identity{Issuer: "https://id.example", Subject: "1"}
	tests := map[string]struct {
		claims provider.Claims
		want   string
	}{
		"a name":            {provider.Claims{Username: "Alice"}, "alice-"},
		"an address":        {provider.Claims{Email: "alice.b@example.org"}, "alice-b-"},
		"nothing":           {provider.Claims{}, "user-"},
		"nothing of use":    {provider.Claims{Username: "日本"}, "user-"},
		"digits":            {provider.Claims{Username: "007"}, "user-"},
		"dots and dashes":   {provider.Claims{Username: "--a..b__"}, "a-b-"},
		"what breaks lines": {provider.Claims{Username: "a\nb: c"}, "a-b-c-"},
		"long":              {provider.Claims{Username: fmt.Sprintf("%0100d", 1) + "x"}, "x-"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.claims.Identity = identity
			got := userName(test.claims)
			if len(got) != len(test.want)+8 || got[:len(test.want)] != test.want || len(got) > 63 {
				t.Errorf("%q, want %s and 8 characters", got, test.want)
			}
		})
	}
	seen := map[string]bool{}
	for i := range 1000 {
		seen[userName(provider.Claims{Username: "bob", Identity: v1alpha1.Identity{Issuer: "https://id.example", Subject: strconv.Itoa(i)}})] = true
	}
	if len(seen) != 1000 {
		t.Errorf("1000 people have %d names", len(seen))
	}
}
