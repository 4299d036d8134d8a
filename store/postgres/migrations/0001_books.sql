-- The books: what happened, what it comes to, and who asked.
--
-- The tenant is the shard key: it is in every primary key and unique constraint
-- of the tables that grow, and no row refers to another tenant's. Times are
-- Unix milliseconds, amounts are minor units, NULL is the zero value. Kinds and
-- states are the numbers of package payment.

-- What happened, for ever, and what was posted with it: account and amount in
-- turns, the accounts being numbers of the table accounts. An event and its
-- postings are one row, since a row is dearer than its columns.
CREATE TABLE events (
  tenant    bigint NOT NULL,
  payment   bigint NOT NULL,
  at        bigint NOT NULL,
  amount    bigint,
  sequence  integer NOT NULL,
  operation integer,
  kind      smallint NOT NULL,
  body      bytea,
  postings  bigint[],
  PRIMARY KEY (tenant, payment, sequence)
);

-- What the events of a payment come to. It is updated by every command, so its
-- pages are kept half empty for the next version of a row.
CREATE TABLE states (
  tenant     bigint NOT NULL,
  payment    bigint NOT NULL,
  merchant   bigint NOT NULL,
  updated_at bigint NOT NULL,
  authorized bigint NOT NULL,
  extended   bigint NOT NULL,
  captured   bigint NOT NULL,
  voided     bigint NOT NULL,
  released   bigint NOT NULL,
  refunded   bigint NOT NULL,
  version    integer NOT NULL,
  status     smallint NOT NULL,
  PRIMARY KEY (tenant, payment)
) WITH (fillfactor = 60);

-- What became of the command under an idempotency key. Keys and fingerprints
-- are 16 bytes, which is what a uuid is.
CREATE TABLE records (
  tenant      bigint NOT NULL,
  key         uuid NOT NULL,
  fingerprint uuid NOT NULL,
  payment     bigint,
  at          bigint NOT NULL,
  expires     bigint,
  version     integer,
  operation   integer,
  pending     boolean NOT NULL,
  refusal     text,
  context     bytea,
  PRIMARY KEY (tenant, key)
);

CREATE TABLE accounts (
  tenant   bigint NOT NULL,
  id       bigserial NOT NULL,
  merchant bigint NOT NULL,
  holder   bigint NOT NULL,
  kind     smallint NOT NULL,
  currency text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant, id),
  UNIQUE (tenant, merchant, kind, holder, currency)
);
CREATE INDEX accounts_by_merchant ON accounts (merchant);

-- Money put into wallets, or taken out of them, and its postings.
CREATE TABLE deposits (
  tenant   bigint NOT NULL,
  id       bigserial NOT NULL,
  merchant bigint NOT NULL,
  holder   bigint NOT NULL,
  at       bigint NOT NULL,
  postings bigint[] NOT NULL,
  PRIMARY KEY (tenant, id)
);

-- The sums of all postings by account are those of balances and of
-- balance_changes together. A commit appends what it has posted to each
-- account; in the background the changes are added up and removed, whichever
-- they are: so it does not matter in which order the commits of several
-- instances appear, and no balance is a row that every capture updates.
CREATE TABLE balances (
  tenant  bigint NOT NULL,
  account bigint NOT NULL,
  minor   bigint NOT NULL,
  PRIMARY KEY (tenant, account)
);
CREATE TABLE balance_changes (
  tenant  bigint NOT NULL,
  account bigint NOT NULL,
  minor   bigint NOT NULL
);

-- The postings one by one, for whoever reads the books by hand. Those of
-- deposits have payment 0.
CREATE VIEW postings AS
  SELECT e.tenant, e.payment, e.sequence, i AS line, e.postings[2 * i - 1] AS account, e.postings[2 * i] AS minor
    FROM events e, generate_series(1, cardinality(e.postings) / 2) i
  UNION ALL
  SELECT d.tenant, 0, 0, i, d.postings[2 * i - 1], d.postings[2 * i]
    FROM deposits d, generate_series(1, cardinality(d.postings) / 2) i;

-- What falls due. A claim is the epoch of the instance that sees to it.
CREATE TABLE timers (
  due       bigint NOT NULL,
  tenant    bigint NOT NULL,
  payment   bigint NOT NULL,
  merchant  bigint NOT NULL,
  claim     bigint,
  operation integer NOT NULL,
  attempt   integer NOT NULL,
  kind      smallint NOT NULL,
  PRIMARY KEY (due, tenant, payment, kind, operation)
) WITH (fillfactor = 80);

-- What risk checks count from one command to the next. Only merchants that
-- have checks configured have rows here.
CREATE TABLE counters (
  tenant  bigint NOT NULL,
  name    text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  expires bigint NOT NULL,
  value   bytea NOT NULL,
  PRIMARY KEY (tenant, name)
) WITH (fillfactor = 60);

-- Ends a transaction that has not changed as many rows as it was meant to:
-- somebody else was faster.
CREATE FUNCTION expect(what text, changed bigint, wanted bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF changed <> wanted THEN
    RAISE EXCEPTION USING ERRCODE = 'CPSLS', MESSAGE = format('%s: %s rows instead of %s', what, changed, wanted);
  END IF;
END
$$;
