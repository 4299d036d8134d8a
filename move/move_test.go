package move_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/move"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/sqlite"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// spoiled is a store that keeps a parcel with something changed.
type spoiled struct {
	*sqlite.Store
	spoil func(*store.Parcel)
}

func (s spoiled) Import(ctx context.Context, p *store.Parcel) error {
	s.spoil(p)
	return s.Store.Import(ctx, p)
}

func open(t *testing.T) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "s.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// source is a store with a little in it.
func source(t *testing.T) *sqlite.Store {
	t.Helper()
	s := open(t)
	m := merchant.Merchant{Name: "Shop", CreatedAt: noon}
	if err := s.CreateMerchant(t.Context(), &m, []merchant.Credential{{Dialect: "test", Kind: "key", Lookup: "k", Sealed: []byte("s")}}); err != nil {
		t.Fatal(err)
	}
	b, err := s.Begin(t.Context(), store.Touched{})
	if err != nil {
		t.Fatal(err)
	}
	held := ledger.Account{Merchant: m.ID, Kind: ledger.Held, Currency: "USD"}
	from := ledger.Account{Merchant: m.ID, Kind: ledger.Acquirer, Currency: "USD"}
	err = b.Commit(t.Context(), []store.Change{{
		Record:  store.Record{Key: payment.NewKey(m.Tenant, "test", "k"), Tenant: m.Tenant, Payment: 1, Version: 1, At: noon},
		Payment: &payment.Payment{ID: 1, Tenant: m.Tenant, Merchant: m.ID, Version: 1, Authorized: 5},
		Events:  []payment.Event{{Kind: payment.HoldAuthorized, At: noon, Amount: 5}}, Entries: []ledger.Entry{ledger.Move(5, from, held)},
		Timers: []payment.Timer{{Due: noon, Kind: payment.DeadlineTimer, Tenant: m.Tenant, Merchant: m.ID, Payment: 1}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Whatever is missing or different in the target is found, and then nobody is
// let at either end.
func TestWhatDiffersIsFound(t *testing.T) {
	for name, spoil := range map[string]func(*store.Parcel){
		"merchants": func(p *store.Parcel) {
			for i := range p.Merchants {
				p.Merchants[i].Disabled = true
			}
		},
		"credentials":         func(p *store.Parcel) { p.Credentials = nil },
		"idempotency records": func(p *store.Parcel) { p.Records = nil },
		"timers": func(p *store.Parcel) {
			for i := range p.Timers {
				p.Timers[i].Attempt++
			}
		},
		"payments": func(p *store.Parcel) {
			for i := range p.Payments {
				p.Payments[i].Entries[0][0].Minor++
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			from, to := source(t), open(t)
			r, err := move.Run(t.Context(), move.Place{Movable: from, Name: "from"}, move.Place{Movable: spoiled{to, spoil}, Name: "to"}, nil)
			if !errors.Is(err, move.ErrDiffers) || !strings.Contains(err.Error(), name) {
				t.Errorf("it says %v (%+v)", err, r)
			}
			for _, s := range []store.Store{from, to} {
				if move.Check(t.Context(), s) == nil {
					t.Error("it may be served")
				}
			}
		})
	}
}

// A move that is given up leaves the source as it was; once it has ended it
// cannot be given up, nor made again.
func TestAbandon(t *testing.T) {
	from := move.Place{Movable: source(t), Name: "from"}
	broken := errors.New("broken")
	bad := move.Place{Movable: spoiled{open(t), func(p *store.Parcel) {
		if len(p.Payments) > 0 {
			panic(broken)
		}
	}}, Name: "bad"}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("it went through")
			}
		}()
		_, _ = move.Run(t.Context(), from, bad, nil)
	}()
	good := move.Place{Movable: open(t), Name: "good"}
	if err := move.Abandon(t.Context(), from); err != nil || move.Check(t.Context(), from) != nil {
		t.Fatalf("give up: %v, %v", err, move.Check(t.Context(), from))
	}
	if _, err := move.Run(t.Context(), from, bad, nil); !errors.Is(err, move.ErrNotEmpty) {
		t.Errorf("into what was given up: %v", err)
	}
	r, err := move.Run(t.Context(), from, good, nil)
	if err != nil || move.Check(t.Context(), good) != nil || r.Rows == 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	if err := move.Abandon(t.Context(), from); !errors.Is(err, move.ErrMoved) {
		t.Errorf("give up what has ended: %v", err)
	}
	if _, err := move.Run(t.Context(), from, move.Place{Movable: open(t), Name: "other"}, nil); !errors.Is(err, move.ErrMoved) {
		t.Errorf("move it again: %v", err)
	}
}
