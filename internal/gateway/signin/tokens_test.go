package signin

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/soma-platform/soma/api/v1alpha1"
	"github.com/soma-platform/soma/internal/gateway/provider"
)

// TestSignInsOfTokens: each sign-in is new once, however many tokens come of it.
func TestSignInsOfTokens(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	known := newKnown()
	for _, step := range []struct {
		what, uid, issuer   string
		signedIn, made, now time.Duration
		fresh               bool
	}{
		{"the first token", "1", "https://a", 0, 0, 0, true},
		{"the same again", "1", "https://a", 0, 0, time.Second, false},
		{"a later one of the same sign-in", "1", "https://a", 0, time.Hour, time.Hour, false},
		{"one of another sign-in", "1", "https://a", 2 * time.Hour, 2 * time.Hour, 2 * time.Hour, true},
		{"of another provider", "1", "https://b", 2 * time.Hour, 2 * time.Hour, 2 * time.Hour, true},
		{"of somebody else", "2", "https://a", 2 * time.Hour, 2 * time.Hour, 2 * time.Hour, true},
		{"the first sign-in a month later", "1", "https://a", 0, 720 * time.Hour, 720 * time.Hour, false},
	} {
		claims := &provider.Claims{
			Identity: v1alpha1.Identity{Issuer: step.issuer, Subject: "x"}, SignedIn: noon.Add(step.signedIn), IssuedAt: noon.Add(step.made),
		}
		if got := known.Allow(signInOf(step.uid, claims), noon.Add(step.now)); got != step.fresh {
			t.Errorf("%s is new: %t", step.what, got)
		}
	}
}

func TestStale(t *testing.T) {
	noon := metav1.NewTime(time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC))
	for after, want := range map[time.Duration]bool{-time.Hour: false, 0: false, askAfter - time.Second: false, askAfter: true, 24 * time.Hour: true} {
		if got := stale(&v1alpha1.UserStatus{LastSignIn: &noon}, &provider.Claims{SignedIn: noon.Add(after)}); got != want {
			t.Errorf("%s later it is noted: %t", after, got)
		}
	}
	if !stale(&v1alpha1.UserStatus{}, &provider.Claims{SignedIn: noon.Time}) {
		t.Error("the first sign-in is not noted")
	}
}
