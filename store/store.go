// Package store says what Capstan needs of a database. A store keeps events,
// the state they fold to, postings, idempotency records, timers and the
// registry of merchants; it knows no wire format and makes no decisions.
//
// Implementations are in the packages below; the promises are written as
// tests in storetest, and every store passes all of them.
//
// Times are kept to the millisecond and come back in UTC.
package store

import (
	"context"
	"errors"
	"time"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/wallet"
)

// What a store may answer instead of doing what it was asked. Everything else
// is a fault that is neither the caller's nor expected.
var (
	// ErrConflict: nothing was written; a payment had moved on, or a key was
	// taken, since it was loaded. Load again and decide again.
	ErrConflict = errors.New("store: conflict")

	// ErrUnknown: it cannot be said whether anything was written. Look for
	// the records before trying again.
	ErrUnknown = errors.New("store: outcome of the commit is unknown")

	// ErrFull: nothing was written, there is no room. It may be tried again
	// when there is.
	ErrFull = errors.New("store: no space left")

	// ErrBroken: the medium failed under a commit. The process must end; a
	// restart reads what is really there.
	ErrBroken = errors.New("store: storage failed")

	// ErrExists: something with that name is there already.
	ErrExists = errors.New("store: already exists")
)

// Store is a durable store. Its methods are safe for concurrent use; at most
// one Batch is open at a time per engine.
type Store interface {
	// Begin starts a batch and loads all that it may look at.
	Begin(context.Context, Touched) (Batch, error)

	// Claim returns up to limit timers due at or before now, earliest first,
	// and keeps them from other instances: they neither get them here nor can
	// they do them, as long as this instance is alive. It gets them again
	// until they are done.
	Claim(ctx context.Context, now time.Time, limit int) ([]payment.Timer, error)

	Reader
	Registry
	Outbox
	document.Store

	// Sweep forgets a little of what is over, at most limit rows of it, and
	// takes little time. What it tells that it has forgotten is gone. With More
	// there may be more to forget, and it is called again; without, all is gone
	// that was over an hour before. A pending record is never over.
	Sweep(ctx context.Context, over Over, limit int) (Swept, error)

	Close() error
}

// Shared is a Store that several instances use at once.
type Shared interface {
	Store

	// Instance is a number in [0, 1024) that no other running instance has.
	Instance() int

	// Now is the time of the store's own clock, without what a sandbox is
	// ahead of it.
	Now() time.Time

	// Follow has fn called with how far the sandbox's clock is ahead: now, and
	// whenever any instance has moved it.
	Follow(fn func(ahead time.Duration))
}

// Touched names what a batch may look at.
type Touched struct {
	Keys     []Ref[payment.Key]
	Payments []Ref[payment.ID]
}

// Over says of what Sweep may forget.
type Over struct {
	Before time.Time // records, counters and documents that expired then or earlier
	Grants time.Time // grants that expired then or earlier

	// Notices of what happened then or earlier, with their deliveries and
	// attempts, of which all are final.
	Notices time.Time
}

// Swept is what Sweep forgot.
type Swept struct {
	Records, Counters, Documents, Grants, Notices int
	More                                          bool
}

// Rows is how many rows that were; a notice counts as one, with all of its.
func (s Swept) Rows() int { return s.Records + s.Counters + s.Documents + s.Grants + s.Notices }

// Ref is a name within a tenant.
type Ref[Name comparable] struct {
	Tenant int64
	Name   Name
}

// Batch is one transaction over what was loaded. It is used by one goroutine,
// and ends with Commit or Rollback.
type Batch interface {
	// Time is when the batch takes place, by the clock that all instances
	// share; zero of a store that leaves it to the engine's.
	Time() time.Time

	// Record returns what is kept under a key that was touched, if anything.
	Record(payment.Key) (Record, bool)

	// Payment returns a touched payment as it is, or nil. It must not be
	// changed.
	Payment(payment.ID) *payment.Payment

	// Payers loads wallet users, in the order asked, as they were when the
	// batch began. A user that does not exist is returned frozen and without
	// money; a grant that does not exist, or is another user's, is over. What
	// they have cannot be spent by others until the batch ends, or those end
	// with ErrConflict, which may also come from here.
	Payers(ctx context.Context, now time.Time, of []PayerRef) ([]payment.Payer, error)

	// Counters loads counters, in the order asked. One that does not exist has
	// no value. With ErrConflict the batch has to begin again.
	Counters(ctx context.Context, of []Ref[string]) ([]Counter, error)

	// Commit writes all changes or none. When it returns nil they are durable.
	// Otherwise the error is one of ErrConflict, ErrUnknown, ErrFull and
	// ErrBroken, or a fault after which nothing was written.
	Commit(context.Context, []Change) error

	// Rollback ends the batch without writing. After Commit it does nothing.
	Rollback()
}

// PayerRef names a wallet user, the currency to be paid in, and the grant by
// which he is charged; an empty Grant is none.
type PayerRef struct {
	Tenant   int64
	User     int64
	Currency money.Currency
	Grant    string
}

// Counter is a number, or a few, that risk checks keep from one command to the
// next. What the value means is not the store's business.
type Counter struct {
	Tenant  int64
	Name    string
	Value   []byte
	Expires time.Time // it may be forgotten from then on
}

// Change is all that follows from one command.
type Change struct {
	// Record is to be kept under Record.Key. With Resolves set it replaces a
	// pending record, which must be there; else the key must be free, or its
	// record past its expiry at Record.At. A pending record never is: it waits
	// for its answer. A zero key keeps nothing.
	Record   Record
	Resolves bool

	// Payment is the state after Events, which are not empty then; nil leaves
	// the payment alone. Its stored version must be Version-len(Events).
	Payment *payment.Payment
	Events  []payment.Event
	Entries []ledger.Entry // Entries[i] belongs to Events[i]

	// Done are timers to be removed: one that is gone, has another Attempt by
	// now, or was claimed by another instance is ErrConflict. Then Timers are set; one with the same Due, Kind,
	// Payment and Operation as an earlier one replaces it.
	Done   []payment.Timer
	Timers []payment.Timer

	// Notices tell of Events, with their deliveries, which are Waiting and
	// due. An ordered delivery is written without a due time while an earlier
	// one, of the same payment, dialect and endpoint, is Waiting. A notice that
	// is there already is ErrConflict.
	Notices []outbox.Notice

	// Documents are to be put, as PutDocument puts them; ErrExists and
	// ErrMoved of package document are what Commit answers then.
	Documents []document.Document

	// Counters are to be set. The batch must have loaded them, and Commit
	// answers ErrConflict when one was set by another batch since: no two
	// batches count from the same value. Of several changes of a batch that
	// set the same counter the last one stays.
	Counters []Counter
}

// Record is an idempotency record: what became of the request under a key.
type Record struct {
	Key         payment.Key
	Tenant      int64
	Fingerprint payment.Fingerprint
	Payment     payment.ID // 0: no payment
	Version     int        // of the payment right after the command
	Operation   int
	Refusal     *payment.Refusal
	Pending     bool // the processor has not answered yet
	At          time.Time
	Expires     time.Time // when the key is free again; zero is never
	Context     []byte

	// Stamp is a random number of the decision that left the record. Whoever
	// does not know whether his commit took place tells by it his record from
	// one that another instance has left for the same request. It says nothing
	// else: a store that has one instance need not keep it and shows 0, and it
	// is not moved with the record.
	Stamp int64
}

// Free tells whether at that moment another record may take r's key.
func (r Record) Free(at time.Time) bool {
	return !r.Pending && !r.Expires.IsZero() && !at.Before(r.Expires)
}

// Sized is a store that lies on a medium.
type Sized interface {
	// Size returns how many bytes the store takes: its data, and a log of
	// changes that are not in the data yet.
	Size(ctx context.Context) (data, log int64, err error)
}

// Reader reads. Each call sees one consistent state, not older than anything
// acknowledged before the call.
type Reader interface {
	// Payment returns a payment as it was at a version; 0 is the latest. It
	// returns nil when there is none.
	Payment(ctx context.Context, tenant int64, id payment.ID, version int) (*payment.Payment, error)

	// Events returns the payment's events, oldest first.
	Events(ctx context.Context, tenant int64, id payment.ID) ([]payment.Event, error)

	// Record returns what is kept under a key, expired or not.
	Record(ctx context.Context, tenant int64, key payment.Key) (Record, bool, error)

	// Due returns up to limit timers due at or before now, earliest first.
	Due(ctx context.Context, now time.Time, limit int) ([]payment.Timer, error)

	// Agenda returns the timers of one kind that are due at or before until, at
	// most limit, in the order they fall due.
	Agenda(ctx context.Context, kind payment.TimerKind, until time.Time, limit int) ([]payment.Timer, error)

	// NextDue returns when the next timer falls due; zero is never.
	NextDue(ctx context.Context) (time.Time, error)

	// List returns a page of a listing. What a change gives a place in one,
	// payment.Marks says; it is there with the change.
	List(ctx context.Context, l payment.Listing) ([]payment.Place, error)

	// Balances returns the balances of a merchant's accounts; 0 is of all.
	// Every currency that was ever posted appears.
	Balances(ctx context.Context, merchant int64) (ledger.Balances, error)

	// Trail returns all that is kept of a payment, whichever tenant's it is;
	// nil when there is none. It is for an operator who looks into one payment,
	// and may take as long as it takes to look through all records and timers.
	Trail(ctx context.Context, id payment.ID) (*Trail, error)

	// Audit calls fn with a view of one consistent state.
	Audit(ctx context.Context, fn func(Audit) error) error
}

// Audit walks through everything that was written. Each walk stops at the
// first error its callback returns, and returns it. Several may be under way at
// a time. None keeps more in memory than one payment needs, however much there
// is: what has to be sorted is sorted on disk.
type Audit interface {
	// States: the stored state rows, by payment.
	States(func(State) error) error
	// Events: all events, by payment and then by sequence from 1.
	Events(func(id payment.ID, sequence int, e payment.Event) error) error
	// Postings: all postings, by payment, then by the sequence of the event
	// they came with, then as they stand in its entry. Those of deposits come
	// first, with ID 0 and sequence 0.
	Postings(func(id payment.ID, sequence int, p ledger.Posting) error) error
	// Records: all idempotency records, by payment.
	Records(func(Record) error) error
	// Swept returns a moment: records that have expired by then may be gone,
	// because they were swept, or made room for another.
	Swept() (time.Time, error)
	// Timers: all timers, by payment.
	Timers(func(payment.Timer) error) error
	// WalletBalances: the guarded balance rows, in no particular order.
	WalletBalances(func(tenant int64, b wallet.Balance) error) error
	// Counters: all counters, in no particular order.
	Counters(func(Counter) error) error
	// Balances are what Reader.Balances says of all merchants.
	Balances() (ledger.Balances, error)
	// Acts: the log of administration, by number.
	Acts(func(Act) error) error
	// NoticesSwept returns a moment: notices of what happened by then may be
	// gone, because they were swept; zero is none.
	NoticesSwept() (time.Time, error)
	// Notices: all notices with their deliveries, by payment, version, dialect
	// and number. Told is how many deliveries the notice was written with.
	Notices(func(n outbox.Notice, told int) error) error
	// Deliveries: all deliveries, by payment, dialect, endpoint, version and
	// number, also those of which the notice is missing.
	Deliveries(func(outbox.Delivery) error) error
	// Attempts: all attempts, in the order of their deliveries, then as they
	// were made.
	Attempts(func(outbox.Attempt) error) error
	// Marks: all places in listings, by payment.
	Marks(func(Mark) error) error
	// Documents: all documents, in the order of their serials.
	Documents(func(document.Document) error) error
	// Strays says what the store itself finds out of place: rows that belong to
	// nothing, files that are damaged.
	Strays(func(what string) error) error
}

// Mark is a place in a listing of a merchant.
type Mark struct {
	Tenant   int64
	Merchant int64
	payment.Mark
}

// State is the narrow row that a change updates: a digest of the payment, kept
// beside its events so that it can be held against them.
type State struct {
	Payment    payment.ID
	Tenant     int64
	Merchant   int64
	Version    int
	Status     payment.Status
	UpdatedAt  time.Time
	Authorized int64
	Extended   int64
	Captured   int64
	Voided     int64
	Released   int64
	Refunded   int64
}

// StateOf returns the digest of a payment.
func StateOf(p *payment.Payment) State {
	return State{
		Payment: p.ID, Tenant: p.Tenant, Merchant: p.Merchant, Version: p.Version, Status: p.Status, UpdatedAt: p.UpdatedAt,
		Authorized: p.Authorized, Extended: p.Extended, Captured: p.Captured, Voided: p.Voided, Released: p.Released, Refunded: p.Refunded,
	}
}

// Sealed names a place where a sealed value is: a meta value, else a
// credential, else a document.
type Sealed struct {
	Meta       string
	Credential merchant.Credential // Dialect, Kind and Lookup count
	Document   document.Name
}

// Registry keeps what changes rarely: who may use the server, and how.
type Registry interface {
	// Meta returns a named value, nil if there is none. PutMeta sets it; with
	// once it leaves a value that is there and returns it.
	Meta(ctx context.Context, name string) ([]byte, error)
	PutMeta(ctx context.Context, name string, value []byte, once bool) ([]byte, error)

	// ClockAhead is how far the clock of a sandbox is ahead. MoveClock puts it
	// to at least so much ahead, never back, and returns how far it is then:
	// every instance that is alive has the new time.
	ClockAhead(ctx context.Context) (time.Duration, error)
	MoveClock(ctx context.Context, ahead time.Duration) (time.Duration, error)

	// CreateMerchant stores a new merchant with its credentials and gives it
	// an ID, and a tenant of its own when Tenant is 0. A credential that is
	// taken is ErrExists, and nothing is stored.
	CreateMerchant(ctx context.Context, m *merchant.Merchant, credentials []merchant.Credential) error
	// Merchant returns a merchant, nil if there is none.
	Merchant(ctx context.Context, id int64) (*merchant.Merchant, error)
	// Merchants returns all merchants, oldest first.
	Merchants(ctx context.Context) ([]merchant.Merchant, error)
	// UpdateMerchant replaces name, settings and the disabled mark.
	UpdateMerchant(ctx context.Context, m merchant.Merchant) error
	// Credential finds one by its lookup, nil if there is none.
	Credential(ctx context.Context, dialect, kind, lookup string) (*merchant.Credential, error)
	// Credentials returns all of a merchant's credentials.
	Credentials(ctx context.Context, merchant int64) ([]merchant.Credential, error)
	// PutCredential stores a credential, replacing one with the same lookup.
	PutCredential(ctx context.Context, c merchant.Credential) error

	// SealedDocuments returns up to limit documents that have a sealed part and
	// a serial beyond after, in the order of their serials.
	SealedDocuments(ctx context.Context, after int64, limit int) ([]document.Document, error)
	// SwapSealed puts fresh in the place of a sealed value, if that is still
	// old, and tells whether it was. Nothing else changes, no version either.
	SwapSealed(ctx context.Context, at Sealed, old, fresh []byte) (bool, error)

	// CreateUser stores a wallet user with an opening balance, posted from
	// the issuance account of merchant m, and gives it an ID.
	CreateUser(ctx context.Context, m int64, u *wallet.User, opening []wallet.Balance, at time.Time) error
	// Deposit posts what b has from the issuance account of merchant m to the
	// user's wallet, or takes it back when it is negative. It is an error, and
	// nothing is posted, when the balance would become negative.
	Deposit(ctx context.Context, m, tenant int64, b wallet.Balance, at time.Time) error
	// User returns a wallet user with its balances by currency, nil if there
	// is none.
	User(ctx context.Context, tenant, id int64) (*wallet.User, []wallet.Balance, error)
	// UpdateUser replaces the frozen mark.
	UpdateUser(ctx context.Context, u wallet.User) error
	// PutGrant stores a grant, replacing one with the same name.
	PutGrant(ctx context.Context, g wallet.Grant) error
	// Grant returns a grant by its name, nil if there is none.
	Grant(ctx context.Context, tenant int64, name string) (*wallet.Grant, error)
	// UseGrant revokes a grant, and tells whether it was there and not revoked
	// before: of several callers at once, one is told so.
	UseGrant(ctx context.Context, tenant int64, name string) (bool, error)

	Acts
}
