package verify

import (
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// listed is a place in a listing.
type listed struct {
	label     payment.Label
	at        int64 // Unix milliseconds
	operation int
}

// expectMarks notes the places in listings that an event gives the payment.
func (acc *account) expectMarks(e *payment.Event) {
	at := acc.created.UnixMilli()
	if e.Kind == payment.PaymentCreated {
		acc.expectMark(listed{at: at})
	}
	if e.Intake != nil {
		for _, l := range e.Intake.Labels {
			acc.expectMark(listed{label: l, at: at})
		}
	}
	if e.Asked != nil && e.Operation > 0 && e.Operation <= len(acc.operations) {
		for _, l := range e.Asked.Labels {
			acc.expectMark(listed{l, acc.operations[e.Operation-1].at.UnixMilli(), e.Operation})
		}
	}
}

func (acc *account) expectMark(m listed) {
	if acc.marks == nil {
		acc.marks = map[listed]bool{}
	}
	acc.marks[m] = false
}

// mark holds a place in a listing against the history.
func (acc *account) mark(m store.Mark) {
	if acc.stated && (m.Tenant != acc.tenant || m.Merchant != acc.merchant) {
		acc.add("is listed by merchant %d of tenant %d, not %d of %d", m.Merchant, m.Tenant, acc.merchant, acc.tenant)
	}
	place := listed{m.Label, m.At.UnixMilli(), m.Operation}
	if _, wanted := acc.marks[place]; !wanted {
		acc.add("is listed under %q, operation %d, where it does not belong", m.Label.Kind, m.Operation)
		return
	}
	acc.marks[place] = true
}

// missingMarks looks for places that the payment should have in listings.
func (acc *account) missingMarks() {
	for m, found := range acc.marks {
		if !found {
			acc.add("is not listed under %q, operation %d", m.label.Kind, m.operation)
		}
	}
}
