-- What risk checks count from one command to the next. Only merchants that
-- have checks configured have rows here.
CREATE TABLE counters (
  tenant  INTEGER NOT NULL,
  name    TEXT NOT NULL,
  value   BLOB NOT NULL,
  expires INTEGER NOT NULL,
  PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;
