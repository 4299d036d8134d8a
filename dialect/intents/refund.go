package intents

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/wireid"
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
}

// refunds lists what went back of a payment, newest first.
func (v *view) refunds() []refund {
	var all []refund
	p := v.p
	if lapsed := min(p.Released, v.released()); p.Ended == payment.EndedByDeadline && lapsed > 0 {
		all = append(all, refund{amount: lapsed, at: p.ClosedAt, reason: "expired_uncaptured_charge", status: "succeeded"})
	}
	for i := len(p.Operations) - 1; i >= 0; i-- {
		op := &p.Operations[i]
		it := refund{operation: op.Number, amount: op.Amount, at: op.At, status: "succeeded"}
		switch {
		case op.Kind == payment.OpCapture && op.Status == payment.OpApproved && op.Released > 0:
			it.amount, it.at = op.Released, op.DoneAt
		case (op.Kind == payment.OpCancel || op.Kind == payment.OpVoid) && op.Status == payment.OpApproved && op.Amount > 0:
			it.reason = refundReason(op)
		case op.Kind == payment.OpRefund:
			it.captured, it.reason = true, refundReason(op)
			switch op.Status {
			case payment.OpPending:
				it.status = "pending"
			case payment.OpFailed:
				it.status, it.failure = "failed", "unknown"
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
	case "duplicate", "fraudulent", "requested_by_customer":
		return reason
	}
	return ""
}

// appendRefund appends the Refund object (section 10).
func (d *Dialect) appendRefund(b []byte, v *view, r refund) []byte {
	attempt := v.attempt()
	b = d.appendRefundID(append(b, "{\n  \"id\": \""...), v.p.ID, r.operation)
	b = append(b, "\",\n  \"object\": \"refund\",\n  \"amount\": "...)
	b = strconv.AppendInt(b, v.scale.wire(r.amount), 10)
	b = append(b, ",\n  \"balance_transaction\": null,\n  \"charge\": "...)
	if attempt != nil {
		b = append(d.appendChargeID(append(b, '"'), v.p.ID, attempt.Number), '"')
	} else {
		b = append(b, "null"...)
	}
	b = strconv.AppendInt(append(b, ",\n  \"created\": "...), r.at.Unix(), 10)
	b = append(appendLower(append(b, ",\n  \"currency\": \""...), v.p.Currency), '"')
	b = append(b, ",\n  \"customer\": null,\n  \"customer_account\": null,\n  \"destination_details\": {\n    \"card\": {\n      \"type\": "...)
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
	b = append(b, ",\n  \"metadata\": {},\n  \"payment_intent\": \""...)
	b = append(d.appendIntentID(b, v.p.ID), "\",\n  \"payment_method\": "...)
	if attempt != nil {
		b = append(d.appendMethodID(append(b, '"'), v.p.ID, v.methodOf(attempt).number), '"')
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
			b = appendNested(append(b, "\n      "...), d.appendRefund(nil, v, r), 3)
		}
	}
	if b[len(b)-1] == '}' {
		b = append(b, "\n    "...)
	}
	b = append(b, "],\n    \"has_more\": false,\n    \"url\": \"/v1/charges/"...)
	return append(d.appendChargeID(b, v.p.ID, attempt.Number), "/refunds\"\n  }"...)
}

// refund answers GET /v1/refunds/{id}.
func (x *exchange) refund(ctx context.Context) *problem {
	if _, problem := x.expand(nil); problem != nil {
		return problem
	}
	name, ok := x.d.parse(refundPrefix, wireid.Refund, x.id)
	if !ok {
		return missing(http.StatusNotFound, "refund", "refund", x.id)
	}
	v, problem := x.load(ctx, name.Payment)
	if problem != nil || v == nil {
		return or(problem, missing(http.StatusNotFound, "refund", "refund", x.id))
	}
	for _, r := range v.refunds() {
		if r.operation == name.Operation {
			x.reply(http.StatusOK, append(x.d.appendRefund(x.out(), v, r), '\n'))
			return nil
		}
	}
	return missing(http.StatusNotFound, "refund", "refund", x.id)
}
