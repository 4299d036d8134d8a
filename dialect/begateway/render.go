package begateway

import (
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/payment"
)

// replySize is what a reply usually needs.
const replySize = 1024

// form says how much of a capture, void or refund is shown (section 4.4).
type form int

const (
	formOfSeed  form = iota // what the capture page shows
	formLong                // and times, and more of the processor's section
	formOfQuery             // and the members that queries and webhooks add
)

// form is how the answers to a shop's POSTs look.
func (s *shop) form() form {
	if s.extended {
		return formLong
	}
	return formOfSeed
}

// What a transaction's status is called.
const (
	statusSuccessful = "successful"
	statusFailed     = "failed"
	statusIncomplete = "incomplete"
	statusExpired    = "expired"
)

const (
	messageSuccessful = "Successfully processed"
	messageExpired    = "Transaction expired"
	messagePerformed  = "The operation was successfully processed."
)

func operationStatus(op *payment.Operation) string {
	switch op.Status {
	case payment.OpApproved:
		return statusSuccessful
	case payment.OpFailed:
		return statusFailed
	}
	return statusIncomplete
}

// appendTransaction appends a transaction in its envelope, as a caller of the
// version that has one gets it.
func (d *Dialect) appendTransaction(b []byte, s *shop, p *payment.Payment, t transaction, f form) ([]byte, error) {
	b, err := d.appendObject(append(b, `{"transaction":`...), s, p, t, f)
	return append(b, '}'), err
}

// appendObject appends a transaction that there is.
func (d *Dialect) appendObject(b []byte, s *shop, p *payment.Payment, t transaction, f form) ([]byte, error) {
	if t.operation == 0 {
		return d.appendAuthorization(b, s, p)
	}
	return d.appendChild(b, s, p, p.Op(t.operation), f)
}

// appendChild appends a capture, void or refund: op of payment p.
func (d *Dialect) appendChild(b []byte, s *shop, p *payment.Payment, op *payment.Operation, f form) ([]byte, error) {
	o := operationOf(op)
	status := operationStatus(op)
	checked, err := readVerification(op.Answer.Screening)
	if err != nil {
		return nil, err
	}
	uid := d.uid(transaction{p.ID, op.Number})
	b = append(b, '{')
	if status != statusIncomplete && !checked.stopped() {
		b = append(b, '"')
		b = append(b, o.name...)
		b = appendSection(append(b, `":`...), s, op, status, f)
		b = append(b, ',')
	}
	if checked != nil {
		b = checked.append(append(b, `"be_protected_verification":`...))
		b = append(b, ',')
	}
	b = dialect.AppendString(append(b, `"uid":`...), uid)
	b = dialect.AppendString(append(b, `,"status":`...), status)
	b = dialect.AppendString(append(b, `,"message":`...), childMessage(o, checked, status))
	b = dialect.AppendInt(append(b, `,"amount":`...), op.Amount)
	if o.kind == payment.OpRefund {
		kept, err := decodeChildDetails(op)
		if err != nil {
			return nil, err
		}
		b = dialect.AppendStringOrNull(append(b, `,"reason":`...), kept.Reason)
	}
	b = dialect.AppendString(append(b, `,"parent_uid":`...), d.uid(parentOf(p, op)))
	b = dialect.AppendString(append(b, `,"receipt_url":`...), d.receiptURL(s, uid))
	b = dialect.AppendString(append(b, `,"currency":`...), p.Currency)
	b = dialect.AppendString(append(b, `,"type":`...), o.name)
	b = dialect.AppendBool(append(b, `,"test":`...), p.Test)
	if f >= formLong {
		b = appendTimes(b, p, op)
		b = dialect.AppendString(append(b, `,"id":`...), uid)
	}
	if f == formOfQuery {
		b = dialect.AppendStringOrNull(append(b, `,"tracking_id":`...), op.Reference)
		b = append(b, `,"payment_method_type":"credit_card"`...)
	}
	return append(b, '}'), nil
}

// parentOf is the transaction that a capture, void or refund is of.
func parentOf(p *payment.Payment, op *payment.Operation) transaction {
	parent := transaction{payment: p.ID}
	if op.Kind == payment.OpRefund {
		parent.operation = op.Parent
	}
	return parent
}

// operationOf is what this API calls an operation. A cancellation, which other
// dialects have, is a void here.
func operationOf(op *payment.Operation) operation {
	switch op.Kind {
	case payment.OpCapture:
		return captureOperation
	case payment.OpRefund:
		return refundOperation
	}
	return voidOperation
}

func childMessage(o operation, checked *verification, status string) string {
	switch {
	case status == statusSuccessful:
		return messageSuccessful
	case status == statusIncomplete:
		return o.pending
	case checked.stopped():
		return checked.message
	}
	return o.declined
}

// appendSection appends what the processor said of an operation.
func appendSection(b []byte, s *shop, op *payment.Operation, status string, f form) []byte {
	message := messagePerformed
	if status != statusSuccessful {
		message = declineText(op.Answer)
	}
	b = dialect.AppendString(append(b, `{"message":`...), message)
	b = dialect.AppendString(append(b, `,"ref_id":`...), op.Answer.Reference)
	if f >= formLong {
		b = append(b, `,"rrn":null`...) // no processor tells it
		b = dialect.AppendStringOrNull(append(b, `,"auth_code":`...), op.Answer.AuthCode)
	}
	b = dialect.AppendInt(append(b, `,"gateway_id":`...), s.gatewayID)
	b = dialect.AppendString(append(b, `,"status":`...), status)
	return append(b, '}')
}

// declineText is why a processor refused, in its own words if it has any.
func declineText(a payment.Answer) string {
	if a.Message != "" {
		return a.Message
	}
	if text, ok := declines[a.Reason]; ok {
		return text
	}
	return declines[payment.GenericDecline]
}

// appendTimes appends the times of an operation.
func appendTimes(b []byte, p *payment.Payment, op *payment.Operation) []byte {
	t := timesOf(p, op)
	b = appendTime(append(b, `,"created_at":`...), t.created)
	b = appendTime(append(b, `,"updated_at":`...), t.updated)
	b = appendTime(append(b, `,"paid_at":`...), t.paid)
	b = append(b, `,"closed_at":null`...)
	return appendTime(append(b, `,"settled_at":`...), t.settled)
}

func timesOf(p *payment.Payment, op *payment.Operation) times {
	t := times{created: op.At, updated: op.DoneAt}
	if t.updated.IsZero() {
		t.updated = op.At
	}
	if op.Status == payment.OpApproved {
		t.paid = op.DoneAt
	}
	if op.Kind != payment.OpRefund && op.Settled {
		t.settled = op.DoneAt.Add(p.Policy.SettleAfter)
	}
	return t
}

// appendTime appends an instant in UTC with milliseconds, or null.
func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, "null"...)
	}
	b = t.UTC().AppendFormat(append(b, '"'), "2006-01-02T15:04:05.000Z")
	return append(b, '"')
}
