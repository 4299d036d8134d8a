package verify

import (
	"time"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// label notes the labels that an event gives a payment, or an operation that
// was asked for at the moment given.
func (acc *account) label(labels []payment.Label, operation int, at time.Time) {
	for _, l := range labels {
		if acc.labels == nil {
			acc.labels = map[labelled]bool{}
		}
		acc.labels[labelled{l, operation, at.UnixMilli()}] = true
	}
}

// labelled is a label of a payment, or of one of its operations.
type labelled struct {
	payment.Label
	operation int
	at        int64 // Unix milliseconds
}

// mark holds a place in a listing against the history of its payment.
func (a *audit) mark(m store.Mark) error {
	a.report.Marks++
	acc := a.accounts[m.Payment]
	switch {
	case acc == nil:
		a.report.add(m.Payment, "is listed, but it has no events")
	case m.Tenant != acc.tenant || m.Merchant != acc.merchant:
		a.report.add(m.Payment, "is listed for merchant %d of tenant %d", m.Merchant, m.Tenant)
	case m.Label != payment.Label{}:
		of := labelled{m.Label, m.Operation, m.At.UnixMilli()}
		if !acc.labels[of] {
			a.report.add(m.Payment, "is listed under a label of kind %q at %s, operation %d, which no event gave it", m.Label.Kind, m.At.Format(time.RFC3339Nano), m.Operation)
		}
		delete(acc.labels, of)
	case m.Operation != 0 || !m.At.Equal(acc.created):
		a.report.add(m.Payment, "is listed at %s, operation %d, and was created at %s", m.At.Format(time.RFC3339Nano), m.Operation, acc.created.Format(time.RFC3339Nano))
	default:
		acc.listed = true
	}
	return nil
}

// unlisted reports what should be listed and is not.
func (a *audit) unlisted(id payment.ID, acc *account) {
	if !acc.listed {
		a.report.add(id, "is in no listing")
	}
	for of := range acc.labels {
		a.report.add(id, "is not listed under its label of kind %q, operation %d", of.Kind, of.operation)
	}
}
