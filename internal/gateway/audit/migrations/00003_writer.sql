-- +goose Up

-- Whoever writes need not own the tables: owners can take every rule back. A role with USAGE of the schema, INSERT on
-- audit.records and EXECUTE of this function adds records, and can do nothing else. Months are made with the owner's rights, and
-- only about now, so that nobody makes tables without end.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION audit.ensure_month(instant timestamptz) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    month     timestamp := date_trunc('month', instant AT TIME ZONE 'UTC');
    partition text      := 'records_' || to_char(month, 'YYYY_MM');
BEGIN
    IF instant NOT BETWEEN now() - interval '40 days' AND now() + interval '40 days' THEN
        RAISE EXCEPTION 'the audit log takes records of now: % is not', instant USING ERRCODE = 'invalid_parameter_value';
    END IF;
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
REVOKE EXECUTE ON FUNCTION audit.ensure_month(timestamptz) FROM PUBLIC;

-- +goose Down
ALTER FUNCTION audit.ensure_month(timestamptz) SECURITY INVOKER;
GRANT EXECUTE ON FUNCTION audit.ensure_month(timestamptz) TO PUBLIC;
