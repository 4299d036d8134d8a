package intents

import (
	"strconv"
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/payment"
)

// refund is money that went back to the payer, or was freed: what a last
// capture left, what a cancellation or the deadline released, and what was
// captured and given back.
type refund struct {
	operation int // 0: the deadline
	amount    int64
	at        time.Time
	reason    string // empty is null
	status    string
	captured  bool // money that had been captured
	failure   string
	metadata  []byte // nil is none
}

// refunds lists what went back of a payment, newest first.
func (v *view) refunds() []refund {
	var all []refund
	p := v.p
	if lapsed := min(p.Released, v.released()); p.Ended == payment.EndedByDeadline && lapsed > 0 {
		all = append(all, refund{amount: lapsed, at: p.ClosedAt, reason: expiredUncaptured, status: "succeeded"})
	}
	for i := len(p.Operations) - 1; i >= 0; i-- {
		op := &p.Operations[i]
		it := refund{operation: op.Number, amount: op.Amount, at: op.At, status: "succeeded"}
		switch {
		case op.Kind == payment.OpCapture && op.Status == payment.OpApproved && op.Released > 0:
			it.amount, it.at = op.Released, op.DoneAt
		case (op.Kind == payment.OpCancel || op.Kind == payment.OpVoid) && op.Status == payment.OpApproved && op.Amount > 0:
			it.at, it.reason, it.metadata = op.DoneAt, refundReason(op), refundMetadata(op)
		case op.Kind == payment.OpRefund:
			it.captured, it.reason, it.metadata = true, refundReason(op), refundMetadata(op)
			switch {
			case op.Status == payment.OpPending && !op.Answer.Presumed():
				it.status = "pending"
			case op.Status == payment.OpFailed:
				it.status, it.failure = "failed", refundFailure(op)
			}
		default:
			continue
		}
		all = append(all, it)
	}
	return all
}

// refundReason is the reason that was given, if it is one a refund may have.
func refundReason(op *payment.Operation) string {
	if op.Dialect != Name {
		return ""
	}
	var asked details
	asked.read(op.Details)
	switch reason := asked.text(fieldReason); reason {
	case "duplicate", "fraudulent", "requested_by_customer", "resolved_dispute":
		return reason
	case reasonAutomatic:
		return expiredUncaptured
	}
	return ""
}

// expiredUncaptured is why a hold was given back whose time was over.
const expiredUncaptured = "expired_uncaptured_charge"

// refundMetadata is what a refund was given here, nil for nothing.
func refundMetadata(op *payment.Operation) []byte {
	if op.Dialect != Name || op.Details == nil {
		return nil
	}
	var asked details
	asked.read(op.Details)
	return mergeMetadata(nil, asked[fieldMetadata])
}

// refundFailure is why a refund came back.
func refundFailure(op *payment.Operation) string {
	switch op.Answer.Reason {
	case payment.LostCard, payment.StolenCard:
		return "lost_or_stolen_card"
	case payment.ExpiredCard, payment.AuthorizationLapsed:
		return "expired_or_canceled_card"
	}
	return "unknown"
}

// refundOf finds what an operation gave back, or with 0 the deadline.
func (v *view) refundOf(operation int) (refund, bool) {
	for _, r := range v.refunds() {
		if r.operation == operation {
			return r, true
		}
	}
	return refund{}, false
}

// appendRefund appends the Refund object (section 10).
func (d *Dialect) appendRefund(b []byte, v *view, r refund, s shape) []byte {
	attempt := v.attempt()
	b = d.appendRefundID(append(b, "{\n  \"id\": \""...), v.p.ID, r.operation)
	b = append(b, "\",\n  \"object\": \"refund\",\n  \"amount\": "...)
	b = strconv.AppendInt(b, v.scale.wire(r.amount), 10)
	b = append(b, ",\n  \"balance_transaction\": null,\n  \"charge\": "...)
	b = d.appendChargeMember(b, v, s&expandCharge)
	b = strconv.AppendInt(append(b, ",\n  \"created\": "...), r.at.Unix(), 10)
	b = append(appendLower(append(b, ",\n  \"currency\": \""...), v.p.Currency), '"')
	b = v.member(b, "customer", fieldCustomer, "null")
	b = append(b, ",\n  \"customer_account\": null,\n  \"destination_details\": {\n    \"card\": {\n      \"type\": "...)
	switch {
	case r.status == "pending":
		b = append(b, `"pending"`...)
	case r.captured:
		b = append(b, `"refund"`...)
	default:
		b = append(b, `"reversal"`...)
	}
	b = append(b, "\n    },\n    \"type\": \"card\"\n  }"...)
	if r.failure != "" {
		b = dialect.AppendString(append(b, ",\n  \"failure_reason\": "...), r.failure)
	}
	b = appendMember(b, "metadata")
	if r.metadata != nil {
		b = appendPretty(b, r.metadata, 1)
	} else {
		b = append(b, "{}"...)
	}
	b = append(d.appendIntentMember(appendMember(b, "payment_intent"), v, s), ",\n  \"payment_method\": "...)
	if attempt != nil {
		b = append(d.appendMethodRef(append(b, '"'), v, v.methodOf(attempt)), '"')
	} else {
		b = append(b, "null"...)
	}
	b = dialect.AppendStringOrNull(append(b, ",\n  \"reason\": "...), r.reason)
	b = append(b, ",\n  \"receipt_number\": null,\n  \"source_transfer_reversal\": null,\n  \"status\": "...)
	return append(dialect.AppendString(b, r.status), ",\n  \"transfer_reversal\": null\n}"...)
}

// appendRefundList appends the refunds of a charge as a list.
func (d *Dialect) appendRefundList(b []byte, v *view, attempt *payment.Operation) []byte {
	b = append(b, "{\n    \"object\": \"list\",\n    \"data\": ["...)
	if attempt.Status == payment.OpApproved {
		for i, r := range v.refunds() {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendNested(append(b, "\n      "...), d.appendRefund(nil, v, r, 0), 3)
		}
	}
	if b[len(b)-1] == '}' {
		b = append(b, "\n    "...)
	}
	b = append(b, "],\n    \"has_more\": false,\n    \"url\": \"/v1/charges/"...)
	return append(d.appendChargeID(b, v.p.ID, attempt.Number), "/refunds\"\n  }"...)
}
