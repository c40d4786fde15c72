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

// PhaseDeleted is the phase of an object's last transition: its deletion.
const PhaseDeleted = "Deleted"

// Entry is what the history takes of one object at once: its state and the transitions in its journal.
type Entry struct {
	job         *db.UpsertJobParams
	object      *db.UpsertObjectParams
	transitions []db.InsertTransitionParams
}

// Identity names one object for good.
type Identity struct {
	Kind      string
	Namespace string
	Name      string
	UID       uuid.UUID
	CreatedAt time.Time
}

// Deletion is the end of an object.
type Deletion struct {
	Identity
	Time    time.Time
	Reason  string
	Message string
}

// Record writes entries in one transaction and returns how many transitions the history did not have yet. Entries that it
// has already, and states older than the one it has, change nothing.
func (s *Store) Record(ctx context.Context, entries []Entry) (written int, err error) {
	err = s.inTransaction(ctx, func(q *db.Queries) error {
		written, err = writeEntries(ctx, q, entries)
		return err
	}, monthsIn(entries)...)
	return written, err
}

// Delete writes the last transition of objects in one transaction and returns how many were not known to be deleted. An
// object that the history never saw leaves no trace in it.
func (s *Store) Delete(ctx context.Context, deletions []Deletion) (written int, err error) {
	months := make([]time.Time, 0, len(deletions))
	for i := range deletions {
		months = append(months, deletions[i].CreatedAt)
	}
	err = s.inTransaction(ctx, func(q *db.Queries) error {
		written, err = writeDeletions(ctx, q, deletions)
		return err
	}, months...)
	return written, err
}

func (s *Store) inTransaction(ctx context.Context, write func(*db.Queries) error, months ...time.Time) error {
	if err := s.ensureMonths(ctx, append(months, s.upcoming()...)...); err != nil {
		return s.observe(err)
	}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return write(s.queries.WithTx(tx)) })
	if missesPartition(err) {
		// Somebody removed a partition that this process knew: it is made again with the next try.
		s.months.Clear()
	}
	return s.observe(err)
}

func writeEntries(ctx context.Context, q *db.Queries, entries []Entry) (int, error) {
	var transitions []db.InsertTransitionParams
	var jobs []db.UpsertJobParams
	var objects []db.UpsertObjectParams
	for _, entry := range entries {
		transitions = append(transitions, entry.transitions...)
		if entry.job != nil {
			jobs = append(jobs, *entry.job)
		}
		if entry.object != nil {
			objects = append(objects, *entry.object)
		}
	}
	written, err := insertTransitions(ctx, q, transitions)
	if err != nil {
		return 0, err
	}
	var errs []error
	collect := func(_ int, err error) { errs = append(errs, err) }
	if len(jobs) > 0 {
		q.UpsertJob(ctx, jobs).Exec(collect)
	}
	if len(objects) > 0 {
		q.UpsertObject(ctx, objects).Exec(collect)
	}
	if err := first(errs); err != nil {
		return 0, fmt.Errorf("write states: %w", err)
	}
	return written, nil
}

func insertTransitions(ctx context.Context, q *db.Queries, transitions []db.InsertTransitionParams) (int, error) {
	if len(transitions) == 0 {
		return 0, nil
	}
	written := 0
	var errs []error
	q.InsertTransition(ctx, transitions).QueryRow(func(_ int, _ int64, err error) {
		switch {
		case err == nil:
			written++
		case !errors.Is(err, pgx.ErrNoRows): // no row: the history has it
			errs = append(errs, err)
		}
	})
	if err := first(errs); err != nil {
		return 0, fmt.Errorf("write transitions: %w", err)
	}
	return written, nil
}

func writeDeletions(ctx context.Context, q *db.Queries, deletions []Deletion) (int, error) {
	var transitions []db.InsertTransitionParams
	for _, d := range deletions {
		var sequence int64
		var err error
		if d.Kind == KindJob {
			sequence, err = q.DeleteJob(ctx, db.DeleteJobParams{SubmittedAt: d.CreatedAt, Uid: d.UID, DeletedAt: &d.Time})
		} else {
			sequence, err = q.DeleteObject(ctx, db.DeleteObjectParams{Uid: d.UID, DeletedAt: &d.Time})
		}
		if errors.Is(err, pgx.ErrNoRows) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("write the deletion of %s %s/%s: %w", d.Kind, d.Namespace, d.Name, err)
		}
		transitions = append(transitions, db.InsertTransitionParams{
			CreatedAt: d.CreatedAt, Uid: d.UID, Sequence: sequence, Kind: d.Kind, At: d.Time,
			Phase: PhaseDeleted, Reason: d.Reason, Message: d.Message,
		})
	}
	return insertTransitions(ctx, q, transitions)
}

// Present calls each for every object that the history does not know to be deleted.
func (s *Store) Present(ctx context.Context, each func(Identity) error) error {
	const page = 5000
	var after uuid.UUID
	for {
		rows, err := s.queries.PresentJobs(ctx, db.PresentJobsParams{After: after, Count: page})
		if err := s.observe(err); err != nil {
			return err
		}
		for _, row := range rows {
			after = row.Uid
			if err := each(Identity{Kind: KindJob, Namespace: row.Namespace, Name: row.Name, UID: row.Uid, CreatedAt: row.SubmittedAt.UTC()}); err != nil {
				return err
			}
		}
		if len(rows) < page {
			break
		}
	}
	after = uuid.UUID{}
	for {
		rows, err := s.queries.PresentObjects(ctx, db.PresentObjectsParams{After: after, Count: page})
		if err := s.observe(err); err != nil {
			return err
		}
		for _, row := range rows {
			after = row.Uid
			if err := each(Identity{Kind: row.Kind, Namespace: row.Namespace, Name: row.Name, UID: row.Uid, CreatedAt: row.CreatedAt.UTC()}); err != nil {
				return err
			}
		}
		if len(rows) < page {
			return nil
		}
	}
}

func monthsIn(entries []Entry) []time.Time {
	months := make([]time.Time, 0, len(entries))
	for _, entry := range entries {
		for i := range entry.transitions {
			months = append(months, entry.transitions[i].CreatedAt)
			break
		}
		if entry.job != nil {
			months = append(months, entry.job.SubmittedAt)
		}
	}
	return months
}

func missesPartition(err error) bool {
	var answer *pgconn.PgError
	return errors.As(err, &answer) && answer.Code == "23514" && answer.ConstraintName == ""
}

func first(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
