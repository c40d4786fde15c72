package limit

import (
	"net/http"
	"strconv"
	"testing"
	"time"
)

func TestLimit(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	l := New(time.Minute, 3)
	for i := range 3 {
		if !l.Allow("a", now) {
			t.Errorf("try %d is refused", i)
		}
	}
	if l.Allow("a", now) {
		t.Error("a fourth try is allowed")
	}
	if !l.Allow("b", now) {
		t.Error("somebody else is refused")
	}
	if now = now.Add(time.Minute); !l.Allow("a", now) || l.Allow("a", now) {
		t.Error("after a minute there is not one try")
	}
}

func TestLimitForgets(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	l := New(time.Hour, 1)
	for i := range 2 * maxKnown {
		l.Allow(strconv.Itoa(i), now)
	}
	if got := l.known.Len(); got != maxKnown {
		t.Errorf("%d are kept in mind, want %d", got, maxKnown)
	}
}

func TestRemote(t *testing.T) {
	tests := map[string]string{
		"192.0.2.7:4711":              "192.0.2.7",
		"[::ffff:192.0.2.7]:4711":     "192.0.2.7",
		"[2001:db8:1:2:3:4:5:6]:4711": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:4711":         "fe80::/64",
		"somewhere":                   "somewhere",
	}
	for address, want := range tests {
		r := &http.Request{RemoteAddr: address, Header: http.Header{"X-Forwarded-For": {"198.51.100.1"}}}
		if got := Remote(r); got != want {
			t.Errorf("Remote(%s) = %s, want %s", address, got, want)
		}
	}
}
