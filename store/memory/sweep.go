package memory

import (
	"context"

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
	return done, nil
}
