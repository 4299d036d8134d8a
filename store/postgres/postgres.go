// Package postgres is the store for several instances: any number of servers
// may share one PostgreSQL database.
//
// A batch is one transaction and two round trips, whatever its size: one loads
// and locks what is touched, one writes and commits. What is correct never
// depends on a lock in a process: payments, wallet balances and counters are
// locked rows, keys are a unique constraint, and every statement that relies on
// what was loaded checks that it is still so. It holds at READ COMMITTED,
// REPEATABLE READ and SERIALIZABLE.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/store"
)

// Store is a store.Store in a PostgreSQL database.
type Store struct {
	options  Options
	readOnly bool
	writers  *pgxpool.Pool // whose connections have the statements of batches
	readers  *pgxpool.Pool
	aside    *pgxpool.Pool // for what is done while a connection that writes is held: it needs no other
	turns    chan struct{} // one for every batch that is open

	accountsMu sync.RWMutex
	accounts   map[ownAccount]int64
	accountsOf string // the server that has given the numbers

	sweeper sweeper

	doubts  atomic.Int64 // commits of which the outcome was unknown
	cleared atomic.Int64 // of so many it was seen that what is there now will stay

	epoch   atomic.Int64
	skew    atomic.Int64 // how far the database's clock is ahead of the machine's, nanoseconds
	ahead   atomic.Int64 // how far the sandbox's clock is ahead of the database's, nanoseconds
	moving  sync.Mutex
	follow  func(time.Duration) // under moving: who is told how far ahead it is
	stop    context.CancelFunc
	running sync.WaitGroup
	closing sync.Once
}

var _ store.Store = (*Store)(nil)

// Options are what an operator may choose. The zero value is sound.
type Options struct {
	// Isolation of the transactions; empty is READ COMMITTED.
	Isolation pgx.TxIsoLevel

	// MachineTime is this machine's clock. With it batches have a time, which
	// is the database's: instances whose machines disagree still agree.
	MachineTime func() time.Time

	// Batches may be open at a time; 0 is 4.
	Batches int

	// Lease is how long after its last sign of life an instance keeps what it
	// has claimed; 0 is ten seconds.
	Lease time.Duration
}

// readersAtATime bounds the connections that read. More callers wait for their
// turn.
const readersAtATime = 8

// ErrReadOnly is returned for a change to a store that was opened read-only.
var ErrReadOnly = errors.New("postgres: the store was opened read-only")

// Open opens the store in a database as one of its instances. It creates the
// schema in an empty database, and applies pending migrations; of several
// instances that start at once one does so. The address is a URL or any other
// connection string; the first schema of its search_path is the store's.
func Open(ctx context.Context, address string, options Options) (_ *Store, err error) {
	if options.Isolation == "" {
		options.Isolation = pgx.ReadCommitted
	}
	if options.Batches == 0 {
		options.Batches = 4
	}
	if options.Lease == 0 {
		options.Lease = 10 * time.Second
	}
	s := &Store{options: options, turns: make(chan struct{}, options.Batches), accounts: map[ownAccount]int64{}}
	defer func() {
		if err != nil {
			_ = s.Close()
			err = fmt.Errorf("open store: %w", err)
		}
	}()
	config, err := parse(address)
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, config.ConnConfig); err != nil {
		return nil, err
	}
	if s.readers, err = pool(config, readersAtATime, false, s.prepareReader); err != nil {
		return nil, err
	}
	if s.writers, err = pool(config, options.Batches+2, true, s.prepareWriter); err != nil {
		return nil, err
	}
	if s.aside, err = pool(config, 1, true, s.prepareWriter); err != nil {
		return nil, err
	}
	if err := s.enrol(ctx); err != nil {
		return nil, err
	}
	background, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.running.Go(func() { s.live(background) })
	s.running.Go(func() { s.listen(background) })
	return s, nil
}

// OpenReadOnly opens the store in a database for reading, also beside live
// instances. Every change is refused with ErrReadOnly.
func OpenReadOnly(ctx context.Context, address string) (_ *Store, err error) {
	s := &Store{readOnly: true, options: Options{Isolation: pgx.ReadCommitted}}
	defer func() {
		if err != nil {
			_ = s.Close()
			err = fmt.Errorf("open store: %w", err)
		}
	}()
	config, err := parse(address)
	if err != nil {
		return nil, err
	}
	config.ConnConfig.AfterConnect = func(ctx context.Context, conn *pgconn.PgConn) error { // and after the host was chosen that can write
		return conn.Exec(ctx, `SET default_transaction_read_only = on`).Close()
	}
	if s.readers, err = pool(config, readersAtATime, false, s.prepareReader); err != nil {
		return nil, err
	}
	conn, err := s.readers.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	return s, checkCurrent(ctx, conn.Conn())
}

// Close gives up what the instance has claimed and closes its connections.
func (s *Store) Close() error {
	s.closing.Do(func() {
		if s.stop != nil {
			s.stop()
			s.running.Wait()
			s.retire()
		}
		for _, p := range []*pgxpool.Pool{s.writers, s.aside, s.readers} {
			if p != nil {
				p.Close()
			}
		}
	})
	return nil
}

// parse reads a connection string. Its errors do not quote it: it may hold a
// password.
func parse(address string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(address)
	if err != nil {
		return nil, errors.New("the connection string cannot be read")
	}
	params := config.ConnConfig.RuntimeParams
	if params["application_name"] == "" {
		params["application_name"] = "capstan"
	}
	params["timezone"] = "UTC"
	return config, nil
}

// pool opens connections as they are needed, up to a number of them.
func pool(config *pgxpool.Config, conns int, writes bool, prepare func(context.Context, *pgx.Conn) error) (*pgxpool.Pool, error) {
	config = config.Copy()
	config.MaxConns, config.MinConns = int32(conns), 0
	config.AfterConnect = prepare
	config.ConnConfig.OnNotice = noteUnreplicated
	if config.ConnConfig.ValidateConnect == nil { // what a replica shows may be older than what was acknowledged
		config.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	if writes {
		config.BeforeConnect = neverCancelling
		for name, value := range writerSettings {
			config.ConnConfig.RuntimeParams[name] = value
		}
	}
	return pgxpool.NewWithConfig(context.Background(), config)
}

// writerSettings are those of connections that write. Plans are made once, for
// arrays of any length: walking an index is right for all of them. A process
// that stands still in the middle of a batch loses its locks, and what was given
// up in the middle of one does not wait for locks much longer. No time-out ends
// the wait of a commit for its replicas.
var writerSettings = map[string]string{
	"plan_cache_mode":                     "force_generic_plan",
	"enable_seqscan":                      "off",
	"enable_hashjoin":                     "off",
	"enable_mergejoin":                    "off",
	"jit":                                 "off",
	"idle_in_transaction_session_timeout": "10s",
	"lock_timeout":                        "31s", // after patience
	"statement_timeout":                   "0",
}

// prepareReader prepares a connection that reads. The server that it leads to may
// have come back with commits that its replicas have not.
func (s *Store) prepareReader(context.Context, *pgx.Conn) error {
	s.doubts.Add(1)
	return nil
}

// prepareWriter prepares a connection that writes. A commit that is not
// flushed before it is acknowledged, here and where replicas have to have it, is
// none.
func (s *Store) prepareWriter(ctx context.Context, conn *pgx.Conn) error {
	var durable, server string
	err := conn.QueryRow(ctx, `SELECT current_setting('synchronous_commit'), concat_ws(' ', inet_server_addr(), inet_server_port(), pg_postmaster_start_time())`).
		Scan(&durable, &server)
	if err != nil {
		return err
	}
	if durable == "off" || durable == "local" {
		if _, err := conn.Exec(ctx, `SET synchronous_commit = on`); err != nil {
			return err
		}
	}
	conn.PgConn().CustomData()[serverKey] = server
	s.doubts.Add(1) // as for one that reads
	return prepare(ctx, conn, "BEGIN ISOLATION LEVEL "+string(s.options.Isolation))
}

// accountsKept bounds the cache of account numbers; beyond it is emptied.
const accountsKept = 100_000

// serverKey is under what a connection keeps which server it leads to.
const serverKey = "capstan server"

// number gives the accounts their numbers, which they keep for ever. Accounts
// that have none get one in a transaction of its own: one that nothing is
// posted to harms nobody. The numbers are those of the server that conn leads to:
// one that takes its place may lack the last that it gave.
func (s *Store) number(ctx context.Context, conn *pgx.Conn, accounts map[ownAccount]int64) error {
	server, _ := conn.PgConn().CustomData()[serverKey].(string)
	var fresh []ownAccount
	s.accountsMu.RLock()
	same := s.accountsOf == server
	for a := range accounts {
		if id, ok := s.accounts[a]; ok && same {
			accounts[a] = id
		} else {
			fresh = append(fresh, a)
		}
	}
	s.accountsMu.RUnlock()
	if len(fresh) == 0 {
		return nil
	}
	found, err := s.addAccounts(ctx, server, fresh)
	if err != nil {
		return fmt.Errorf("postgres: number accounts: %w", err)
	}
	s.accountsMu.Lock()
	defer s.accountsMu.Unlock()
	if s.accountsOf != server || len(s.accounts)+len(fresh) > accountsKept {
		clear(s.accounts)
		s.accountsOf = server
	}
	for _, a := range fresh {
		id, ok := found[a]
		if !ok {
			return errors.New("postgres: an account has no number")
		}
		accounts[a], s.accounts[a] = id, id
	}
	return nil
}

// addAccounts numbers accounts on a server.
func (s *Store) addAccounts(ctx context.Context, server string, fresh []ownAccount) (map[ownAccount]int64, error) {
	var tenants, merchants, holders []int64
	var kinds []int16
	var currencies []string
	for _, a := range fresh {
		tenants, merchants, holders = append(tenants, a.tenant), append(merchants, a.Merchant), append(holders, a.Holder)
		kinds, currencies = append(kinds, int16(a.Kind)), append(currencies, string(a.Currency))
	}
	const these = `unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::bigint[], $5::text[]) AS t (tenant, merchant, kind, holder, currency)`
	conn, err := s.aside.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	if conn.Conn().PgConn().CustomData()[serverKey] != server {
		return nil, errors.New("the database is another one by now")
	}
	err = again(ctx, func() error {
		_, err := conn.Exec(ctx, `INSERT INTO accounts (tenant, merchant, kind, holder, currency)
			SELECT tenant, merchant, kind, holder, currency FROM `+these+` ORDER BY tenant, merchant, kind, holder, currency
			ON CONFLICT DO NOTHING`, tenants, merchants, kinds, holders, currencies)
		return err
	})
	if err != nil {
		return nil, err
	}
	found := make(map[ownAccount]int64, len(fresh))
	err = each(ctx, conn, `SELECT a.id, a.tenant, a.merchant, a.kind, a.holder, a.currency FROM `+these+`
		JOIN accounts a ON a.tenant = t.tenant AND a.merchant = t.merchant AND a.kind = t.kind AND a.holder = t.holder AND a.currency = t.currency`,
		func(r row) error {
			found[ownAccount{r.int(1), accountOf(r, 2)}] = r.int(0)
			return nil
		}, tenants, merchants, kinds, holders, currencies)
	return found, err
}

// accountOf reads merchant, kind, holder and currency from a column on.
func accountOf(r row, column int) ledger.Account {
	return ledger.Account{
		Merchant: r.int(column), Kind: ledger.Kind(r.int(column + 1)), Holder: r.int(column + 2), Currency: currencyOf(r, column+3),
	}
}

// entryText is the text of an array of account and amount in turns.
func entryText(b []byte, account, minor int64) []byte {
	if len(b) == 0 {
		b = append(b, '{')
	} else {
		b[len(b)-1] = ','
	}
	b = strconv.AppendInt(b, account, 10)
	b = append(b, ',')
	b = strconv.AppendInt(b, minor, 10)
	return append(b, '}')
}
