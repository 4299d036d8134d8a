-- Where payments, and operations of them, are found: in the listing of their
-- merchant, which has no label, and in those of the labels they were given.
-- One row is written when a payment is created, none when it is captured.
CREATE TABLE marks (
  tenant    bigint NOT NULL,
  merchant  bigint NOT NULL,
  kind      text COLLATE "C" NOT NULL,
  value     text COLLATE "C" NOT NULL,
  at        bigint NOT NULL,
  payment   bigint NOT NULL,
  operation integer NOT NULL,
  PRIMARY KEY (tenant, merchant, kind, value, at, payment, operation)
);

-- What dialects keep of their own. Nothing here reads a body.
CREATE TABLE documents (
  tenant     bigint NOT NULL,
  merchant   bigint NOT NULL,
  serial     bigserial NOT NULL,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  expires    bigint,
  version    integer NOT NULL,
  dialect    text COLLATE "C" NOT NULL,
  kind       text COLLATE "C" NOT NULL,
  id         text COLLATE "C" NOT NULL,
  owner      text COLLATE "C" NOT NULL,
  body       bytea,
  sealed     bytea,
  PRIMARY KEY (tenant, merchant, dialect, kind, id)
);
CREATE INDEX documents_by_serial ON documents (tenant, merchant, dialect, kind, serial);
CREATE INDEX documents_by_expiry ON documents (expires) WHERE expires IS NOT NULL;
