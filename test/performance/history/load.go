package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// insertJobs makes the jobs $1 to $2 of a month that begins at $3 and in which a job comes every $4 seconds. One of ten is in
// project "vision", the others are in 99 more; 500 people submit them. Some are there to be looked for: jobs with the tag
// "rare" and of the user "guest" are one of 50,000, and the last 40 jobs of all still run.
const insertJobs = `
INSERT INTO jobs (submitted_at, uid, namespace, name, labels, submitted_by, cluster, image, image_digest, command, args, preset,
    gpus, gpu_model, tags, phase, reason, exit_code, started_at, finished_at, deleted_at, attempts, run_seconds, node, cost,
    currency, sequence, resource_version, pool, cpu_millis, memory_bytes, price_per_hour, spec)
SELECT at, gen_random_uuid(),
    CASE WHEN h % 10 = 0 THEN 'vision' ELSE 'project-' || h / 10 % 99 END,
    CASE WHEN g % 20 = 0 THEN 'train' ELSE 'train-' || substr(md5(i::text), 1, 6) END,
    CASE WHEN g % 2 = 0 THEN jsonb_build_object('team', 'team-' || g / 2 % 20) ELSE '{}' END,
    CASE WHEN g % 50000 = 12 THEN 'guest' ELSE 'user-' || h / 1000 % 500 END,
    'local', 'pytorch/pytorch:2.9.0', 'pytorch/pytorch@sha256:' || repeat(md5(i::text), 2),
    '{python}', ARRAY['train.py', '--seed', i::text], 'gpu-small', 1, 'A100',
    CASE WHEN g % 50000 = 24 THEN '{rare}'::text[] WHEN g % 10 < 3 THEN '{nightly}'
        WHEN g % 10 < 5 THEN ARRAY['sweep', 'experiment-' || g / 10 % 5000] ELSE '{}' END,
    CASE WHEN i > $5 THEN 'Running' WHEN g / 7 % 20 = 0 THEN 'Cancelled' WHEN g / 7 % 20 < 3 THEN 'Failed' ELSE 'Succeeded' END,
    CASE WHEN i > $5 THEN 'Running' WHEN g / 7 % 20 = 0 THEN 'UserRequested' WHEN g / 7 % 20 < 3 THEN 'Error' ELSE 'Completed' END,
    CASE WHEN i > $5 THEN NULL ELSE 0 END, at + interval '9 s', CASE WHEN i > $5 THEN NULL ELSE ended END,
    CASE WHEN i > $5 THEN NULL ELSE ended + interval '1 day' END, 1, 60 + g % 7200, 'node-' || g % 64, 0.42, 'EUR', 5, i,
    'a100', 4000, 17179869184, 2.5,
    format('{"image":"pytorch/pytorch:2.9.0","command":["python"],"args":["train.py",'
        '"--seed","%s"],"env":[{"name":"LEARNING_RATE","value":"0.001"},{"name":"TOKEN","secret":{"name":"hub","key":"token"}}],'
        '"preset":"gpu-small","volumes":[{"mountPath":"/scratch","scratch":{"size":"10Gi"}}],"lifeSpanSeconds":86400,'
        '"submittedBy":"user-%s"}', i, h / 1000 % 500)::json
FROM (
    SELECT i, at, h, g, at + (60 + g % 7200) * interval '1 s' AS ended
    FROM (
        SELECT i, date_trunc('second', $3::timestamptz + (i - $1) * $4::float8 * interval '1 s') AS at,
            hashint8(i)::bigint & 1073741823 AS h, hashint8(i + 1000000007)::bigint & 1073741823 AS g
        FROM generate_series($1::bigint, $2::bigint) AS i
    ) numbers
) jobs`

// insertTerms makes the terms of one partition of jobs, in the order of their index.
const insertTerms = `
INSERT INTO job_terms (term, namespace, submitted_at, uid)
SELECT term, namespace, submitted_at, uid FROM %s, terms_of(tags, labels) AS term ORDER BY term, namespace, submitted_at, uid`

// load fills the history, newest month last. Indexes are made after the rows they are for: row by row takes an hour.
func load(ctx context.Context, url string, records, months int) error {
	connection, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = connection.Close(context.WithoutCancel(ctx)) }()
	begin := time.Now()
	tell := func(format string, args ...any) {
		fmt.Printf("%6.0fs  "+format+"\n", append([]any{time.Since(begin).Seconds()}, args...)...)
	}
	// No triggers: the terms are written at once.
	if _, err := connection.Exec(ctx, `SET session_replication_role = replica; SET maintenance_work_mem = '512MB'; SET work_mem = '256MB'; SET synchronous_commit = off; SET timezone = 'UTC'`); err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	indexes, err := dropIndexes(ctx, connection)
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC).AddDate(0, 1-months, 0)
	for m := range months {
		first, last := m*records/months+1, (m+1)*records/months
		next := month.AddDate(0, 1, 0)
		if next.After(now) {
			next = now
		}
		every := next.Sub(month).Seconds() / float64(last-first+1)
		if _, err := connection.Exec(ctx, "SELECT ensure_month($1)", month); err != nil {
			return fmt.Errorf("make the partitions: %w", err)
		}
		if _, err := connection.Exec(ctx, insertJobs, first, last, month, every, records-40); err != nil {
			return fmt.Errorf("make jobs: %w", err)
		}
		if _, err := connection.Exec(ctx, fmt.Sprintf(insertTerms, pgx.Identifier{"jobs_" + month.Format("2006_01")}.Sanitize())); err != nil {
			return fmt.Errorf("make terms: %w", err)
		}
		tell("%d records", last)
		month = month.AddDate(0, 1, 0)
	}
	for _, definition := range indexes {
		if _, err := connection.Exec(ctx, definition); err != nil {
			return fmt.Errorf("%s: %w", definition, err)
		}
	}
	// As autovacuum would.
	if _, err := connection.Exec(ctx, "VACUUM ANALYZE"); err != nil {
		return fmt.Errorf("vacuum: %w", err)
	}
	var size string
	if err := connection.QueryRow(ctx, "SELECT pg_size_pretty(pg_database_size(current_database()))").Scan(&size); err != nil {
		return fmt.Errorf("ask for the size: %w", err)
	}
	tell("%d records in %d months, %s on disk", records, months, size)
	return nil
}

// dropIndexes drops the indexes of jobs but its key, and returns the statements that make them again.
func dropIndexes(ctx context.Context, connection *pgx.Conn) ([]string, error) {
	rows, err := connection.Query(ctx, `
		SELECT indexname::text, replace(indexdef, ' ON ONLY ', ' ON ') FROM pg_indexes WHERE tablename = 'jobs' AND indexdef NOT LIKE 'CREATE UNIQUE%'`)
	if err != nil {
		return nil, fmt.Errorf("find the indexes: %w", err)
	}
	type index struct{ Name, Definition string }
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[index])
	if err != nil {
		return nil, fmt.Errorf("find the indexes: %w", err)
	}
	var definitions []string
	for _, i := range found {
		if _, err := connection.Exec(ctx, "DROP INDEX "+pgx.Identifier{i.Name}.Sanitize()); err != nil {
			return nil, fmt.Errorf("drop index %s: %w", i.Name, err)
		}
		definitions = append(definitions, i.Definition)
	}
	return definitions, nil
}
