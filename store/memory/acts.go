package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// Administer implements store.Acts.
func (s *Store) Administer(_ context.Context, c store.Administration) (store.Act, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	act := c.Act
	var before store.Chain
	if n := len(s.acts); n > 0 {
		before = s.acts[n-1].Chain
	}
	if act.Number != int64(len(s.acts))+1 {
		return store.Act{}, store.ErrConflict
	}
	if c.Change != nil && (c.Change.ID < 1 || c.Change.ID > int64(len(s.merchants))) {
		return store.Act{}, fmt.Errorf("memory: there is no merchant %d", c.Change.ID)
	}
	put := slices.Clone(c.Put)
	for i := range put {
		if c.Create != nil {
			put[i].Merchant = int64(len(s.merchants)) + 1
		}
		if at := s.credential(put[i]); at >= 0 && s.credentials[at].Merchant != put[i].Merchant {
			return store.Act{}, store.ErrExists
		}
	}
	// From here on nothing fails.
	if c.Create != nil {
		s.create(c.Create)
		act.Merchant = c.Create.ID
	}
	if c.Change != nil {
		s.update(*c.Change)
	}
	for name, value := range c.Meta {
		s.meta[name] = append([]byte{}, value...)
	}
	for _, c := range put {
		s.keep(c)
	}
	act.Chain = act.Follow(before)
	s.acts = append(s.acts, act)
	return act, nil
}

// create gives a new merchant an ID, and a tenant if it has none.
func (s *Store) create(m *merchant.Merchant) {
	m.ID = int64(len(s.merchants)) + 1
	if m.Tenant == 0 {
		m.Tenant = m.ID
		for _, other := range s.merchants {
			m.Tenant = max(m.Tenant, other.Tenant+1)
		}
	}
	s.merchants = append(s.merchants, *m)
}

func (s *Store) update(m merchant.Merchant) {
	old := &s.merchants[m.ID-1]
	old.Name, old.Settings, old.Disabled = m.Name, m.Settings, m.Disabled
}

func (s *Store) keep(c merchant.Credential) {
	if i := s.credential(c); i >= 0 {
		s.credentials[i] = c
		return
	}
	s.credentials = append(s.credentials, c)
}

// Acts implements store.Acts.
func (s *Store) Acts(_ context.Context, merchant, before int64, limit int) ([]store.Act, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var acts []store.Act
	for _, a := range slices.Backward(s.acts) {
		if len(acts) < limit && (before == 0 || a.Number < before) && (merchant == 0 || a.Merchant == merchant) {
			acts = append(acts, a)
		}
	}
	return acts, nil
}

func (a *audit) Acts(fn func(store.Act) error) error {
	for _, act := range a.acts {
		if err := fn(act); err != nil {
			return err
		}
	}
	return nil
}

// Trail implements store.Reader.
func (s *Store) Trail(_ context.Context, id payment.ID) (*store.Trail, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.payments[id]
	if h == nil {
		return nil, nil
	}
	t := &store.Trail{State: h.state, Events: slices.Clone(h.events), Entries: make([]ledger.Entry, len(h.events))}
	for i, entry := range h.entries {
		if len(entry) > 0 {
			t.Entries[i] = slices.Clone(entry)
		}
	}
	for _, r := range s.records {
		if r.Payment == id {
			t.Records = append(t.Records, r)
		}
	}
	slices.SortFunc(t.Records, func(a, b store.Record) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Version, b.Version), slices.Compare(a.Key[:], b.Key[:]))
	})
	for _, timer := range s.timers {
		if timer.Payment == id {
			t.Timers = append(t.Timers, timer)
		}
	}
	slices.SortFunc(t.Timers, byDue)
	return t, nil
}
