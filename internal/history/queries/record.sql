-- name: EnsureMonth :exec
SELECT ensure_month(sqlc.arg(instant)::timestamptz);

-- name: InsertTransition :batchone
-- The number of a deletion is that of the transition after the last one known; if the object had another transition after
-- all, that one takes the number. Returns whether a row was written.
INSERT INTO transitions (created_at, uid, sequence, kind, at, phase, reason, message, attempt, exit_code,
    attempt_reason)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (created_at, uid, sequence) DO UPDATE
SET at = excluded.at, phase = excluded.phase, reason = excluded.reason, message = excluded.message,
    attempt = excluded.attempt, exit_code = excluded.exit_code, attempt_reason = excluded.attempt_reason, recorded_at = now()
WHERE transitions.phase = 'Deleted' AND excluded.phase <> 'Deleted'
RETURNING sequence;

-- name: UpsertJob :batchexec
-- A row never goes back: what is older than what is there changes nothing. Where a job ran and on what is kept while it
-- waits for its next attempt.
INSERT INTO jobs (submitted_at, uid, namespace, name, labels, submitted_by, cluster, image, image_digest, command, args,
    command_truncated, preset, gpus, gpu_model, replicas, tags, description, phase, reason, message, exit_code, started_at,
    finished_at, attempts, run_seconds, node, cost, currency, sequence, resource_version, pool, cpu_millis, memory_bytes,
    price_per_hour, spec, watt_hours, co2_grams, energy_schedule)
VALUES (@submitted_at, @uid, @namespace, @name, @labels, @submitted_by, @cluster, @image, @image_digest, @command, @args,
    @command_truncated, @preset, @gpus, @gpu_model, @replicas, @tags, @description, @phase, @reason, @message, @exit_code,
    @started_at, @finished_at, @attempts, @run_seconds, @node, sqlc.narg(cost)::text::numeric, @currency, @sequence,
    @resource_version, @pool, @cpu_millis, @memory_bytes, sqlc.narg(price_per_hour)::text::numeric, sqlc.narg(spec)::json,
    sqlc.narg(watt_hours)::text::numeric, sqlc.narg(co2_grams)::text::numeric, @energy_schedule)
ON CONFLICT (submitted_at, uid) DO UPDATE
SET namespace = excluded.namespace, name = excluded.name, labels = excluded.labels,
    submitted_by = excluded.submitted_by, cluster = coalesce(nullif(excluded.cluster, ''), jobs.cluster), image = excluded.image,
    image_digest = excluded.image_digest, command = excluded.command, args = excluded.args,
    command_truncated = excluded.command_truncated, preset = excluded.preset,
    gpus = coalesce(nullif(excluded.gpus, 0), jobs.gpus), gpu_model = coalesce(nullif(excluded.gpu_model, ''), jobs.gpu_model),
    replicas = excluded.replicas, tags = excluded.tags,
    description = excluded.description, phase = excluded.phase, reason = excluded.reason, message = excluded.message,
    exit_code = excluded.exit_code, started_at = excluded.started_at, finished_at = excluded.finished_at,
    deleted_at = NULL, attempts = excluded.attempts, run_seconds = excluded.run_seconds,
    node = coalesce(nullif(excluded.node, ''), jobs.node),
    cost = excluded.cost, currency = excluded.currency, sequence = excluded.sequence,
    resource_version = excluded.resource_version, pool = coalesce(nullif(excluded.pool, ''), jobs.pool),
    cpu_millis = coalesce(nullif(excluded.cpu_millis, 0), jobs.cpu_millis),
    memory_bytes = coalesce(nullif(excluded.memory_bytes, 0), jobs.memory_bytes),
    price_per_hour = coalesce(excluded.price_per_hour, jobs.price_per_hour), spec = excluded.spec,
    watt_hours = excluded.watt_hours, co2_grams = excluded.co2_grams, energy_schedule = excluded.energy_schedule
WHERE (excluded.sequence, excluded.resource_version) > (jobs.sequence, jobs.resource_version);

-- name: UpsertObject :batchexec
INSERT INTO objects (uid, kind, namespace, name, created_at, phase, reason, message, sequence, resource_version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (uid) DO UPDATE
SET phase = excluded.phase, reason = excluded.reason, message = excluded.message, deleted_at = NULL,
    sequence = excluded.sequence, resource_version = excluded.resource_version
WHERE (excluded.sequence, excluded.resource_version) > (objects.sequence, objects.resource_version);

-- name: DeleteJob :one
-- Marks a job as deleted, once, and returns the number of that transition.
UPDATE jobs SET deleted_at = @deleted_at, sequence = sequence + 1
WHERE submitted_at = @submitted_at AND uid = @uid AND deleted_at IS NULL
RETURNING sequence;

-- name: DeleteObject :one
UPDATE objects SET deleted_at = @deleted_at, sequence = sequence + 1
WHERE uid = @uid AND deleted_at IS NULL
RETURNING sequence;

-- name: PresentJobs :many
-- Jobs that are not known to be deleted, in pages by UID.
SELECT uid, namespace, name, submitted_at FROM jobs
WHERE deleted_at IS NULL AND uid > @after
ORDER BY uid LIMIT sqlc.arg(count)::int;

-- name: PresentObjects :many
SELECT uid, kind, namespace, name, created_at FROM objects
WHERE deleted_at IS NULL AND uid > @after
ORDER BY uid LIMIT sqlc.arg(count)::int;

-- name: TransitionsOf :many
SELECT sequence, at, phase, reason, message, attempt, exit_code, attempt_reason FROM transitions
WHERE created_at = @created_at AND uid = @uid
ORDER BY sequence DESC LIMIT sqlc.arg(count)::int;
