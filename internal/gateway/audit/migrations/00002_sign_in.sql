-- +goose Up

-- Who signs in, or is refused, is known to an identity provider; why is told in words as well.
ALTER TABLE audit.records
    ADD COLUMN detail  text NOT NULL DEFAULT '',
    ADD COLUMN issuer  text NOT NULL DEFAULT '',
    ADD COLUMN subject text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE audit.records DROP COLUMN detail, DROP COLUMN issuer, DROP COLUMN subject;
