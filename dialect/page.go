package dialect

import (
	"context"

	"github.com/capstan-pay/capstan/payment"
)

// Found is something on a page: a payment as it is now, and the operation that
// has the label that was asked for, if it is one's.
type Found struct {
	Place   payment.Place
	Payment *payment.Payment
}

// Operation is the operation that was found, nil if it is the payment itself.
func (f Found) Operation() *payment.Operation { return f.Payment.Op(f.Place.Operation) }

// readAhead is how many places are read at a time while few are wanted.
const readAhead = 100

// Page returns what of a listing is wanted, from where l begins and up to
// l.Limit, and whether there is more. Holds that are over are closed before
// they are shown. A nil wanted is everything.
//
// The next page begins after the Place of the last one here. A wanted that
// refuses nearly everything makes a page as dear as the listing is long: label
// what is looked for often.
func (s *Services) Page(ctx context.Context, l payment.Listing, wanted func(Found) bool) (page []Found, more bool, err error) {
	limit := l.Limit
	for {
		if l.Limit = limit + 1 - len(page); wanted != nil {
			l.Limit = max(l.Limit, readAhead)
		}
		places, err := s.Listings.List(ctx, l)
		if err != nil {
			return nil, false, err
		}
		for _, place := range places {
			p, err := s.Engine.Payment(ctx, l.Tenant, l.Merchant, place.Payment)
			if err != nil {
				return nil, false, err
			}
			f := Found{Place: place, Payment: p}
			if p == nil || (wanted != nil && !wanted(f)) {
				continue
			}
			if len(page) == limit {
				return page, true, nil
			}
			page = append(page, f)
		}
		if len(places) < l.Limit {
			return page, false, nil
		}
		l.After = places[len(places)-1]
	}
}
