-- +goose Up

-- Where a job ran and what it held there, of all replicas together; and its whole spec, from which it can be submitted
-- again. The spec is json, not jsonb: it is kept as it was, and nothing that an object may hold is refused.
ALTER TABLE jobs
    ADD COLUMN pool           text   NOT NULL DEFAULT '',
    ADD COLUMN cpu_millis     bigint NOT NULL DEFAULT 0,
    ADD COLUMN memory_bytes   bigint NOT NULL DEFAULT 0,
    ADD COLUMN price_per_hour numeric(20, 6),
    ADD COLUMN spec           json;

-- +goose Down
ALTER TABLE jobs
    DROP COLUMN pool, DROP COLUMN cpu_millis, DROP COLUMN memory_bytes, DROP COLUMN price_per_hour, DROP COLUMN spec;
