-- +goose Up

-- What a job's attempts drew, and the energy schedule that it is bound to.
ALTER TABLE jobs
    ADD COLUMN watt_hours      numeric(20, 6),
    ADD COLUMN co2_grams       numeric(20, 6),
    ADD COLUMN energy_schedule text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE jobs DROP COLUMN watt_hours, DROP COLUMN co2_grams, DROP COLUMN energy_schedule;
