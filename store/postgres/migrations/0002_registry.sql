-- The registry: who may use the server, and the users of wallets. The first
-- tables are small and looked up without knowing a tenant; on Citus they are
-- reference tables.

CREATE TABLE meta (
  name  text COLLATE "C" PRIMARY KEY,
  value bytea NOT NULL
);

-- How far the clock of a sandbox is ahead of the database's, in milliseconds.
CREATE TABLE sandbox_clock (
  one   boolean PRIMARY KEY CHECK (one),
  ahead bigint NOT NULL
);
INSERT INTO sandbox_clock VALUES (true, 0);

-- The running instances. An instance that has not been heard of until its lease
-- is over has lost what it claimed. ahead is how far it has put its clock.
CREATE SEQUENCE epochs;
CREATE TABLE instances (
  epoch       bigint PRIMARY KEY,
  lease_until timestamptz NOT NULL,
  ahead       bigint NOT NULL
);

CREATE TABLE merchants (
  id         bigserial PRIMARY KEY,
  tenant     bigint NOT NULL,
  name       text COLLATE "C" NOT NULL,
  disabled   boolean NOT NULL,
  created_at bigint NOT NULL,
  settings   text
);

CREATE TABLE credentials (
  dialect  text COLLATE "C" NOT NULL,
  kind     text COLLATE "C" NOT NULL,
  lookup   text COLLATE "C" NOT NULL,
  merchant bigint NOT NULL,
  disabled boolean NOT NULL,
  data     bytea,
  sealed   bytea,
  PRIMARY KEY (dialect, kind, lookup)
);
CREATE INDEX credentials_by_merchant ON credentials (merchant);

CREATE TABLE wallet_users (
  tenant bigint NOT NULL,
  id     bigserial NOT NULL,
  frozen boolean NOT NULL,
  PRIMARY KEY (tenant, id)
);

-- What a wallet user may spend: the one balance that is guarded.
CREATE TABLE wallet_balances (
  tenant    bigint NOT NULL,
  holder    bigint NOT NULL,
  available bigint NOT NULL CHECK (available >= 0),
  currency  text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant, holder, currency)
) WITH (fillfactor = 60);

CREATE TABLE wallet_grants (
  tenant     bigint NOT NULL,
  name       text COLLATE "C" NOT NULL,
  holder     bigint NOT NULL,
  expires_at bigint NOT NULL,
  revoked    boolean NOT NULL,
  PRIMARY KEY (tenant, name)
);
