package postgres

import "github.com/capstan-pay/capstan/store"

// statement is prepared once on each connection that writes. Its parameters
// are arrays of the element types given, one for each column, all of one
// length; with counted set the last parameter is how many rows it must change.
type statement struct {
	name    string
	columns []uint32
	counted bool
	query   string
}

// perStatement bounds the rows of a statement: what a planner that knows
// nothing of an array's length has planned for stays right.
const perStatement = 256

// What a batch loads. Rows are locked in sorted order, so that no two batches
// wait for each other.
var (
	lockStates = &statement{"lock_states", []uint32{typeInt8, typeInt8}, false, `
		SELECT s.tenant, s.payment, s.merchant, s.version
		FROM unnest($1::bigint[], $2::bigint[]) AS t (tenant, payment)
		JOIN states s ON s.tenant = t.tenant AND s.payment = t.payment
		ORDER BY s.tenant, s.payment FOR NO KEY UPDATE OF s`}

	selectEvents = &statement{"select_events", []uint32{typeInt8, typeInt8}, false, `
		SELECT e.tenant, e.payment, e.sequence, e.kind, e.at, e.operation, e.amount, e.body
		FROM unnest($1::bigint[], $2::bigint[]) AS t (tenant, payment)
		JOIN events e ON e.tenant = t.tenant AND e.payment = t.payment`}

	selectRecords = &statement{"select_records", []uint32{typeInt8, typeUUID}, false, `
		SELECT ` + recordColumns + `
		FROM unnest($1::bigint[], $2::uuid[]) AS t (tenant, key)
		JOIN records r ON r.tenant = t.tenant AND r.key = t.key`}

	selectTime = &statement{"select_time", nil, false, `
		SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint, ahead, EXISTS (SELECT FROM meta WHERE name = '` + store.MetaMove + `')
		FROM sandbox_clock`}

	selectPayers = &statement{"select_payers", []uint32{typeInt8, typeInt8}, false, `
		SELECT u.tenant, u.id, u.frozen
		FROM unnest($1::bigint[], $2::bigint[]) AS t (tenant, id)
		JOIN wallet_users u ON u.tenant = t.tenant AND u.id = t.id`}

	lockPurses = &statement{"lock_purses", []uint32{typeInt8, typeInt8, typeText}, false, `
		SELECT b.tenant, b.holder, b.currency, b.available
		FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS t (tenant, holder, currency)
		JOIN wallet_balances b ON b.tenant = t.tenant AND b.holder = t.holder AND b.currency = t.currency
		ORDER BY b.tenant, b.holder, b.currency FOR NO KEY UPDATE OF b`}

	selectGrants = &statement{"select_grants", []uint32{typeInt8, typeText}, false, `
		SELECT g.tenant, g.name, g.holder, g.expires_at, g.revoked
		FROM unnest($1::bigint[], $2::text[]) AS t (tenant, name)
		JOIN wallet_grants g ON g.tenant = t.tenant AND g.name = t.name`}

	lockCounters = &statement{"lock_counters", []uint32{typeInt8, typeText}, false, `
		SELECT c.tenant, c.name, c.version, c.expires, c.value
		FROM unnest($1::bigint[], $2::text[]) AS t (tenant, name)
		JOIN counters c ON c.tenant = t.tenant AND c.name = t.name
		ORDER BY c.tenant, c.name FOR NO KEY UPDATE OF c`}

	lockDocuments = &statement{"lock_documents", []uint32{typeInt8, typeInt8, typeText, typeText, typeText}, false, `
		SELECT ` + documentColumns + `
		FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[]) AS t (tenant, merchant, dialect, kind, id)
		JOIN documents d ON d.tenant = t.tenant AND d.merchant = t.merchant AND d.dialect = t.dialect AND d.kind = t.kind AND d.id = t.id
		ORDER BY d.tenant, d.merchant, d.dialect, d.kind, d.id FOR NO KEY UPDATE OF d`}

	// What waits in a queue that something is put behind.
	joinQueues = &statement{"join_queues", []uint32{typeInt8, typeInt8, typeText, typeText}, false, `
		WITH waiting AS (
			SELECT d.tenant, d.payment, d.dialect, d.endpoint, d.version, d.number
			FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[]) AS t (tenant, payment, dialect, endpoint)
			JOIN deliveries d ON d.tenant = t.tenant AND d.payment = t.payment AND d.dialect = t.dialect AND d.endpoint = t.endpoint
			WHERE d.ordered AND d.state = 1
			ORDER BY d.tenant, d.payment, d.dialect, d.endpoint, d.version, d.number FOR NO KEY UPDATE OF d)
		UPDATE deliveries d SET followers = d.followers + 1 FROM waiting w
		WHERE d.tenant = w.tenant AND d.payment = w.payment AND d.dialect = w.dialect AND d.endpoint = w.endpoint
			AND d.version = w.version AND d.number = w.number
		RETURNING ` + deliveryColumns}
)

const recordColumns = `r.key, r.tenant, r.fingerprint, r.payment, r.version, r.operation, r.refusal, r.pending, r.at, r.expires, r.context`

// What a batch writes. A statement that changes rows which somebody else may
// have changed since they were loaded says how many it must find.
var (
	addStates = &statement{"add_states", stateColumns, false, `
		INSERT INTO states (tenant, payment, merchant, updated_at, authorized, extended, captured, voided, released, refunded, version, status)
		SELECT tenant, payment, merchant, updated_at, authorized, extended, captured, voided, released, refunded, version, status
		FROM ` + stateRows + ` ORDER BY tenant, payment`}

	moveStates = &statement{"move_states", stateColumns, true, `
		WITH changed AS (
			UPDATE states s SET updated_at = t.updated_at, authorized = t.authorized, extended = t.extended, captured = t.captured,
				voided = t.voided, released = t.released, refunded = t.refunded, version = t.version, status = t.status
			FROM ` + stateRows + `
			WHERE s.tenant = t.tenant AND s.payment = t.payment AND s.version = t.was RETURNING 1)
		SELECT expect('payments', count(*), $14) FROM changed`}

	addEvents = &statement{"add_events", []uint32{typeInt8, typeInt8, typeInt8, typeInt8, typeInt4, typeInt4, typeInt2, typeBytes, typeText}, false, `
		INSERT INTO events (tenant, payment, at, amount, sequence, operation, kind, body, postings)
		SELECT tenant, payment, at, amount, sequence, operation, kind, body, postings::bigint[]
		FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::integer[], $6::integer[], $7::smallint[], $8::bytea[], $9::text[])
			AS t (tenant, payment, at, amount, sequence, operation, kind, body, postings)`}

	addRecords = &statement{"add_records", recordTypes, false, `
		INSERT INTO records (tenant, key, fingerprint, payment, version, operation, refusal, pending, at, expires, context)
		SELECT tenant, key, fingerprint, payment, version, operation, refusal, pending, at, expires, context
		FROM ` + recordRows + ` ORDER BY tenant, key`}

	moveRecords = &statement{"move_records", append(recordTypes[:len(recordTypes):len(recordTypes)], typeInt8, typeBool), true, `
		WITH changed AS (
			UPDATE records r SET fingerprint = t.fingerprint, payment = t.payment, version = t.version, operation = t.operation,
				refusal = t.refusal, pending = t.pending, at = t.at, expires = t.expires, context = t.context
			FROM unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::bigint[], $5::integer[], $6::integer[], $7::text[], $8::boolean[],
				$9::bigint[], $10::bigint[], $11::bytea[], $12::bigint[], $13::boolean[])
				AS t (tenant, key, fingerprint, payment, version, operation, refusal, pending, at, expires, context, was_at, was_pending)
			WHERE r.tenant = t.tenant AND r.key = t.key AND r.at = t.was_at AND r.pending = t.was_pending RETURNING 1)
		SELECT expect('records', count(*), $14) FROM changed`}

	// A timer that another instance has claimed is done by that one alone.
	dropTimers = &statement{"drop_timers", []uint32{typeInt8, typeInt8, typeInt8, typeInt2, typeInt4, typeInt4, typeInt8}, true, `
		WITH changed AS (
			DELETE FROM timers d USING unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::smallint[], $5::integer[], $6::integer[], $7::bigint[])
				AS t (due, tenant, payment, kind, operation, attempt, claim)
			WHERE d.due = t.due AND d.tenant = t.tenant AND d.payment = t.payment AND d.kind = t.kind AND d.operation = t.operation
				AND d.attempt = t.attempt AND (d.claim IS NULL OR d.claim = t.claim) RETURNING 1)
		SELECT expect('timers', count(*), $8) FROM changed`}

	clearTimers = &statement{"clear_timers", []uint32{typeInt8, typeInt8, typeInt8, typeInt2, typeInt4}, false, `
		DELETE FROM timers d USING unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::smallint[], $5::integer[])
			AS t (due, tenant, payment, kind, operation)
		WHERE d.due = t.due AND d.tenant = t.tenant AND d.payment = t.payment AND d.kind = t.kind AND d.operation = t.operation`}

	setTimers = &statement{"set_timers", []uint32{typeInt8, typeInt8, typeInt8, typeInt2, typeInt4, typeInt4, typeInt8}, false, `
		INSERT INTO timers (due, tenant, payment, kind, operation, attempt, merchant)
		SELECT due, tenant, payment, kind, operation, attempt, merchant
		FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::smallint[], $5::integer[], $6::integer[], $7::bigint[])
			AS t (due, tenant, payment, kind, operation, attempt, merchant)
		ORDER BY due, tenant, payment, kind, operation
		ON CONFLICT (due, tenant, payment, kind, operation)
			DO UPDATE SET attempt = excluded.attempt, merchant = excluded.merchant, claim = NULL`}

	addBalances = &statement{"add_balances", []uint32{typeInt8, typeInt8, typeInt8}, false, `
		INSERT INTO balance_changes (tenant, account, minor)
		SELECT tenant, account, minor FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS t (tenant, account, minor)`}

	openPurses = &statement{"open_purses", []uint32{typeInt8, typeInt8, typeText}, false, `
		INSERT INTO wallet_balances (tenant, holder, currency, available)
		SELECT u.tenant, u.id, t.currency, 0
		FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS t (tenant, holder, currency)
		JOIN wallet_users u ON u.tenant = t.tenant AND u.id = t.holder
		ORDER BY u.tenant, u.id, t.currency
		ON CONFLICT (tenant, holder, currency) DO NOTHING`}

	movePurses = &statement{"move_purses", []uint32{typeInt8, typeInt8, typeText, typeInt8}, true, `
		WITH changed AS (
			UPDATE wallet_balances b SET available = b.available + t.minor
			FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[]) AS t (tenant, holder, currency, minor)
			WHERE b.tenant = t.tenant AND b.holder = t.holder AND b.currency = t.currency RETURNING 1)
		SELECT expect('` + purses + `', count(*), $5) FROM changed`}

	addCounters = &statement{"add_counters", []uint32{typeInt8, typeText, typeInt8, typeInt8, typeBytes}, false, `
		INSERT INTO counters (tenant, name, version, expires, value)
		SELECT tenant, name, was + 1, expires, value
		FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bytea[]) AS t (tenant, name, was, expires, value)
		ORDER BY tenant, name`}

	moveCounters = &statement{"move_counters", []uint32{typeInt8, typeText, typeInt8, typeInt8, typeBytes}, true, `
		WITH changed AS (
			UPDATE counters c SET version = t.was + 1, expires = t.expires, value = t.value
			FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bytea[]) AS t (tenant, name, was, expires, value)
			WHERE c.tenant = t.tenant AND c.name = t.name AND c.version = t.was RETURNING 1)
		SELECT expect('counters', count(*), $6) FROM changed`}

	addMarks = &statement{"add_marks", []uint32{typeInt8, typeInt8, typeText, typeText, typeInt8, typeInt8, typeInt4}, false, `
		INSERT INTO marks (tenant, merchant, kind, value, at, payment, operation)
		SELECT tenant, merchant, kind, value, at, payment, operation
		FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::integer[])
			AS t (tenant, merchant, kind, value, at, payment, operation)
		ON CONFLICT DO NOTHING`}

	addDocuments = &statement{"add_documents", documentTypes, false, `
		INSERT INTO documents (tenant, merchant, dialect, kind, id, version, updated_at, expires, body, sealed, owner, created_at)
		SELECT tenant, merchant, dialect, kind, id, version, updated_at, expires, body, sealed, owner, created_at
		FROM ` + documentRows + ` ORDER BY tenant, merchant, dialect, kind, id`}

	moveDocuments = &statement{"move_documents", documentTypes, true, `
		WITH changed AS (
			UPDATE documents d SET version = t.version, updated_at = t.updated_at, expires = t.expires, body = t.body, sealed = t.sealed
			FROM ` + documentRows + `
			WHERE d.tenant = t.tenant AND d.merchant = t.merchant AND d.dialect = t.dialect AND d.kind = t.kind AND d.id = t.id
				AND d.version = t.was RETURNING 1)
		SELECT expect('documents', count(*), $14) FROM changed`}

	addNotices = &statement{"add_notices", []uint32{
		typeInt8, typeInt8, typeInt8, typeInt8, typeInt4, typeInt2, typeInt4, typeBool, typeText, typeText, typeBytes,
	}, false, `
		INSERT INTO notices (tenant, payment, merchant, at, version, number, told, ordered, dialect, topic, context)
		SELECT tenant, payment, merchant, at, version, number, told, ordered, dialect, topic, context
		FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::integer[], $6::smallint[], $7::integer[], $8::boolean[], $9::text[], $10::text[], $11::bytea[])
			AS t (tenant, payment, merchant, at, version, number, told, ordered, dialect, topic, context)`}

	addDeliveries = &statement{"add_deliveries", []uint32{
		typeInt8, typeInt8, typeInt8, typeInt8, typeInt8, typeInt4, typeInt4, typeInt2, typeInt2, typeBool, typeText, typeText,
	}, false, `
		INSERT INTO deliveries (tenant, payment, merchant, lane, due, version, attempts, number, state, ordered, dialect, endpoint, followers)
		SELECT tenant, payment, merchant, lane, due, version, attempts, number, state, ordered, dialect, endpoint, 0
		FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::integer[], $7::integer[], $8::smallint[], $9::smallint[], $10::boolean[], $11::text[], $12::text[])
			AS t (tenant, payment, merchant, lane, due, version, attempts, number, state, ordered, dialect, endpoint)`}

	beginWork    = &statement{name: "begin_work"} // its query depends on the store's isolation
	commitWork   = &statement{name: "commit_work", query: `COMMIT`}
	rollbackWork = &statement{name: "rollback_work", query: `ROLLBACK`}
)

// purses is what a commit is told to expect that finds a wallet user missing.
const purses = "wallet users"

var (
	stateColumns = []uint32{
		typeInt8, typeInt8, typeInt8, typeInt8, typeInt8, typeInt8, typeInt8, typeInt8, typeInt8, typeInt8, typeInt4, typeInt2, typeInt4,
	}
	recordTypes = []uint32{
		typeInt8, typeUUID, typeUUID, typeInt8, typeInt4, typeInt4, typeText, typeBool, typeInt8, typeInt8, typeBytes,
	}
)

var documentTypes = []uint32{
	typeInt8, typeInt8, typeText, typeText, typeText, typeInt4, typeInt8, typeInt8, typeBytes, typeBytes, typeText, typeInt8, typeInt4,
}

const (
	documentRows = `unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::integer[], $7::bigint[], $8::bigint[],
			$9::bytea[], $10::bytea[], $11::text[], $12::bigint[], $13::integer[])
			AS t (tenant, merchant, dialect, kind, id, version, updated_at, expires, body, sealed, owner, created_at, was)`
	stateRows = `unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
			$9::bigint[], $10::bigint[], $11::integer[], $12::smallint[], $13::integer[])
			AS t (tenant, payment, merchant, updated_at, authorized, extended, captured, voided, released, refunded, version, status, was)`
	recordRows = `unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::bigint[], $5::integer[], $6::integer[], $7::text[], $8::boolean[],
			$9::bigint[], $10::bigint[], $11::bytea[])
			AS t (tenant, key, fingerprint, payment, version, operation, refusal, pending, at, expires, context)`
)

// prepared are the statements of a connection that writes.
var prepared = []*statement{
	lockStates, selectEvents, selectRecords, selectTime, selectPayers, lockPurses, selectGrants, lockCounters, lockDocuments, joinQueues,
	addStates, moveStates, addEvents, addRecords, moveRecords, dropTimers, clearTimers, setTimers, addBalances,
	openPurses, movePurses, addCounters, moveCounters, addMarks, addDocuments, moveDocuments, addNotices, addDeliveries, commitWork, rollbackWork,
}
