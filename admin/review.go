package admin

import (
	"context"
	"encoding/json"
	"time"

	"github.com/capstan-pay/capstan/payment"
)

// Review is an operation that a risk rule wants an operator to look at. It was
// not held up by that.
type Review struct {
	At        time.Time       `json:"at"`      // when it was asked for
	Payment   string          `json:"payment"` // the number by which reports call it; explain takes it
	Operation int             `json:"operation"`
	Kind      string          `json:"kind"`
	Status    string          `json:"status"` // of the operation
	Amount    int64           `json:"amount"` // minor units
	Currency  string          `json:"currency"`
	Screening json.RawMessage `json:"screening"` // the verdict with its facts, as docs/risk.md describes it
}

// ReviewQuery asks for reviews of a merchant. What is zero does not count.
type ReviewQuery struct {
	Since, Before time.Time
	Limit         int // 0 is 100; at most 1000
}

// Reviews implements Administrator.
func (d *Desk) Reviews(ctx context.Context, id string, q ReviewQuery) ([]Review, error) {
	if q.Limit == 0 {
		q.Limit = usualShown
	}
	if q.Limit < 1 || q.Limit > mostShown {
		return nil, invalid("limit is a number from 1 to %d", mostShown)
	}
	m, err := d.find(ctx, id)
	if err != nil {
		return nil, err
	}
	places, err := d.Store.List(ctx, payment.Listing{
		Tenant: m.Tenant, Merchant: m.ID, Label: payment.ToReview, From: q.Since, Until: q.Before, Limit: q.Limit,
	})
	if err != nil {
		return nil, err
	}
	shown := make([]Review, 0, len(places))
	for _, place := range places {
		p, err := d.Store.Payment(ctx, m.Tenant, place.Payment, 0)
		if err != nil {
			return nil, err
		}
		op := p.Op(place.Operation)
		if op == nil {
			continue
		}
		shown = append(shown, Review{
			At: place.At, Payment: p.ID.String(), Operation: op.Number, Kind: op.Kind.String(), Status: op.Status.String(), Amount: op.Amount,
			Currency: string(p.Currency), Screening: op.Answer.Screening,
		})
	}
	return shown, nil
}
