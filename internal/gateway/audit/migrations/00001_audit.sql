-- +goose Up

-- Who asked the gateway for what, and whether it was allowed. It is added to, and that is all: whoever is to be called to
-- account can take nothing back. A month that need not be kept any longer is dropped whole, by a person.
CREATE SCHEMA audit;

CREATE TABLE audit.records (
    at          timestamptz NOT NULL,
    id          uuid        NOT NULL,
    username    text        NOT NULL DEFAULT '',
    session     text        NOT NULL DEFAULT '',
    via         text        NOT NULL DEFAULT '',
    verb        text        NOT NULL DEFAULT '',
    api_group   text        NOT NULL DEFAULT '',
    resource    text        NOT NULL DEFAULT '',
    subresource text        NOT NULL DEFAULT '',
    namespace   text        NOT NULL DEFAULT '',
    name        text        NOT NULL DEFAULT '',
    path        text        NOT NULL DEFAULT '',
    query       text        NOT NULL DEFAULT '',
    allowed     boolean     NOT NULL,
    code        integer     NOT NULL DEFAULT 0,
    reason      text        NOT NULL DEFAULT '',
    source      text        NOT NULL DEFAULT '',
    PRIMARY KEY (at, id)
) PARTITION BY RANGE (at);

CREATE INDEX records_by_user ON audit.records (username, at);
CREATE INDEX records_by_object ON audit.records (namespace, resource, name, at);

-- +goose StatementBegin
CREATE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is added to, and never changed' USING ERRCODE = 'insufficient_privilege';
END
$$;
-- +goose StatementEnd

CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON audit.records FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit.records FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
REVOKE UPDATE, DELETE, TRUNCATE ON audit.records FROM PUBLIC, CURRENT_USER;

-- +goose StatementBegin
-- Makes the partition of the month that an instant lies in, in UTC. Safe to call at any time, by several at once.
CREATE FUNCTION audit.ensure_month(instant timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    month     timestamp := date_trunc('month', instant AT TIME ZONE 'UTC');
    partition text      := 'records_' || to_char(month, 'YYYY_MM');
BEGIN
    IF to_regclass('audit.' || partition) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('soma.audit.ensure_month'));
    IF to_regclass('audit.' || partition) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE audit.%I PARTITION OF audit.records FOR VALUES FROM (%L) TO (%L)',
        partition, month AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC');
    -- Triggers of statements, and privileges, are each table's own.
    EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit.%I FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change()', partition);
    EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON audit.%I FROM PUBLIC, CURRENT_USER', partition);
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP SCHEMA audit CASCADE;
