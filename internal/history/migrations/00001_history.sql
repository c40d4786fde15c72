-- +goose Up

-- The current state of every job that ever was. submitted_at is the creation time of the object and so a function of its
-- UID: it is part of the key only because months are partitions.
CREATE TABLE jobs (
    submitted_at      timestamptz NOT NULL,
    uid               uuid        NOT NULL,
    namespace         text        NOT NULL,
    name              text        NOT NULL,
    labels            jsonb       NOT NULL DEFAULT '{}',
    submitted_by      text        NOT NULL DEFAULT '',
    cluster           text        NOT NULL DEFAULT '',
    image             text        NOT NULL DEFAULT '',
    image_digest      text        NOT NULL DEFAULT '',
    command           text[]      NOT NULL DEFAULT '{}',
    args              text[]      NOT NULL DEFAULT '{}',
    command_truncated boolean     NOT NULL DEFAULT false,
    preset            text        NOT NULL DEFAULT '',
    gpus              bigint      NOT NULL DEFAULT 0,
    gpu_model         text        NOT NULL DEFAULT '',
    replicas          integer     NOT NULL DEFAULT 1,
    tags              text[]      NOT NULL DEFAULT '{}',
    description       text        NOT NULL DEFAULT '',
    phase             text        NOT NULL,
    reason            text        NOT NULL DEFAULT '',
    message           text        NOT NULL DEFAULT '',
    exit_code         integer,
    started_at        timestamptz,
    finished_at       timestamptz,
    deleted_at        timestamptz,
    attempts          integer     NOT NULL DEFAULT 0,
    run_seconds       bigint      NOT NULL DEFAULT 0,
    node              text        NOT NULL DEFAULT '',
    cost              numeric(20, 6),
    currency          text        NOT NULL DEFAULT '',
    sequence          bigint      NOT NULL,
    resource_version  bigint      NOT NULL,
    PRIMARY KEY (submitted_at, uid)
) PARTITION BY RANGE (submitted_at);

CREATE INDEX jobs_by_namespace ON jobs (namespace, submitted_at, uid);
CREATE INDEX jobs_by_name ON jobs (namespace, name, submitted_at, uid);
CREATE INDEX jobs_by_user ON jobs (namespace, submitted_by, submitted_at, uid);
CREATE INDEX jobs_by_phase ON jobs (namespace, phase, submitted_at, uid);
CREATE INDEX jobs_by_finish ON jobs (namespace, finished_at, uid) WHERE finished_at IS NOT NULL;
CREATE INDEX jobs_by_tag ON jobs USING gin (tags);
CREATE INDEX jobs_by_label ON jobs USING gin (labels);
-- Jobs whose object still exists: few among many.
CREATE INDEX jobs_present ON jobs (uid) WHERE deleted_at IS NULL;

-- Projects, quotas and clusters that ever were.
CREATE TABLE objects (
    uid              uuid        PRIMARY KEY,
    kind             text        NOT NULL,
    namespace        text        NOT NULL DEFAULT '',
    name             text        NOT NULL,
    created_at       timestamptz NOT NULL,
    phase            text        NOT NULL,
    reason           text        NOT NULL DEFAULT '',
    message          text        NOT NULL DEFAULT '',
    deleted_at       timestamptz,
    sequence         bigint      NOT NULL,
    resource_version bigint      NOT NULL
);

CREATE INDEX objects_by_name ON objects (kind, namespace, name, created_at);

-- Every transition of every object, exactly once by (uid, sequence).
CREATE TABLE transitions (
    created_at  timestamptz NOT NULL,
    uid         uuid        NOT NULL,
    sequence    bigint      NOT NULL,
    kind        text        NOT NULL,
    at          timestamptz NOT NULL,
    phase       text        NOT NULL,
    reason      text        NOT NULL DEFAULT '',
    message     text        NOT NULL DEFAULT '',
    attempt     integer     NOT NULL DEFAULT 0,
    exit_code   integer,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (created_at, uid, sequence)
) PARTITION BY RANGE (created_at);

-- +goose StatementBegin
-- Makes the partitions of the month that an instant lies in, in UTC. Safe to call at any time, by several at once.
CREATE FUNCTION ensure_month(instant timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    month  timestamp := date_trunc('month', instant AT TIME ZONE 'UTC');
    suffix text      := to_char(month, 'YYYY_MM');
    parent text;
BEGIN
    IF to_regclass('jobs_' || suffix) IS NOT NULL AND to_regclass('transitions_' || suffix) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('soma.history.ensure_month'));
    FOREACH parent IN ARRAY ARRAY['jobs', 'transitions'] LOOP
        EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
            parent || '_' || suffix, parent,
            month AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC');
    END LOOP;
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION ensure_month(timestamptz);
DROP TABLE transitions;
DROP TABLE objects;
DROP TABLE jobs;
