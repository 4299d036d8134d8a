// Package memory is the plainest possible store: maps behind a mutex. Nothing
// survives the process. It serves as a test double, and as the model that the
// durable stores are compared with.
package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/wallet"
)

// Store is a store.Store in memory.
type Store struct {
	mu sync.Mutex

	payments map[payment.ID]*history
	records  map[payment.Key]store.Record
	timers   map[timerName]payment.Timer
	deposits []ledger.Entry
	purses   map[purse]int64
	counters map[store.Ref[string]]counter
	outbox   mail
	marks    map[store.Mark]struct{}

	documents map[document.Name]document.Document
	serial    int64 // the last one given

	swept time.Time // records that expired by then may be gone

	meta        map[string][]byte
	ahead       time.Duration
	merchants   []merchant.Merchant
	credentials []merchant.Credential
	users       []wallet.User
	grants      map[grantName]wallet.Grant
	acts        []store.Act
}

// history is all there is of one payment.
type history struct {
	tenant, merchant int64
	events           []payment.Event
	entries          []ledger.Entry
	state            store.State
}

// purse names a guarded wallet balance.
type purse struct {
	user     int64
	currency money.Currency
}

// timerName is what two timers cannot have in common.
type timerName struct {
	due       int64
	kind      payment.TimerKind
	payment   payment.ID
	operation int
}

func nameOf(t payment.Timer) timerName {
	return timerName{t.Due.UnixMilli(), t.Kind, t.Payment, t.Operation}
}

// counter is a counter and how often it was set.
type counter struct {
	store.Counter
	version int
}

type grantName struct {
	tenant int64
	name   string
}

// Open returns an empty store.
func Open() *Store {
	return &Store{
		payments: map[payment.ID]*history{},
		records:  map[payment.Key]store.Record{},
		timers:   map[timerName]payment.Timer{},
		purses:   map[purse]int64{},
		counters: map[store.Ref[string]]counter{},
		outbox:   newMail(),
		marks:    map[store.Mark]struct{}{},

		documents: map[document.Name]document.Document{},
		meta:      map[string][]byte{},
		grants:    map[grantName]wallet.Grant{},
	}
}

// Close does nothing.
func (s *Store) Close() error { return nil }

// Payment implements store.Reader.
func (s *Store) Payment(_ context.Context, tenant int64, id payment.ID, version int) (*payment.Payment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.payment(tenant, id, version)
}

func (s *Store) payment(tenant int64, id payment.ID, version int) (*payment.Payment, error) {
	h := s.payments[id]
	if h == nil || h.tenant != tenant || version < 0 || version > len(h.events) {
		return nil, nil
	}
	if version == 0 {
		version = len(h.events)
	}
	return payment.Fold(id, h.tenant, h.merchant, h.events[:version])
}

// Events implements store.Reader.
func (s *Store) Events(_ context.Context, tenant int64, id payment.ID) ([]payment.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.payments[id]
	if h == nil || h.tenant != tenant {
		return nil, nil
	}
	return slices.Clone(h.events), nil
}

// Record implements store.Reader.
func (s *Store) Record(_ context.Context, tenant int64, key payment.Key) (store.Record, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.record(tenant, key)
	return r, ok, nil
}

func (s *Store) record(tenant int64, key payment.Key) (store.Record, bool) {
	r, ok := s.records[key]
	if !ok || r.Tenant != tenant {
		return store.Record{}, false
	}
	return r, true
}

// Due implements store.Reader.
func (s *Store) Due(_ context.Context, now time.Time, limit int) ([]payment.Timer, error) {
	return s.due(limit, func(t payment.Timer) bool { return !t.Due.After(now) }), nil
}

// Agenda implements store.Reader.
func (s *Store) Agenda(_ context.Context, kind payment.TimerKind, until time.Time, limit int) ([]payment.Timer, error) {
	return s.due(limit, func(t payment.Timer) bool { return t.Kind == kind && !t.Due.After(until) }), nil
}

// due returns the first timers that are wanted.
func (s *Store) due(limit int, wanted func(payment.Timer) bool) []payment.Timer {
	s.mu.Lock()
	defer s.mu.Unlock()
	var due []payment.Timer
	for _, t := range s.timers {
		if wanted(t) {
			due = append(due, t)
		}
	}
	slices.SortFunc(due, byDue)
	return due[:min(limit, len(due))]
}

// Claim implements store.Store: there is one instance, so all is its own.
func (s *Store) Claim(ctx context.Context, now time.Time, limit int) ([]payment.Timer, error) {
	return s.Due(ctx, now, limit)
}

func byDue(a, b payment.Timer) int {
	return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.Payment, b.Payment), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Operation, b.Operation))
}

// NextDue implements store.Reader.
func (s *Store) NextDue(context.Context) (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var next time.Time
	for _, t := range s.timers {
		if next.IsZero() || t.Due.Before(next) {
			next = t.Due
		}
	}
	return next, nil
}

// Balances implements store.Reader.
func (s *Store) Balances(_ context.Context, merchant int64) (ledger.Balances, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.balances(merchant), nil
}

func (s *Store) balances(merchant int64) ledger.Balances {
	balances := ledger.Balances{}
	add := func(entry ledger.Entry) {
		for _, p := range entry {
			if merchant == 0 || p.Account.Merchant == merchant {
				balances[p.Account] += p.Minor
			}
		}
	}
	for _, entry := range s.deposits {
		add(entry)
	}
	for _, h := range s.payments {
		for _, entry := range h.entries {
			add(entry)
		}
	}
	return balances
}

// Audit implements store.Reader. The view is a copy, so fn may use the store.
func (s *Store) Audit(_ context.Context, fn func(store.Audit) error) error {
	s.mu.Lock()
	view := &audit{
		records:  slices.Collect(maps.Values(s.records)),
		timers:   slices.Collect(maps.Values(s.timers)),
		deposits: slices.Clone(s.deposits),
		purses:   maps.Clone(s.purses),
		counters: slices.Collect(maps.Values(s.counters)),
		users:    slices.Clone(s.users),
		acts:     slices.Clone(s.acts),
		outbox:   s.outbox.clone(),
		latest:   s.swept,
		marks:    slices.Collect(maps.Keys(s.marks)),
		documents: slices.SortedFunc(maps.Values(s.documents), func(a, b document.Document) int {
			return cmp.Compare(a.Serial, b.Serial)
		}),
	}
	for _, h := range s.payments {
		view.payments = append(view.payments, *h)
	}
	view.balances = s.balances(0)
	s.mu.Unlock()
	for _, r := range view.records {
		if r.At.After(view.latest) {
			view.latest = r.At
		}
	}
	slices.SortFunc(view.records, func(a, b store.Record) int { return cmp.Compare(a.Payment, b.Payment) })
	slices.SortFunc(view.timers, func(a, b payment.Timer) int { return cmp.Or(cmp.Compare(a.Payment, b.Payment), byDue(a, b)) })
	slices.SortFunc(view.marks, func(a, b store.Mark) int { return cmp.Compare(a.Payment, b.Payment) })
	slices.SortFunc(view.payments, func(a, b history) int { return cmp.Compare(a.state.Payment, b.state.Payment) })
	return fn(view)
}
