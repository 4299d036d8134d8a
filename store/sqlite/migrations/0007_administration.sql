-- What of a secret may be shown, and how long it is good.
ALTER TABLE credentials ADD COLUMN hint TEXT;
ALTER TABLE credentials ADD COLUMN created_at INTEGER;
ALTER TABLE credentials ADD COLUMN expires_at INTEGER;

-- Who changed what. Rows are added and never touched again; the chain ties each
-- to all before it.
CREATE TABLE acts (
  number   INTEGER PRIMARY KEY,
  at       INTEGER NOT NULL,
  by       TEXT NOT NULL,
  action   TEXT NOT NULL,
  merchant INTEGER,
  subject  TEXT NOT NULL,
  details  BLOB,
  chain    BLOB NOT NULL
) STRICT;
CREATE INDEX acts_by_merchant ON acts (merchant, number) WHERE merchant IS NOT NULL;
CREATE TRIGGER acts_stay BEFORE DELETE ON acts BEGIN SELECT raise(ABORT, 'acts are never removed'); END;
CREATE TRIGGER acts_last BEFORE UPDATE ON acts BEGIN SELECT raise(ABORT, 'acts are never changed'); END;
