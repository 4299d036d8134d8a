package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// batch is a write transaction. It has the writer's turn until it is over.
type batch struct {
	w        *writer
	records  map[payment.Key]*store.Record        // of the keys that were looked up; nil is none
	payments map[payment.ID]*loaded               // of the payments that were looked up; nil is none
	counters map[store.Ref[string]]*store.Counter // that were loaded; nil until they are set
	moved    map[purse]int64                      // what wallet users have more, or less, than before
	over     bool
}

// loaded is a payment of a batch: as it was loaded, and where the changes of
// the batch have brought it.
type loaded struct {
	payment   *payment.Payment
	tenant    int64
	version   int
	lastEvent int64
}

// Begin implements store.Store. While another batch, or a change of the
// registry, is under way it waits.
func (s *Store) Begin(ctx context.Context, touched store.Touched) (store.Batch, error) {
	if err := s.writer.begin(ctx); err != nil {
		return nil, err
	}
	b := &batch{
		w:        s.writer,
		records:  make(map[payment.Key]*store.Record, len(touched.Keys)),
		payments: make(map[payment.ID]*loaded, len(touched.Payments)),
	}
	if err := b.load(touched); err != nil {
		return nil, b.end(err)
	}
	return b, nil
}

func (b *batch) load(touched store.Touched) error {
	for _, key := range touched.Keys {
		if _, err := b.record(key.Name); err != nil {
			return fmt.Errorf("load record: %w", err)
		}
		if r := b.records[key.Name]; r != nil && r.Tenant != key.Tenant {
			delete(b.records, key.Name)
		}
	}
	for _, id := range touched.Payments {
		if _, done := b.payments[id.Name]; done {
			continue
		}
		p, lastEvent, err := b.w.history.payment(id.Tenant, id.Name, 0)
		if err != nil {
			return fmt.Errorf("load payment %s: %w", id.Name, err)
		}
		if p != nil {
			b.payments[id.Name] = &loaded{payment: p, tenant: p.Tenant, version: p.Version, lastEvent: lastEvent}
		}
	}
	return nil
}

// Time implements store.Batch: one instance at a time has one clock.
func (b *batch) Time() time.Time { return time.Time{} }

func (b *batch) Record(key payment.Key) (store.Record, bool) {
	if r := b.records[key]; r != nil {
		return *r, true
	}
	return store.Record{}, false
}

func (b *batch) Payment(id payment.ID) *payment.Payment {
	if l := b.payments[id]; l != nil {
		return l.payment
	}
	return nil
}

func (b *batch) Payers(_ context.Context, now time.Time, of []store.PayerRef) ([]payment.Payer, error) {
	if b.over {
		return nil, errOver
	}
	payers := make([]payment.Payer, len(of))
	for i, ref := range of {
		payer := payment.Payer{User: ref.User, Frozen: true, GrantOver: ref.Grant != ""}
		user := b.w.stmt.payer
		user.BindText(1, string(ref.Currency))
		user.BindInt64(2, ref.User)
		user.BindInt64(3, ref.Tenant)
		err := each(user, func(row *sqlite.Stmt) error {
			payer.Frozen, payer.Available = row.ColumnBool(0), row.ColumnInt64(1)
			return nil
		})
		if err == nil && ref.Grant != "" {
			grant := b.w.stmt.grant
			grant.BindInt64(1, ref.Tenant)
			grant.BindText(2, ref.Grant)
			err = each(grant, func(row *sqlite.Stmt) error {
				g := grantOf(row)
				payer.GrantOver = g.User != ref.User || !g.Valid(now)
				return nil
			})
		}
		if err != nil {
			return nil, b.w.fault(fmt.Errorf("load wallet user %d: %w", ref.User, err))
		}
		payers[i] = payer
	}
	return payers, nil
}

var errOver = errors.New("sqlite: the batch is over")

// Rollback implements store.Batch.
func (b *batch) Rollback() {
	if !b.over {
		b.end(errOver)
	}
}

// Commit implements store.Batch.
func (b *batch) Commit(_ context.Context, changes []store.Change) error {
	if b.over {
		return errOver
	}
	return b.end(b.write(changes))
}

// end ends the transaction.
func (b *batch) end(err error) error {
	b.over = true
	return b.w.end(err)
}
