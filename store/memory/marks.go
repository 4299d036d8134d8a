package memory

import (
	"context"
	"slices"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// marks writes the places that an event gives its payment.
func (w *writing) marks(p *payment.Payment, e *payment.Event) {
	for _, m := range p.Marks(e) {
		mark := store.Mark{Tenant: p.Tenant, Merchant: p.Merchant, Mark: m}
		if _, there := w.s.marks[mark]; there {
			continue
		}
		w.s.marks[mark] = struct{}{}
		w.undos = append(w.undos, func() { delete(w.s.marks, mark) })
	}
}

// List implements store.Reader.
func (s *Store) List(_ context.Context, l payment.Listing) ([]payment.Place, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	low, high := l.Bounds()
	var page []payment.Place
	for m := range s.marks {
		if m.Tenant == l.Tenant && m.Merchant == l.Merchant && m.Label == l.Label &&
			(low == payment.Place{} || m.Compare(low) > 0) && (high == payment.Place{} || m.Compare(high) < 0) {
			page = append(page, m.Place)
		}
	}
	slices.SortFunc(page, payment.Place.Compare)
	if !l.OldestFirst {
		slices.Reverse(page)
	}
	return append([]payment.Place(nil), page[:min(max(l.Limit, 0), len(page))]...), nil
}
