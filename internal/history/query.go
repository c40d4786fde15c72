package history

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/soma-platform/soma/internal/history/db"
)

// Job is what the history knows of one job.
type Job = db.Job

// Transition is one transition of an object.
type Transition = db.TransitionsOfRow

// ErrTooSlow is the error of a search that was given up because it took too long.
var ErrTooSlow = errors.New("the search took too long; narrow it, for instance by time or user")

// Order is the order of a list.
type Order int

// The orders. ByFinishDescending lists finished jobs alone.
const (
	BySubmissionDescending Order = iota
	BySubmission
	ByFinishDescending
)

// Column is a column that can be searched by its value.
type Column string

// The columns that can be searched by value.
const (
	ColumnNamespace Column = "namespace"
	ColumnName      Column = "name"
	ColumnUser      Column = "submitted_by"
	ColumnPhase     Column = "phase"
	ColumnReason    Column = "reason"
)

// Query says which jobs are looked for. What is not given does not matter.
type Query struct {
	Equal    []Match
	Tags     []TagMatch
	Labels   []LabelMatch
	UID      *UIDRange
	Since    time.Time // first instant of submission
	Until    time.Time // first instant of submission that is too late
	Order    Order
	After    *Position // the last job of the page before
	PageSize int       // at least 1
}

// Match asks for a value of a column, or for any but this one.
type Match struct {
	Column Column
	Value  string
	Not    bool
}

// TagMatch asks for jobs that carry a tag, or do not.
type TagMatch struct {
	Tag string
	Not bool
}

// LabelMatch asks for jobs with a label of one of the values, or of any value where none are given; or for those without.
type LabelMatch struct {
	Key    string
	Values []string
	Not    bool
}

// UIDRange asks for UIDs from First to Last.
type UIDRange struct{ First, Last uuid.UUID }

// Position is a place in a list: that of one job.
type Position struct {
	Time time.Time
	UID  uuid.UUID
}

// maxPageBytes is about how much a page may hold: one of many large jobs is shorter than was asked for.
const maxPageBytes = 16 << 20

// List returns one page of jobs, and where it ended if there are more.
func (s *Store) List(ctx context.Context, q Query) ([]Job, *Position, error) {
	leading, err := s.leading(ctx, &q)
	if err != nil {
		return nil, nil, s.observeRead(err)
	}
	text, args := q.sql(leading)
	// The plan is made for the values at hand: they decide which index is the right one.
	rows, err := s.pool.Query(ctx, text, append([]any{pgx.QueryExecModeCacheDescribe}, args...)...)
	if err != nil {
		return nil, nil, s.observeRead(err)
	}
	jobs, more, err := collectPage(rows, q.PageSize)
	if err != nil {
		return nil, nil, s.observeRead(err)
	}
	_ = s.observe(nil)
	if !more {
		return jobs, nil, nil
	}
	last := jobs[len(jobs)-1]
	position := &Position{Time: last.SubmittedAt, UID: last.Uid}
	if q.Order == ByFinishDescending {
		position.Time = *last.FinishedAt
	}
	return jobs, position, nil
}

// collectPage reads at least one row, and at most as many as the page may hold; more tells that there are others.
func collectPage(rows pgx.Rows, size int) (jobs []Job, more bool, err error) {
	defer rows.Close()
	bytes := 0
	for rows.Next() {
		if len(jobs) == size || bytes > maxPageBytes {
			return jobs, true, nil
		}
		for _, value := range rows.RawValues() {
			bytes += len(value)
		}
		job, err := pgx.RowToStructByPos[Job](rows)
		if err != nil {
			return nil, false, err
		}
		jobs = append(jobs, job)
	}
	return jobs, false, rows.Err()
}

// Transitions returns the newest transitions of a job, at most limit, oldest first.
func (s *Store) Transitions(ctx context.Context, job *Job, limit int32) ([]Transition, error) {
	rows, err := s.queries.TransitionsOf(ctx, db.TransitionsOfParams{CreatedAt: job.SubmittedAt, Uid: job.Uid, Count: limit})
	if err := s.observeRead(err); err != nil {
		return nil, err
	}
	for i, j := 0, len(rows)-1; i < j; i, j = i+1, j-1 {
		rows[i], rows[j] = rows[j], rows[i]
	}
	return rows, nil
}

func (s *Store) observeRead(err error) error {
	var answer *pgconn.PgError
	if errors.As(err, &answer) && answer.Code == "57014" { // statement_timeout
		return fmt.Errorf("%w: %w", ErrTooSlow, err)
	}
	return s.observe(err)
}
