package move

import (
	"iter"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// payments puts the states, events and postings of each payment together.
func payments(v store.Export, visit visitor) (err error) {
	events, stopEvents := follow(func(yield func(place, payment.Event) error) error {
		return v.Events(func(id payment.ID, sequence int, e payment.Event) error { return yield(place{id, sequence}, e) })
	})
	postings, stopPostings := follow(func(yield func(place, ledger.Posting) error) error {
		return v.Postings(func(id payment.ID, sequence int, p ledger.Posting) error {
			if id == 0 { // a deposit's
				return nil
			}
			return yield(place{id, sequence}, p)
		})
	})
	defer func() {
		for _, stop := range []func() error{stopEvents, stopPostings} {
			if e := stop(); e != nil {
				err = e
			}
		}
	}()
	event, moreEvents := events()
	posting, morePostings := postings()
	err = v.States(func(s store.State) error {
		h := store.History{State: s}
		for i := 1; i <= s.Version; i++ {
			if !moreEvents || event.at != (place{s.Payment, i}) {
				return errUnjoined
			}
			h.Events = append(h.Events, event.of)
			var entry ledger.Entry
			for morePostings && posting.at == event.at {
				entry = append(entry, posting.of)
				posting, morePostings = postings()
			}
			h.Entries = append(h.Entries, entry)
			event, moreEvents = events()
		}
		return visit(1+len(h.Events), func(p *store.Parcel) { p.Payments = append(p.Payments, h) }, func(d *sum) { d.history(h) })
	})
	if err == nil && (moreEvents || morePostings) {
		err = errUnjoined
	}
	return err
}

// place is of which event something is.
type place struct {
	payment  payment.ID
	sequence int
}

type placed[T any] struct {
	at place
	of T
}

// follow returns a function that gives the items of a walk one by one, and
// another that ends the walk and returns what went wrong with it.
func follow[T any](walk func(yield func(place, T) error) error) (next func() (placed[T], bool), end func() error) {
	var failed error
	pull, stop := iter.Pull(func(yield func(placed[T]) bool) {
		stopped := false
		err := walk(func(at place, of T) error {
			if !yield(placed[T]{at, of}) {
				stopped = true
				return errUnjoined
			}
			return nil
		})
		if !stopped {
			failed = err
		}
	})
	return pull, func() error {
		stop()
		return failed
	}
}

func (s *sum) history(h store.History) {
	of := h.State
	s.number(int64(of.Payment), of.Tenant, of.Merchant, int64(of.Version), int64(of.Status),
		of.Authorized, of.Extended, of.Captured, of.Voided, of.Released, of.Refunded)
	s.time(of.UpdatedAt)
	for i := range h.Events {
		e := &h.Events[i]
		s.number(int64(e.Kind), int64(e.Operation), e.Amount)
		s.time(e.At)
		s.bytes(e.AppendBody(nil))
		s.entry(h.Entries[i])
	}
}
