-- The registry: who may use the server, and the users of wallets.

CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE merchants (
  id         INTEGER PRIMARY KEY,
  tenant     INTEGER NOT NULL,
  name       TEXT NOT NULL,
  disabled   INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  settings   TEXT
) STRICT;

CREATE TABLE credentials (
  dialect  TEXT NOT NULL,
  kind     TEXT NOT NULL,
  lookup   TEXT NOT NULL,
  merchant INTEGER NOT NULL,
  disabled INTEGER NOT NULL,
  data     BLOB,
  sealed   BLOB,
  PRIMARY KEY (dialect, kind, lookup)
) STRICT, WITHOUT ROWID;
CREATE INDEX credentials_by_merchant ON credentials (merchant);

CREATE TABLE wallet_users (
  id     INTEGER PRIMARY KEY,
  tenant INTEGER NOT NULL,
  frozen INTEGER NOT NULL
) STRICT;

-- What a wallet user may spend: the one balance that is guarded.
CREATE TABLE wallet_balances (
  user      INTEGER NOT NULL,
  currency  TEXT NOT NULL,
  available INTEGER NOT NULL CHECK (available >= 0),
  PRIMARY KEY (user, currency)
) STRICT, WITHOUT ROWID;

CREATE TABLE wallet_grants (
  tenant     INTEGER NOT NULL,
  name       TEXT NOT NULL,
  user       INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  revoked    INTEGER NOT NULL,
  PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;
