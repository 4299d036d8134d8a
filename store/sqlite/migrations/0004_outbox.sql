-- What merchants are told of what happened. Only payments of which somebody is
-- told have rows here.

CREATE TABLE notices (
  payment  INTEGER NOT NULL,
  version  INTEGER NOT NULL,
  dialect  TEXT NOT NULL,
  number   INTEGER NOT NULL,
  tenant   INTEGER NOT NULL,
  merchant INTEGER NOT NULL,
  topic    TEXT NOT NULL,
  at       INTEGER NOT NULL,
  context  BLOB,
  ordered  INTEGER,
  told     INTEGER NOT NULL, -- how many deliveries there are of it
  PRIMARY KEY (payment, version, dialect, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX notices_by_merchant ON notices (merchant, at);

-- A delivery that is due at no time is final, or ordered and waits for an
-- earlier one of its payment, dialect and endpoint.
CREATE TABLE deliveries (
  payment  INTEGER NOT NULL,
  dialect  TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  version  INTEGER NOT NULL,
  number   INTEGER NOT NULL,
  tenant   INTEGER NOT NULL,
  merchant INTEGER NOT NULL,
  lane     INTEGER NOT NULL,
  ordered  INTEGER,
  state    INTEGER NOT NULL,
  attempts INTEGER,
  due      INTEGER,
  PRIMARY KEY (payment, dialect, endpoint, version, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_due ON deliveries (due) WHERE due IS NOT NULL;
CREATE INDEX deliveries_by_lane ON deliveries (lane, due, payment, version, number) WHERE due IS NOT NULL;

CREATE TABLE attempts (
  payment  INTEGER NOT NULL,
  dialect  TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  version  INTEGER NOT NULL,
  number   INTEGER NOT NULL,
  attempt  INTEGER NOT NULL,
  tenant   INTEGER NOT NULL,
  at       INTEGER NOT NULL,
  took     INTEGER NOT NULL, -- milliseconds
  status   INTEGER,
  fault    TEXT,
  sealed   BLOB,
  state    INTEGER NOT NULL, -- of the delivery after it
  due      INTEGER,
  PRIMARY KEY (payment, dialect, endpoint, version, number, attempt)
) STRICT, WITHOUT ROWID;
