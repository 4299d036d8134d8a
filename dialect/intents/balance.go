package intents

import (
	"strconv"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/payment"
)

// appendBalanceMember appends the id of the charge's balance transaction, or
// the transaction; null before anything was captured.
func (d *Dialect) appendBalanceMember(b []byte, v *view, attempt *payment.Operation, s shape) []byte {
	var first *payment.Operation
	if attempt.Status == payment.OpApproved {
		first = firstCapture(v.p)
	}
	switch {
	case first == nil:
		return append(b, "null"...)
	case s&expandBalance != 0:
		return appendNested(b, d.appendBalance(nil, v, attempt, first), 1)
	}
	return append(d.appendBalanceID(append(b, '"'), v.p.ID, first.Number), '"')
}

func firstCapture(p *payment.Payment) *payment.Operation {
	for i := range p.Operations {
		if op := &p.Operations[i]; op.Kind == payment.OpCapture && op.Status == payment.OpApproved {
			return op
		}
	}
	return nil
}

// capturedFees is the platform's share of all that was captured.
func capturedFees(p *payment.Payment) int64 {
	var fee int64
	for i := range p.Operations {
		if op := &p.Operations[i]; op.Kind == payment.OpCapture && op.Status == payment.OpApproved {
			fee += op.Fee
		}
	}
	return fee
}

// appendBalance appends the BalanceTransaction object of a charge: what all
// its captures together brought, less the platform's fees.
func (d *Dialect) appendBalance(b []byte, v *view, attempt, first *payment.Operation) []byte {
	fee, status := capturedFees(v.p), "available"
	if v.p.Settled < v.p.Captured {
		status = "pending"
	}
	integer := func(name string, n int64) { b = strconv.AppendInt(appendMember(b, name), n, 10) }
	b = d.appendBalanceID(append(b, "{\n  \"id\": \""...), v.p.ID, first.Number)
	b = append(b, "\",\n  \"object\": \"balance_transaction\""...)
	integer("amount", v.scale.wire(v.p.Captured))
	integer("available_on", first.DoneAt.Add(v.p.Policy.SettleAfter).Unix())
	b = append(appendMember(b, "balance_type"), `"payments"`...)
	integer("created", first.DoneAt.Unix())
	b = append(appendLower(append(appendMember(b, "currency"), '"'), v.p.Currency), '"')
	b = dialect.AppendStringOrNull(appendMember(b, "description"), v.p.Description)
	b = append(appendMember(b, "exchange_rate"), "null"...)
	integer("fee", v.scale.wire(fee))
	b = append(appendMember(b, "fee_details"), "[]"...)
	integer("net", v.scale.wire(v.p.Captured-fee))
	b = append(b, ",\n  \"reporting_category\": \"charge\",\n  \"source\": \""...)
	b = d.appendChargeID(b, v.p.ID, attempt.Number)
	b = dialect.AppendString(append(b, "\",\n  \"status\": "...), status)
	return append(b, ",\n  \"type\": \"charge\"\n}"...)
}
