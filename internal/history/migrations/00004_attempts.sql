-- +goose Up

-- Why an attempt ended, at the transition that tells of its end: the reason there is what followed from it.
ALTER TABLE transitions ADD COLUMN attempt_reason text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE transitions DROP COLUMN attempt_reason;
