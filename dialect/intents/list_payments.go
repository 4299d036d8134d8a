package intents

import (
	"context"
	"net/http"
	"slices"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/wireid"
)

// chargeLabel is the label of attempts, which are listed as charges where they
// made one.
var chargeLabel = payment.Label{Kind: Name + ".charge"}

// customerLabel is the label of intents that had a customer.
func customerLabel(id string) payment.Label {
	return payment.Label{Kind: Name + ".customer", Value: id}
}

// found is an object on a page: an intent, or something that an operation of
// one did.
type found struct {
	view
	op     *payment.Operation
	refund refund
	place  payment.Place
}

// below takes "data." off the paths of expand[], as lists have it.
func below(known []expansion) []expansion {
	under := make([]expansion, len(known))
	for i, e := range known {
		under[i] = expansion{"data." + e.path, e.gives}
	}
	return under
}

// listIntents answers GET /v1/payment_intents.
func (x *exchange) listIntents(ctx context.Context) *problem {
	l := x.params.listing()
	customer, _ := x.params.text("customer", 255)
	s, _ := x.expand(below(intentPaths))
	if bad := x.params.problem(); bad != nil {
		return bad
	}
	var label payment.Label
	if customer != "" {
		label = customerLabel(customer)
	}
	var from *payment.Place
	if id := l.cursor(); id != "" {
		name, _ := x.d.ParsePaymentID(id)
		v, problem := x.load(ctx, name)
		if problem != nil || v == nil {
			return or(problem, l.unknownCursor("payment_intent"))
		}
		place := v.p.Place()
		from = &place
	}
	page, more, problem := x.pagePayments(ctx, l, label, from, func(f *found) bool {
		return customer == "" || f.details.text(fieldCustomer) == customer
	})
	if problem != nil {
		return problem
	}
	x.reply(http.StatusOK, appendList(x.out(), "/v1/payment_intents", more, len(page), func(b []byte, i int) []byte {
		return x.d.appendIntent(b, &page[i].view, s)
	}))
	return nil
}

// listCharges answers GET /v1/charges.
func (x *exchange) listCharges(ctx context.Context) *problem {
	l := x.params.listing()
	customer, _ := x.params.text("customer", 255)
	of, _ := x.params.text("payment_intent", 255)
	s, _ := x.expand(below(chargePaths))
	if bad := x.params.problem(); bad != nil {
		return bad
	}
	var from *payment.Place
	if id := l.cursor(); id != "" {
		v, op, problem := x.findCharge(ctx, id)
		if problem != nil || op == nil {
			return or(problem, l.unknownCursor("charge"))
		}
		from = &payment.Place{At: op.At, Payment: v.p.ID, Operation: op.Number}
	}
	wanted := func(f *found) bool {
		return f.op != nil && hasCharge(f.op) && (customer == "" || f.details.text(fieldCustomer) == customer)
	}
	page, more, problem := x.pageOf(ctx, l, of, chargeLabel, from, wanted, func(v *view) []found {
		var all []found
		for i := range v.p.Operations {
			op := &v.p.Operations[i]
			all = append(all, found{view: *v, op: op, place: payment.Place{At: op.At, Payment: v.p.ID, Operation: op.Number}})
		}
		return all
	})
	if problem != nil {
		return problem
	}
	x.reply(http.StatusOK, appendList(x.out(), "/v1/charges", more, len(page), func(b []byte, i int) []byte {
		return x.d.appendCharge(b, &page[i].view, page[i].op, s)
	}))
	return nil
}

// listRefunds answers GET /v1/refunds. Of one intent or charge it has all,
// otherwise those that somebody asked for: not what a capture left or the
// deadline freed.
func (x *exchange) listRefunds(ctx context.Context) *problem {
	l := x.params.listing()
	of, _ := x.params.text("payment_intent", 255)
	charge, _ := x.params.text("charge", 255)
	s, _ := x.expand(below(refundPaths))
	if bad := x.params.problem(); bad != nil {
		return bad
	}
	if charge != "" {
		v, op, problem := x.findCharge(ctx, charge)
		switch {
		case problem != nil:
			return problem
		case op == nil:
			return missing(http.StatusBadRequest, "charge", "charge", charge)
		}
		id := x.d.PaymentID(v.p)
		if of != "" && of != id {
			return missing(http.StatusBadRequest, "charge", "charge", charge)
		}
		of = id
	}
	var from *payment.Place
	if id := l.cursor(); id != "" {
		v, r, problem := x.findRefund(ctx, id)
		if problem != nil || v == nil {
			return or(problem, l.unknownCursor("refund"))
		}
		place := r.place(v)
		from = &place
	}
	all := func(v *view) []found {
		var all []found
		for _, r := range v.refunds() {
			all = append(all, found{view: *v, refund: r, op: v.p.Op(r.operation), place: r.place(v)})
		}
		slices.SortStableFunc(all, func(a, b found) int { return a.place.Compare(b.place) })
		return all
	}
	wanted := func(f *found) bool {
		if f.refund.status == "" && f.op != nil {
			f.refund, _ = f.refundOf(f.op.Number)
		}
		if attempt := f.attempt(); charge != "" && (attempt == nil || string(x.d.appendChargeID(nil, f.p.ID, attempt.Number)) != charge) {
			return false
		}
		return f.refund.status != ""
	}
	page, more, problem := x.pageOf(ctx, l, of, refundLabel, from, wanted, all)
	if problem != nil {
		return problem
	}
	x.reply(http.StatusOK, appendList(x.out(), "/v1/refunds", more, len(page), func(b []byte, i int) []byte {
		return x.d.appendRefund(b, &page[i].view, page[i].refund, s)
	}))
	return nil
}

// place is where a refund stands in lists.
func (r refund) place(v *view) payment.Place {
	at := r.at
	if op := v.p.Op(r.operation); op != nil {
		at = op.At
	}
	return payment.Place{At: at, Payment: v.p.ID, Operation: r.operation}
}

// pageOf reads a page of what operations did: of those of one intent, which
// all lists from the oldest on, or else of those with a label.
func (x *exchange) pageOf(ctx context.Context, l listing, of string, label payment.Label, from *payment.Place, wanted func(*found) bool, all func(*view) []found) ([]found, bool, *problem) {
	if of == "" {
		return x.pagePayments(ctx, l, label, from, wanted)
	}
	id, _ := x.d.ParsePaymentID(of)
	v, problem := x.load(ctx, id)
	if problem != nil || v == nil {
		return nil, false, or(problem, missing(http.StatusBadRequest, "payment_intent", "payment_intent", of))
	}
	query := l.of(x, label, from)
	low, high := query.Bounds()
	var page []found
	list := all(v)
	if !query.OldestFirst {
		slices.Reverse(list)
	}
	more := false
	for _, f := range list {
		if f.place.Compare(low) <= 0 || high != (payment.Place{}) && f.place.Compare(high) >= 0 || !wanted(&f) {
			continue
		}
		if len(page) == l.limit {
			more = true
			break
		}
		page = append(page, f)
	}
	if query.OldestFirst {
		slices.Reverse(page)
	}
	return page, more, nil
}

// of is the listing as the store is asked for it.
func (l *listing) of(x *exchange, label payment.Label, from *payment.Place) payment.Listing {
	query := payment.Listing{
		Tenant: x.account.Tenant, Merchant: x.account.ID, Label: label, From: l.from, Until: l.until, OldestFirst: l.before != "", Limit: l.limit,
	}
	if from != nil {
		query.After = *from
	}
	return query
}

// pagePayments reads a page of payments or operations, newest first.
func (x *exchange) pagePayments(ctx context.Context, l listing, label payment.Label, from *payment.Place, wanted func(*found) bool) ([]found, bool, *problem) {
	query := l.of(x, label, from)
	seen := map[payment.Place]found{}
	page, more, err := x.d.Page(ctx, query, func(at dialect.Found) bool {
		if !x.account.sees(at.Payment) {
			return false
		}
		f := found{op: at.Operation(), place: at.Place}
		f.of(at.Payment)
		if !wanted(&f) {
			return false
		}
		seen[at.Place] = f
		return true
	})
	if err != nil {
		return nil, false, x.fault(err)
	}
	all := make([]found, 0, len(page))
	for _, at := range page {
		all = append(all, seen[at.Place])
	}
	if query.OldestFirst {
		slices.Reverse(all)
	}
	return all, more, nil
}

// findCharge returns the attempt that made a charge, with its payment; nil if
// there is none.
func (x *exchange) findCharge(ctx context.Context, id string) (*view, *payment.Operation, *problem) {
	name, ok := x.d.parse(chargePrefix, wireid.Charge, id)
	if !ok {
		return nil, nil, nil
	}
	v, problem := x.load(ctx, name.Payment)
	if problem != nil || v == nil {
		return nil, nil, problem
	}
	if op := v.p.Op(name.Operation); op != nil && hasCharge(op) {
		return v, op, nil
	}
	return nil, nil, nil
}

// findRefund returns a refund with its payment; nil if there is none.
func (x *exchange) findRefund(ctx context.Context, id string) (*view, refund, *problem) {
	name, ok := x.d.parse(refundPrefix, wireid.Refund, id)
	if !ok {
		return nil, refund{}, nil
	}
	v, problem := x.load(ctx, name.Payment)
	if problem != nil || v == nil {
		return nil, refund{}, problem
	}
	if r, ok := v.refundOf(name.Operation); ok {
		return v, r, nil
	}
	return nil, refund{}, nil
}

// refund answers GET /v1/refunds/{id}.
func (x *exchange) refund(ctx context.Context) *problem {
	s, _ := x.expand(refundPaths)
	if bad := x.params.problem(); bad != nil {
		return bad
	}
	v, r, problem := x.findRefund(ctx, x.id)
	if problem != nil || v == nil {
		return or(problem, missing(http.StatusNotFound, "refund", "refund", x.id))
	}
	x.reply(http.StatusOK, append(x.d.appendRefund(x.out(), v, r, s), '\n'))
	return nil
}
