-- What of a secret may be shown, and how long it is good.
ALTER TABLE credentials ADD COLUMN hint text;
ALTER TABLE credentials ADD COLUMN created_at bigint;
ALTER TABLE credentials ADD COLUMN expires_at bigint;

-- Who changed what. Rows are added and never touched again; the chain ties each
-- to all before it.
CREATE TABLE acts (
  number   bigint PRIMARY KEY,
  at       bigint NOT NULL,
  merchant bigint,
  by       text NOT NULL,
  action   text NOT NULL,
  subject  text NOT NULL,
  details  bytea,
  chain    bytea NOT NULL
);
CREATE INDEX acts_by_merchant ON acts (merchant, number) WHERE merchant IS NOT NULL;
CREATE FUNCTION acts_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'acts are never changed or removed';
END
$$;
CREATE TRIGGER acts_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON acts EXECUTE FUNCTION acts_stay();

-- Records are sought by expiry in ranges of neighbouring pages, which were
-- written at about the same time: such an index costs a capture nothing.
CREATE INDEX records_by_expiry ON records USING brin (expires) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX notices_by_time ON notices USING brin (at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX wallet_grants_by_expiry ON wallet_grants (expires_at);
