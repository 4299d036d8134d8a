package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/capstan-pay/capstan/payment"
)

// Review is an operation that a risk rule wants an operator to look at. It was
// held up by that if Review says so.
type Review struct {
	At        time.Time       `json:"at"`      // when it was asked for
	Payment   string          `json:"payment"` // the number by which reports call it; explain takes it
	Operation int             `json:"operation"`
	Kind      string          `json:"kind"`
	Status    string          `json:"status"` // of the operation
	Amount    int64           `json:"amount"` // minor units
	Currency  string          `json:"currency"`
	Review    string          `json:"review,omitempty"` // in_review, passed, failed or undecided
	Screening json.RawMessage `json:"screening"`        // the verdict with its facts, as docs/risk.md describes it
}

// ReviewQuery asks for reviews of a merchant. What is zero does not count.
type ReviewQuery struct {
	Since, Before time.Time
	Limit         int // 0 is 100; at most 1000
}

// Reviews implements Administrator.
func (d *Desk) Reviews(ctx context.Context, id string, q ReviewQuery) ([]Review, error) {
	if err := bound(&q.Limit); err != nil {
		return nil, err
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
		review := ""
		if op == p.Authorization() {
			review = p.Reviewed()
		}
		shown = append(shown, Review{
			Review: review, At: place.At, Payment: p.ID.String(), Operation: op.Number, Kind: op.Kind.String(), Status: op.Status.String(), Amount: op.Amount,
			Currency: string(p.Currency), Screening: op.Answer.Screening,
		})
	}
	return shown, nil
}

// Reviewer carries out what an operator has decided of a payment that is held
// up, and returns it as it is then. Only a server can: it knows the processors.
type Reviewer interface {
	Review(ctx context.Context, id payment.ID, passed bool, note string) (*payment.Payment, error)
}

// Verdict is what an operator has decided.
type Verdict struct {
	Decision string `json:"decision"` // approve lets the payment go on, reject gives its hold back
	Reason   string `json:"reason"`   // kept in its history
}

// Reviewed is a payment after that.
type Reviewed struct {
	Payment string `json:"payment"`
	Status  string `json:"status"`
	Review  string `json:"review"`
}

// Review decides about a payment that is held up, by any id of it. What was
// decided so before stays so.
func (d *Desk) Review(ctx context.Context, id string, v Verdict) (Reviewed, error) {
	switch {
	case d.Reviewer == nil:
		return Reviewed{}, Problem{http.StatusConflict, "only a running server carries payments on"}
	case v.Decision != "approve" && v.Decision != "reject":
		return Reviewed{}, invalid("a decision is approve or reject")
	}
	note, err := d.because(v.Reason)
	if err != nil {
		return Reviewed{}, err
	}
	story, err := d.Explain(ctx, id)
	if err != nil {
		return Reviewed{}, err
	}
	number, err := strconv.ParseInt(story.Payment, 10, 64)
	if err != nil {
		return Reviewed{}, err
	}
	p, err := d.Reviewer.Review(ctx, payment.ID(number), v.Decision == "approve", note)
	if err != nil {
		return Reviewed{}, err
	}
	return Reviewed{p.ID.String(), p.Status.String(), p.Review.String()}, nil
}

// Review has the server decide about a payment that is held up.
func (c *Client) Review(ctx context.Context, id string, v Verdict) (out Reviewed, err error) {
	return out, c.call(ctx, http.MethodPost, v, &out, "api/payments", url.PathEscape(id), "review")
}
