// Package records is an audit log for tests.
package records

import (
	"slices"
	"sync"

	"github.com/soma-platform/soma/internal/gateway/audit"
)

// Log keeps what is told to the audit log. The zero Log is empty.
type Log struct {
	mu  sync.Mutex
	all []audit.Record
}

// Record takes a record in.
func (l *Log) Record(one audit.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, one)
}

// Take is what was told since it was asked before.
func (l *Log) Take() []audit.Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.all
	l.all = nil
	return all
}

// All is what was told and not taken.
func (l *Log) All() []audit.Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

// Find is what was told and not taken, as far as it matches.
func (l *Log) Find(match func(audit.Record) bool) []audit.Record {
	return slices.DeleteFunc(l.All(), func(one audit.Record) bool { return !match(one) })
}
