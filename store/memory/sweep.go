package memory

import (
	"context"
	"maps"
	"slices"

	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/store"
)

// Sweep implements store.Store.
func (s *Store) Sweep(_ context.Context, over store.Over, limit int) (done store.Swept, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	full := func() bool {
		done.More = done.More || done.Rows() >= limit
		return done.More
	}
	for key, r := range s.records {
		if r.Free(over.Before) && !full() {
			delete(s.records, key)
			done.Records++
			if over.Before.After(s.swept) {
				s.swept = over.Before
			}
		}
	}
	for name, c := range s.counters {
		if !c.Expires.After(over.Before) && !full() {
			delete(s.counters, name)
			done.Counters++
		}
	}
	for name, d := range s.documents {
		if d.Over(over.Before) && !full() {
			delete(s.documents, name)
			done.Documents++
		}
	}
	for name, g := range s.grants {
		if !g.ExpiresAt.After(over.Grants) && !full() {
			delete(s.grants, name)
			done.Grants++
		}
	}
	for id, n := range s.outbox.notices {
		waits := slices.ContainsFunc(s.outbox.whole(n).Deliveries, func(d outbox.Delivery) bool { return d.State == outbox.Waiting })
		if n.At.After(over.Notices) || waits || full() {
			continue
		}
		s.outbox.drop(id)
		done.Notices++
		if over.Notices.After(s.outbox.swept) {
			s.outbox.swept = over.Notices
		}
	}
	return done, nil
}

// drop forgets a notice with all that belongs to it.
func (m *mail) drop(id outbox.NoticeID) {
	delete(m.notices, id)
	maps.DeleteFunc(m.deliveries, func(of outbox.DeliveryID, _ outbox.Delivery) bool { return of.NoticeID == id })
	maps.DeleteFunc(m.attempts, func(of outbox.DeliveryID, _ []outbox.Attempt) bool { return of.NoticeID == id })
}
