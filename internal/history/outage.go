package history

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Unavailable is the error of a call that could not be answered because the database is away or not ready.
type Unavailable struct {
	// Since is when the first of an unbroken row of calls failed.
	Since time.Time
	cause error
}

// Error tells a person since when the history is away.
func (e *Unavailable) Error() string {
	return fmt.Sprintf("the history is away since %s: %v", e.Since.UTC().Format(time.RFC3339), e.cause)
}

// Unwrap returns what the database or the network said.
func (e *Unavailable) Unwrap() error { return e.cause }

// outage remembers since when the database is away.
type outage struct {
	mutex sync.Mutex
	since time.Time
	cause error
}

// Outage tells since when the database is away and why. It reports false while the newest call was answered.
func (s *Store) Outage() (since time.Time, cause error, away bool) {
	s.outage.mutex.Lock()
	defer s.outage.mutex.Unlock()
	return s.outage.since, s.outage.cause, s.outage.cause != nil
}

// observe notes what a call's error says of the database and wraps it in Unavailable where the database is away.
func (s *Store) observe(err error) error {
	s.outage.mutex.Lock()
	defer s.outage.mutex.Unlock()
	switch {
	case err == nil || answered(err):
		s.outage.since, s.outage.cause = time.Time{}, nil
		return err
	case errors.Is(err, context.Canceled):
		// The caller gave up: that says nothing of the database.
		return err
	}
	if s.outage.cause == nil {
		s.outage.since = s.clock.Now()
	}
	s.outage.cause = err
	return &Unavailable{Since: s.outage.since, cause: err}
}

// answered reports whether an error is the database's own answer about what it was given, as opposed to a database that is
// away, starting, stopping, full, read-only or without tables.
func answered(err error) bool {
	var answer *pgconn.PgError
	if !errors.As(err, &answer) || len(answer.Code) != 5 {
		return false
	}
	switch answer.Code[:2] {
	case "22", "23": // data exceptions and violated constraints
		return true
	}
	return false
}

// IsBadData reports whether the database refused the data itself: another try with the same data fails again.
func IsBadData(err error) bool { return err != nil && answered(err) }

// IsLost reports whether the database answers but has not the history's tables: it was made anew, and all that still exists
// has to be written into it again.
func IsLost(err error) bool {
	var answer *pgconn.PgError
	if !errors.As(err, &answer) {
		return false
	}
	// An undefined table or function, or a schema that does not exist.
	return answer.Code == "42P01" || answer.Code == "42883" || answer.Code == "3F000"
}
