-- The books: what happened, what it comes to, and who asked.
--
-- Rows that are written for every command are appended, with one random
-- insertion (records_by_key) and one narrow row that is updated (states).
-- Every further index on these tables costs about a twentieth of the
-- throughput. Times are Unix milliseconds, amounts are minor units, NULL is
-- the zero value. Kinds and states are the numbers of package payment.

-- What happened, for ever. A payment's history is walked backward, from
-- states.last_event along previous.
CREATE TABLE events (
  id        INTEGER PRIMARY KEY,
  payment   INTEGER NOT NULL,
  sequence  INTEGER NOT NULL,
  previous  INTEGER,
  kind      INTEGER NOT NULL,
  at        INTEGER NOT NULL,
  operation INTEGER,
  amount    INTEGER,
  body      BLOB
) STRICT;

-- What the events of a payment come to.
CREATE TABLE states (
  payment    INTEGER PRIMARY KEY,
  tenant     INTEGER NOT NULL,
  merchant   INTEGER NOT NULL,
  version    INTEGER NOT NULL,
  last_event INTEGER NOT NULL,
  status     INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  authorized INTEGER NOT NULL,
  extended   INTEGER NOT NULL,
  captured   INTEGER NOT NULL,
  voided     INTEGER NOT NULL,
  released   INTEGER NOT NULL,
  refunded   INTEGER NOT NULL
) STRICT;

-- What became of the command under an idempotency key.
CREATE TABLE records (
  id          INTEGER PRIMARY KEY,
  key         BLOB NOT NULL,
  tenant      INTEGER NOT NULL,
  fingerprint BLOB,
  payment     INTEGER,
  version     INTEGER,
  operation   INTEGER,
  refusal     TEXT,
  pending     INTEGER,
  at          INTEGER NOT NULL,
  expires     INTEGER,
  context     BLOB
) STRICT;
CREATE UNIQUE INDEX records_by_key ON records (key);

CREATE TABLE accounts (
  id       INTEGER PRIMARY KEY,
  merchant INTEGER NOT NULL,
  kind     INTEGER NOT NULL,
  holder   INTEGER NOT NULL,
  currency TEXT NOT NULL,
  UNIQUE (merchant, kind, holder, currency)
) STRICT;

-- The ledger: a row holds up to four postings of an entry, since a row is
-- dearer than its columns. The id is four times the number of the event or
-- deposit that the entry came with; entries of more postings go on in the next
-- ids.
CREATE TABLE entries (
  id       INTEGER PRIMARY KEY,
  account1 INTEGER NOT NULL, minor1 INTEGER NOT NULL,
  account2 INTEGER, minor2 INTEGER,
  account3 INTEGER, minor3 INTEGER,
  account4 INTEGER, minor4 INTEGER
) STRICT;

-- The postings one by one, for whoever reads the books by hand.
CREATE VIEW postings (number, account, minor) AS
  SELECT id / 4, account1, minor1 FROM entries UNION ALL
  SELECT id / 4, account2, minor2 FROM entries WHERE account2 IS NOT NULL UNION ALL
  SELECT id / 4, account3, minor3 FROM entries WHERE account3 IS NOT NULL UNION ALL
  SELECT id / 4, account4, minor4 FROM entries WHERE account4 IS NOT NULL;

-- Money put into wallets, or taken out of them. Its number is one that no
-- event has.
CREATE TABLE deposits (
  id       INTEGER PRIMARY KEY,
  merchant INTEGER NOT NULL,
  user     INTEGER NOT NULL,
  at       INTEGER NOT NULL
) STRICT;

-- The sums of the postings of all entries up to the mark, by account.
CREATE TABLE balances (
  account INTEGER PRIMARY KEY,
  minor   INTEGER NOT NULL
) STRICT;
CREATE TABLE balances_mark (
  one   INTEGER PRIMARY KEY CHECK (one = 1),
  entry INTEGER NOT NULL
) STRICT;
INSERT INTO balances_mark VALUES (1, 0);

CREATE TABLE timers (
  due       INTEGER NOT NULL,
  payment   INTEGER NOT NULL,
  kind      INTEGER NOT NULL,
  operation INTEGER NOT NULL,
  tenant    INTEGER NOT NULL,
  merchant  INTEGER NOT NULL,
  attempt   INTEGER,
  PRIMARY KEY (due, payment, kind, operation)
) STRICT, WITHOUT ROWID;
