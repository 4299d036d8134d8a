package begateway

import (
	"context"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/payment"
)

// duplicateWindow is how long a request is a duplicate of an earlier one, the
// last instant included (section 4.3).
const duplicateWindow = 30 * time.Second

var errDuplicate = errors.New("begateway: a duplicate")

// once carries out an authorization or a payment, or is errDuplicate. The rule
// is the one of captures, about requests of the same shop, type, currency,
// amount and card. They have no parent at which their turn would come, so of
// several at once a key lets one pass. A request without the check needs none:
// its label tells later ones of it.
func (d *Dialect) once(c *call, in *intakeRequest, sale bool) (payment.Outcome, error) {
	m := c.shop.merchant
	same := likeness(m.ID, &in.intake, sale)
	request := payment.Request{Tenant: m.Tenant, Merchant: m.ID, Patience: c.patience, Screening: c.shop.screening}
	if in.duplicates == 0 {
		in.intake.Labels = append(in.intake.Labels, unchecked(same))
		request.Command = in.command()
		return d.Engine.Do(c.Context(), request)
	}
	recent, err := d.recently(c.Context(), m.Tenant, m.ID, same, in.duplicates)
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case recent:
		return payment.Outcome{}, errDuplicate
	}
	request.Command = in.command()
	request.Retain = in.duplicates + time.Millisecond // the last instant is in the window, and the clock counts milliseconds
	for value := same; ; {
		request.Key = payment.NewKey(m.Tenant, Name+".duplicate", value)
		out, err := d.Engine.Do(c.Context(), request)
		switch {
		case err != nil:
			return out, err
		case out.Refusal.Has(payment.InProcess):
			return out, errDuplicate
		case !out.Replayed:
			return out, nil
		case !d.outlived(out, in.duplicates):
			return out, errDuplicate
		}
		// The key is still taken, by one that a processor answers late. Whoever
		// comes after it shares another.
		value += "|" + out.Payment.ID.String()
		in.intake.Labels = append(in.intake.Labels[:len(in.intake.Labels):len(in.intake.Labels)], unchecked(same))
		request.Command = in.command()
	}
}

// outlived tells whether the request that a key was used for is remembered for
// longer than the window that it opened, because its processor was slow.
func (d *Dialect) outlived(out payment.Outcome, window time.Duration) bool {
	slow := out.Pending || out.Payment != nil && out.Payment.UpdatedAt.After(out.At)
	return slow && out.Payment != nil && out.At.Before(d.Clock.Now().Add(-window))
}

// likeness is what duplicates have in common.
func likeness(merchant int64, in *payment.Intake, sale bool) string {
	return strings.Join([]string{
		strconv.FormatInt(merchant, 10), strconv.FormatBool(sale), string(in.Currency),
		strconv.FormatInt(in.Amount, 10), in.Method.Fingerprint,
	}, "|")
}

// unchecked is the label of a request that has not taken the key which equal
// ones take.
func unchecked(same string) payment.Label {
	name := payment.NewKey(0, Name+".unchecked", same)
	return payment.Label{Kind: Name + ".unchecked", Value: hex.EncodeToString(name[:])}
}

// recently tells whether an equal request without a key is in the window.
func (d *Dialect) recently(ctx context.Context, tenant, merchant int64, same string, window time.Duration) (bool, error) {
	found, err := d.Listings.List(ctx, payment.Listing{
		Tenant: tenant, Merchant: merchant, Label: unchecked(same), From: d.Clock.Now().Add(-window), Limit: 1,
	})
	return len(found) > 0, err
}
