package memory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/wallet"
)

// batch holds what was loaded. Unlike in a database several may be open at
// once: what has changed since is found by Commit.
type batch struct {
	s        *Store
	records  map[payment.Key]store.Record
	payments map[payment.ID]*payment.Payment
	counters map[store.Ref[string]]int // the versions that were loaded
	over     bool
}

// Begin implements store.Store.
func (s *Store) Begin(ctx context.Context, touched store.Touched) (store.Batch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &batch{s: s, records: map[payment.Key]store.Record{}, payments: map[payment.ID]*payment.Payment{}, counters: map[store.Ref[string]]int{}}
	for _, key := range touched.Keys {
		if r, ok := s.record(key.Tenant, key.Name); ok {
			b.records[key.Name] = r
		}
	}
	for _, id := range touched.Payments {
		p, err := s.payment(id.Tenant, id.Name, 0)
		if err != nil {
			return nil, err
		}
		if p != nil {
			b.payments[id.Name] = p
		}
	}
	return b, nil
}

// Time implements store.Batch.
func (b *batch) Time() time.Time { return time.Time{} }

func (b *batch) Record(key payment.Key) (store.Record, bool) {
	r, ok := b.records[key]
	return r, ok
}

func (b *batch) Payment(id payment.ID) *payment.Payment { return b.payments[id] }

func (b *batch) Payers(_ context.Context, now time.Time, of []store.PayerRef) ([]payment.Payer, error) {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	payers := make([]payment.Payer, len(of))
	for i, ref := range of {
		payer := payment.Payer{User: ref.User, Frozen: true}
		if u := b.s.user(ref.Tenant, ref.User); u != nil {
			payer.Frozen = u.Frozen
			payer.Available = b.s.purses[purse{ref.User, ref.Currency}]
		}
		if ref.Grant != "" {
			g, ok := b.s.grants[grantName{ref.Tenant, ref.Grant}]
			payer.GrantOver = !ok || g.User != ref.User || !g.Valid(now)
		}
		payers[i] = payer
	}
	return payers, nil
}

func (b *batch) Counters(_ context.Context, of []store.Ref[string]) ([]store.Counter, error) {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	counters := make([]store.Counter, len(of))
	for i, ref := range of {
		c := b.s.counters[ref]
		c.Tenant, c.Name = ref.Tenant, ref.Name
		b.counters[ref], counters[i] = c.version, c.Counter
	}
	return counters, nil
}

func (b *batch) Rollback() { b.over = true }

func (b *batch) Commit(_ context.Context, changes []store.Change) error {
	if b.over {
		return errors.New("memory: the batch is over")
	}
	b.over = true
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	w := &writing{s: b.s, moved: map[purse]int64{}, counted: b.counters}
	err := w.changes(changes)
	if err != nil {
		w.undo()
	}
	return err
}

// writing is a commit that can still be undone.
type writing struct {
	s       *Store
	undos   []func()
	moved   map[purse]int64           // what wallet users have more, or less, than before
	counted map[store.Ref[string]]int // the versions of the counters the batch has loaded, or set
}

func (w *writing) undo() {
	for _, undo := range slices.Backward(w.undos) {
		undo()
	}
}

func (w *writing) changes(changes []store.Change) error {
	for i := range changes {
		c := &changes[i]
		for _, write := range []func(*store.Change) error{w.record, w.payment, w.timers, w.notices, w.counters, w.documents} {
			if err := write(c); err != nil {
				return err
			}
		}
	}
	return w.purses()
}

func (w *writing) record(c *store.Change) error {
	r := c.Record
	if r.Key == (payment.Key{}) {
		return nil
	}
	old, taken := w.s.records[r.Key]
	switch {
	case c.Resolves && !(taken && old.Pending && old.Tenant == r.Tenant):
		return store.ErrConflict
	case !c.Resolves && taken && !old.Free(r.At):
		return store.ErrConflict
	}
	w.s.records[r.Key] = r
	w.undos = append(w.undos, func() {
		if delete(w.s.records, r.Key); taken {
			w.s.records[r.Key] = old
		}
	})
	return nil
}

func (w *writing) payment(c *store.Change) error {
	p := c.Payment
	if p == nil {
		return nil
	}
	if len(c.Events) == 0 || len(c.Entries) != len(c.Events) {
		return fmt.Errorf("memory: payment %s changes by %d events with %d entries", p.ID, len(c.Events), len(c.Entries))
	}
	old := w.s.payments[p.ID]
	now := history{tenant: p.Tenant, merchant: p.Merchant}
	if old != nil {
		now = *old
	}
	if now.tenant != p.Tenant || len(now.events) != p.Version-len(c.Events) {
		return store.ErrConflict
	}
	now.events = append(slices.Clip(now.events), c.Events...)
	now.entries = append(slices.Clip(now.entries), c.Entries...)
	now.state = store.StateOf(p)
	w.s.payments[p.ID] = &now
	w.undos = append(w.undos, func() {
		if w.s.payments[p.ID] = old; old == nil {
			delete(w.s.payments, p.ID)
		}
	})
	for i, entry := range c.Entries {
		w.move(entry)
		w.marks(p, &c.Events[i])
	}
	return nil
}

func (w *writing) timers(c *store.Change) error {
	for _, t := range c.Done {
		old, there := w.s.timers[nameOf(t)]
		if !there || old.Attempt != t.Attempt {
			return store.ErrConflict
		}
		delete(w.s.timers, nameOf(t))
		w.undos = append(w.undos, func() { w.s.timers[nameOf(t)] = old })
	}
	for _, t := range c.Timers {
		old, there := w.s.timers[nameOf(t)]
		w.s.timers[nameOf(t)] = t
		w.undos = append(w.undos, func() {
			if delete(w.s.timers, nameOf(t)); there {
				w.s.timers[nameOf(t)] = old
			}
		})
	}
	return nil
}

func (w *writing) counters(c *store.Change) error {
	for _, set := range c.Counters {
		name := store.Ref[string]{Tenant: set.Tenant, Name: set.Name}
		version, loaded := w.counted[name]
		old, there := w.s.counters[name]
		switch {
		case !loaded:
			return fmt.Errorf("memory: counter %q is set and was not loaded", set.Name)
		case old.version != version:
			return store.ErrConflict
		}
		w.counted[name] = version + 1
		set.Value = slices.Clone(set.Value)
		w.s.counters[name] = counter{set, version + 1}
		w.undos = append(w.undos, func() {
			if w.s.counters[name] = old; !there {
				delete(w.s.counters, name)
			}
		})
	}
	return nil
}

// move notes what an entry gives to wallet users and takes from them.
func (w *writing) move(entry ledger.Entry) {
	for _, p := range entry {
		if p.Account.Kind == ledger.Wallet {
			w.moved[purse{p.Account.Holder, p.Account.Currency}] += p.Minor
		}
	}
}

// purses brings the guarded balances up to date.
func (w *writing) purses() error {
	for of, minor := range w.moved {
		if minor == 0 {
			continue
		}
		old, there := w.s.purses[of]
		sum, err := money.Sum(old, minor)
		if err == nil && sum < 0 {
			err = errors.New("it would be negative")
		}
		if err == nil && !there && !slices.ContainsFunc(w.s.users, func(u wallet.User) bool { return u.ID == of.user }) {
			err = errors.New("there is no such user")
		}
		if err != nil {
			return fmt.Errorf("memory: balance of wallet user %d in %s: %w", of.user, of.currency, err)
		}
		w.s.purses[of] = sum
		w.undos = append(w.undos, func() {
			if w.s.purses[of] = old; !there {
				delete(w.s.purses, of)
			}
		})
	}
	return nil
}
