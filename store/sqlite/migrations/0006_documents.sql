-- What dialects keep of their own. Nothing here reads a body.
CREATE TABLE documents (
  serial     INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant     INTEGER NOT NULL,
  merchant   INTEGER NOT NULL,
  dialect    TEXT NOT NULL,
  kind       TEXT NOT NULL,
  id         TEXT NOT NULL,
  owner      TEXT,
  version    INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  expires    INTEGER,
  body       BLOB,
  sealed     BLOB,
  UNIQUE (tenant, merchant, dialect, kind, id)
) STRICT;
CREATE INDEX documents_by_kind ON documents (tenant, merchant, dialect, kind);
CREATE INDEX documents_by_owner ON documents (tenant, merchant, dialect, kind, owner) WHERE owner IS NOT NULL;
CREATE INDEX documents_by_expiry ON documents (expires) WHERE expires IS NOT NULL;
