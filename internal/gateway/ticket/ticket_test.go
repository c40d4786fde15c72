package ticket

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/soma-platform/soma/internal/gateway/caller"
	"github.com/soma-platform/soma/internal/gateway/session"
)

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

const exec = "/kubernetes/api/v1/namespaces/vision/pods/p/exec?command=sh&stdin=true"

var alice = caller.Caller{User: "alice", UID: "1", Session: "s1"}

func newKeys(t *testing.T) *session.Keys {
	t.Helper()
	keys := &session.Keys{}
	if err := keys.Set([]byte(session.NewKey())); err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestTicket(t *testing.T) {
	keys, other := newKeys(t), newKeys(t)
	tests := map[string]struct {
		after  time.Duration
		by     caller.Caller
		target string
		change func(ticket string) string
		good   bool
	}{
		"as it was made":      {by: alice, target: exec, good: true},
		"just in time":        {after: Lifetime - time.Millisecond, by: alice, target: exec, good: true},
		"too late":            {after: Lifetime, by: alice, target: exec},
		"another session":     {by: caller.Caller{User: "alice", UID: "1", Session: "s2"}, target: exec},
		"another user":        {by: caller.Caller{User: "bob", UID: "2", Session: "s1"}, target: exec},
		"another command":     {by: alice, target: exec + "&command=-c"},
		"another pod":         {by: alice, target: "/kubernetes/api/v1/namespaces/vision/pods/q/exec?command=sh&stdin=true"},
		"changed":             {by: alice, target: exec, change: func(s string) string { return s[:len(s)-4] + "AAAA" }},
		"none":                {by: alice, target: exec, change: func(string) string { return "" }},
		"made by other keys":  {by: alice, target: exec, change: func(string) string { return issue(t, New(other, clocktesting.NewFakePassiveClock(noon))) }},
		"sealed as a session": {by: alice, target: exec, change: func(string) string { return sealed(t, keys) }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			clock := clocktesting.NewFakePassiveClock(noon)
			// Another gateway with the same keys.
			ticket := issue(t, New(keys, clock))
			if test.change != nil {
				ticket = test.change(ticket)
			}
			clock.SetTime(noon.Add(test.after))
			tickets := New(keys, clock)
			if err := tickets.Redeem(ticket, test.by, test.target); (err == nil) != test.good {
				t.Errorf("%v", err)
			}
			if err := tickets.Redeem(ticket, test.by, test.target); err == nil {
				t.Error("it counts twice")
			}
		})
	}
}

func issue(t *testing.T, tickets *Tickets) string {
	t.Helper()
	ticket, _, err := tickets.Issue(alice, exec)
	if err != nil {
		t.Fatal(err)
	}
	return ticket
}

func sealed(t *testing.T, keys *session.Keys) string {
	t.Helper()
	text, err := keys.Seal(session.ForSession, []byte(`{"u":"1","s":"s1"}`))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Of many who show the same ticket at once, one is let in.
func TestOnceAtTheSameTime(t *testing.T) {
	tickets := New(newKeys(t), clocktesting.NewFakePassiveClock(noon))
	ticket := issue(t, tickets)
	var taken atomic.Int32
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if tickets.Redeem(ticket, alice, exec) == nil {
				taken.Add(1)
			}
		})
	}
	all.Wait()
	if taken.Load() != 1 {
		t.Errorf("%d were let in", taken.Load())
	}
}

// What is remembered of used tickets is bounded, and what is over makes room.
func TestUsedTicketsAreBounded(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(noon)
	tickets := New(newKeys(t), clock)
	for i := range maxUsed {
		tickets.used[strconv.Itoa(i)] = noon.Add(time.Second)
	}
	if err := tickets.Redeem(issue(t, tickets), alice, exec); err == nil {
		t.Error("there is room for more than the bound")
	}
	clock.SetTime(noon.Add(time.Second))
	if err := tickets.Redeem(issue(t, tickets), alice, exec); err != nil || len(tickets.used) != 1 {
		t.Errorf("what is over makes no room: %v, %d", err, len(tickets.used))
	}
}
