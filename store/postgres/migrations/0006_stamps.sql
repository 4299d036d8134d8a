-- Which decision left a record: of two instances that were asked the same at
-- the same time, each knows its own.
ALTER TABLE records ADD COLUMN stamp bigint;
