-- +goose Up

-- Millions of rows take longer than a statement of the history usually may.
SET LOCAL statement_timeout = 0;

-- The value comes before the namespace: an index serves searches of one project, in order, and of all of them.
DROP INDEX jobs_by_name, jobs_by_user, jobs_by_phase, jobs_by_tag, jobs_by_label;
CREATE INDEX jobs_by_name ON jobs (name, namespace, submitted_at, uid);
CREATE INDEX jobs_by_user ON jobs (submitted_by, namespace, submitted_at, uid);
CREATE INDEX jobs_by_phase ON jobs (phase, namespace, submitted_at, uid);
CREATE INDEX jobs_by_reason ON jobs (reason, namespace, submitted_at, uid);
-- How many jobs a person has is not known well enough to choose between a search by person and a walk through the list: this
-- index is both.
CREATE INDEX jobs_by_user_everywhere ON jobs (submitted_by, submitted_at, uid);
CREATE INDEX jobs_by_finish_everywhere ON jobs (finished_at, uid) WHERE finished_at IS NOT NULL;

-- What a job can be found by beside its columns: one row for every tag and label, in the order of lists. An index of tags in
-- jobs itself knows no order, so that a search by it either sorts all that it finds or reads all that it does not.
CREATE TABLE job_terms (
    term         text        NOT NULL,
    namespace    text        NOT NULL,
    submitted_at timestamptz NOT NULL,
    uid          uuid        NOT NULL,
    PRIMARY KEY (term, namespace, submitted_at, uid)
) PARTITION BY RANGE (submitted_at);

-- +goose StatementBegin
-- The terms of a job: "#tag" for every tag, "key" and "key=value" for every label. No label's key begins with '#'.
CREATE FUNCTION terms_of(tags text[], labels jsonb) RETURNS SETOF text LANGUAGE sql IMMUTABLE AS $$
    SELECT '#' || tag FROM unnest(tags) AS tag
    UNION SELECT key FROM jsonb_object_keys(labels) AS key
    UNION SELECT key || '=' || value FROM jsonb_each_text(labels)
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- Keeps the terms of a job with its row: written when the row is, and only where tags or labels changed.
CREATE FUNCTION write_terms() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM job_terms WHERE term = ANY (ARRAY(SELECT terms_of(OLD.tags, OLD.labels)))
            AND namespace = OLD.namespace AND submitted_at = OLD.submitted_at AND uid = OLD.uid;
    END IF;
    INSERT INTO job_terms (term, namespace, submitted_at, uid)
        SELECT term, NEW.namespace, NEW.submitted_at, NEW.uid FROM terms_of(NEW.tags, NEW.labels) AS term
        ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
-- +goose StatementEnd

CREATE TRIGGER terms_of_new AFTER INSERT ON jobs FOR EACH ROW
    WHEN (NEW.tags <> '{}' OR NEW.labels <> '{}') EXECUTE FUNCTION write_terms();
CREATE TRIGGER terms_of_changed AFTER UPDATE ON jobs FOR EACH ROW
    WHEN (OLD.tags IS DISTINCT FROM NEW.tags OR OLD.labels IS DISTINCT FROM NEW.labels) EXECUTE FUNCTION write_terms();

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION ensure_month(instant timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    month  timestamp := date_trunc('month', instant AT TIME ZONE 'UTC');
    suffix text      := to_char(month, 'YYYY_MM');
    parent text;
BEGIN
    IF to_regclass('jobs_' || suffix) IS NOT NULL AND to_regclass('job_terms_' || suffix) IS NOT NULL
        AND to_regclass('transitions_' || suffix) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('soma.history.ensure_month'));
    FOREACH parent IN ARRAY ARRAY['jobs', 'job_terms', 'transitions'] LOOP
        EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
            parent || '_' || suffix, parent,
            month AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC');
    END LOOP;
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- Every partition of jobs gets its partition of terms, also one that is empty: programs remember which months are made.
DO $$
DECLARE
    suffix text;
BEGIN
    FOR suffix IN SELECT substr(relname, length('jobs_') + 1) FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'jobs'::regclass LOOP
        PERFORM ensure_month(to_timestamp(suffix || '_15', 'YYYY_MM_DD'));
    END LOOP;
END
$$;
-- +goose StatementEnd

INSERT INTO job_terms (term, namespace, submitted_at, uid)
    SELECT term, namespace, submitted_at, uid FROM jobs, terms_of(tags, labels) AS term;

-- +goose Down
SET LOCAL statement_timeout = 0;
DROP TRIGGER terms_of_new ON jobs;
DROP TRIGGER terms_of_changed ON jobs;
DROP FUNCTION write_terms();
DROP FUNCTION terms_of(text[], jsonb);
DROP TABLE job_terms;
DROP INDEX jobs_by_name, jobs_by_user, jobs_by_phase, jobs_by_reason, jobs_by_user_everywhere,
    jobs_by_finish_everywhere;
CREATE INDEX jobs_by_name ON jobs (namespace, name, submitted_at, uid);
CREATE INDEX jobs_by_user ON jobs (namespace, submitted_by, submitted_at, uid);
CREATE INDEX jobs_by_phase ON jobs (namespace, phase, submitted_at, uid);
CREATE INDEX jobs_by_tag ON jobs USING gin (tags);
CREATE INDEX jobs_by_label ON jobs USING gin (labels);
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION ensure_month(instant timestamptz) RETURNS void LANGUAGE plpgsql AS $$
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
