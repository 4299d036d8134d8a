-- What merchants are told of what happened. Only payments of which somebody is
-- told have rows here.

CREATE TABLE notices (
  tenant   bigint NOT NULL,
  payment  bigint NOT NULL,
  merchant bigint NOT NULL,
  at       bigint NOT NULL,
  version  integer NOT NULL,
  number   smallint NOT NULL,
  told     integer NOT NULL, -- how many deliveries there are of it
  ordered  boolean NOT NULL,
  dialect  text COLLATE "C" NOT NULL,
  topic    text NOT NULL,
  context  bytea,
  PRIMARY KEY (tenant, payment, version, dialect, number)
);
CREATE INDEX notices_by_merchant ON notices (tenant, merchant, at);

-- A delivery that is due at no time is final, or ordered and waits for an
-- earlier one of its payment, dialect and endpoint. Claimed, it is attempted by
-- the instance whose epoch the claim is, until that moment. Followers counts
-- those that were put behind it: who ends it sees that they are there.
CREATE TABLE deliveries (
  tenant        bigint NOT NULL,
  payment       bigint NOT NULL,
  merchant      bigint NOT NULL,
  lane          bigint NOT NULL,
  due           bigint,
  claim         bigint,
  claimed_until bigint,
  version       integer NOT NULL,
  attempts      integer NOT NULL,
  followers     integer NOT NULL,
  number        smallint NOT NULL,
  state         smallint NOT NULL,
  ordered       boolean NOT NULL,
  dialect       text COLLATE "C" NOT NULL,
  endpoint      text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant, payment, dialect, endpoint, version, number)
) WITH (fillfactor = 70);
CREATE INDEX deliveries_due ON deliveries (due) WHERE due IS NOT NULL;
CREATE INDEX deliveries_by_lane ON deliveries (lane, due, payment, version, number) WHERE due IS NOT NULL;

CREATE TABLE attempts (
  tenant   bigint NOT NULL,
  payment  bigint NOT NULL,
  at       bigint NOT NULL,
  took     bigint NOT NULL, -- milliseconds
  due      bigint,
  version  integer NOT NULL,
  attempt  integer NOT NULL,
  status   integer NOT NULL,
  number   smallint NOT NULL,
  state    smallint NOT NULL, -- of the delivery after it
  dialect  text COLLATE "C" NOT NULL,
  endpoint text COLLATE "C" NOT NULL,
  fault    text NOT NULL,
  sealed   bytea,
  PRIMARY KEY (tenant, payment, dialect, endpoint, version, number, attempt)
);
