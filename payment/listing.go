package payment

import (
	"cmp"
	"time"
)

// Label is a name by which a payment, or an operation of one, is found again:
// a merchant's own name for it, the payer's account, whatever its dialect is
// asked for. Several may share one. A label that was given once stays, also
// when the intake is revised: whoever looks it up looks at what he finds.
type Label struct {
	Kind  string // the dialect's own word, such as "begateway.tracking_id"; never empty
	Value string
}

// ToReview is the label of operations that the risk checks want an operator to
// look at. It gives a place among all of a merchant's.
var ToReview = Label{Kind: "risk.review"}

// Place is where something stands in a listing: places are in the order of
// their moments, then of payments, then of operations.
type Place struct {
	At        time.Time // when the payment was created, or the operation asked for
	Payment   ID
	Operation int // 0 is the payment as a whole
}

// Compare orders places, the older first.
func (p Place) Compare(q Place) int {
	return cmp.Or(cmp.Compare(p.At.UnixMilli(), q.At.UnixMilli()), cmp.Compare(p.Payment, q.Payment), cmp.Compare(p.Operation, q.Operation))
}

// Place is where the payment stands in listings of payments. It never changes.
func (p *Payment) Place() Place { return Place{At: p.CreatedAt, Payment: p.ID} }

// Listing asks for a page of what one merchant has: all payments, or whatever
// has a label.
//
// Nothing that is listed ever moves or goes. So pages that are each asked for
// after the last place of the one before have everything that was there when
// the first was read, once, and in order, whatever is created meanwhile. What
// is created meanwhile stands by its moment: it is seen if its place is still
// ahead. Moments are those of the clock, which may be set back, and on several
// instances a commit may be overtaken by a later one: who wants to hear of
// everything new asks again from a little earlier than what he saw last.
type Listing struct {
	Tenant   int64
	Merchant int64
	Label    Label // the zero label is all payments

	From  time.Time // not before this moment; zero is no bound
	Until time.Time // before this moment; zero is no bound

	After       Place // beyond this place; the zero place is where the listing begins
	OldestFirst bool  // the newest come first otherwise
	Limit       int   // how many at most
}

// Bounds are the places between which the page is, both exclusive; the zero
// place is no bound.
func (l Listing) Bounds() (low, high Place) {
	if !l.From.IsZero() {
		low = Place{At: ceil(l.From)}
	}
	if !l.Until.IsZero() {
		high = Place{At: ceil(l.Until)}
	}
	switch after := l.After; {
	case after == Place{}:
	case l.OldestFirst:
		if (low == Place{}) || after.Compare(low) > 0 {
			low = after
		}
	default:
		if (high == Place{}) || after.Compare(high) < 0 {
			high = after
		}
	}
	return low, high
}

// ceil is the first millisecond that is not before t: places count to the
// millisecond.
func ceil(t time.Time) time.Time {
	if whole := instant(t); !whole.Equal(t) {
		return whole.Add(time.Millisecond)
	}
	return instant(t)
}

// Mark is a place that an event gives its payment, or an operation of it, in a
// listing.
type Mark struct {
	Label Label
	Place
}

// Marks are the places that event e gives payment p, which has seen it. Nearly
// all events give none.
func (p *Payment) Marks(e *Event) []Mark {
	var marks []Mark
	if e.Kind == PaymentCreated {
		marks = append(marks, Mark{Place: p.Place()})
	}
	if e.Intake != nil {
		for _, l := range e.Intake.Labels {
			marks = append(marks, Mark{l, p.Place()})
		}
	}
	if e.Asked != nil && len(e.Asked.Labels) > 0 {
		if op := p.Op(e.Operation); op != nil {
			for _, l := range e.Asked.Labels {
				marks = append(marks, Mark{l, Place{At: op.At, Payment: p.ID, Operation: op.Number}})
			}
		}
	}
	return marks
}
