-- How a run was asked for (`--full`, `--sample`, …): whoever goes on with it does what it was to do. NULL: as usual.

ALTER TABLE runs ADD COLUMN asked jsonb;
