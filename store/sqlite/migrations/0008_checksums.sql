-- What no other row tells has a checksum of its own: row_checksum of the
-- columns that checksum.go names, a function that this program gives SQLite.
-- It finds damage, and changes by hand; it is no signature.

ALTER TABLE events ADD COLUMN checksum INTEGER;
ALTER TABLE records ADD COLUMN checksum INTEGER;
ALTER TABLE deposits ADD COLUMN checksum INTEGER;
ALTER TABLE meta ADD COLUMN checksum INTEGER;
ALTER TABLE merchants ADD COLUMN checksum INTEGER;
ALTER TABLE credentials ADD COLUMN checksum INTEGER;
ALTER TABLE wallet_users ADD COLUMN checksum INTEGER;
ALTER TABLE wallet_grants ADD COLUMN checksum INTEGER;
ALTER TABLE counters ADD COLUMN checksum INTEGER;
ALTER TABLE timers ADD COLUMN checksum INTEGER;
ALTER TABLE deliveries ADD COLUMN checksum INTEGER;
ALTER TABLE notices ADD COLUMN checksum INTEGER;
ALTER TABLE attempts ADD COLUMN checksum INTEGER;
ALTER TABLE documents ADD COLUMN checksum INTEGER;

UPDATE events SET checksum = row_checksum(id, payment, sequence, previous, kind, at, operation, amount, body);
UPDATE records SET checksum = row_checksum(key, tenant, fingerprint, payment, version, operation, refusal, pending, at, expires, context);
UPDATE deposits SET checksum = row_checksum(id, merchant, user, at);
UPDATE meta SET checksum = row_checksum(name, value);
UPDATE merchants SET checksum = row_checksum(id, tenant, name, disabled, created_at, settings);
UPDATE credentials SET checksum = row_checksum(merchant, dialect, kind, lookup, data, sealed, disabled, hint, created_at, expires_at);
UPDATE wallet_users SET checksum = row_checksum(id, tenant, frozen);
UPDATE wallet_grants SET checksum = row_checksum(tenant, name, user, expires_at, revoked);
UPDATE counters SET checksum = row_checksum(tenant, name, value, expires);
UPDATE timers SET checksum = row_checksum(due, payment, kind, operation, tenant, merchant, attempt);
UPDATE deliveries SET checksum = row_checksum(payment, dialect, endpoint, version, number, tenant, merchant, lane, ordered, state, attempts, due);
UPDATE notices SET checksum = row_checksum(payment, version, dialect, number, tenant, merchant, topic, at, context, ordered, told);
UPDATE attempts SET checksum = row_checksum(payment, dialect, endpoint, version, number, attempt, tenant, at, took, status, fault, sealed, state, due);
UPDATE documents SET checksum = row_checksum(tenant, merchant, dialect, kind, id, owner, version, serial, created_at, updated_at, expires, body, sealed);
