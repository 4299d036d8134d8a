-- Where payments, and operations of them, are found: in the listing of their
-- merchant, which has no label, and in those of the labels they were given.
-- One row is written when a payment is created, none when it is captured.
CREATE TABLE marks (
  tenant    INTEGER NOT NULL,
  merchant  INTEGER NOT NULL,
  kind      TEXT NOT NULL,
  value     TEXT NOT NULL,
  at        INTEGER NOT NULL,
  payment   INTEGER NOT NULL,
  operation INTEGER NOT NULL,
  PRIMARY KEY (tenant, merchant, kind, value, at, payment, operation)
) STRICT, WITHOUT ROWID;

INSERT INTO marks (tenant, merchant, kind, value, at, payment, operation)
  SELECT s.tenant, s.merchant, '', '', e.at, e.payment, 0
  FROM events e JOIN states s ON s.payment = e.payment WHERE e.sequence = 1
  ORDER BY s.tenant, s.merchant, e.at, e.payment;
