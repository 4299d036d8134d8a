package wepay

import (
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/wireid"
)

// view is how a payment is to be shown.
type view struct {
	apiVersion string // of the request that is answered
	accountID  string // of the payment's merchant
	fresh      bool   // in the first answer to the command that authorized or captured it
	expand     bool   // say which card it was
}

// appendPayment appends the Payment object: every member of section 2.3 of the
// dialect's document, in its order, without white space.
func (d *Dialect) appendPayment(b []byte, p *payment.Payment, v view) []byte {
	known := readDetails(p)
	b = d.appendResource(b, wireid.Name{Kind: wireid.Payment, Payment: p.ID}, "payments")
	b = append(append(b, `,"owner":{"id":"`...), v.accountID...)
	b = append(append(b, `","resource":"accounts","path":"/accounts/`...), v.accountID...)
	b = append(b, `"},"create_time":`...)
	b = dialect.AppendInt(b, p.CreatedAt.Unix())
	b = append(b, `,"capture_at":`...)
	if known.captureAt == 0 {
		b = append(b, "null"...)
	} else {
		b = dialect.AppendInt(b, known.captureAt)
	}
	b = dialect.AppendInt(append(b, `,"amount":`...), amount(p))
	b = dialect.AppendInt(append(b, `,"fee_amount":`...), fee(p))
	b = dialect.AppendBool(append(b, `,"auto_capture":`...), p.Policy.AutoCapture || p.Policy.ScheduledOnly)
	status, why := statusOf(p, v.fresh)
	b = append(append(b, `,"status":"`...), status...)
	b = append(append(b, `","currency":"`...), p.Currency...)
	b = append(b, `","payment_method":`...)
	b = d.appendMethod(b, p, v.expand)
	b = append(b, `,"order":`...)
	if known.order == "" {
		b = append(b, "null"...)
	} else {
		b = appendOrder(b, known.order)
	}
	b = append(b, `,"pending_reasons":`...)
	if status == "pending" {
		b = append(appendReason(append(b, '['), why), ']')
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"failure_reason":`...)
	if status == "failed" {
		b = appendReason(b, why)
	} else {
		b = append(b, "null"...)
	}
	b = d.appendRecords(b, p, status == "completed")
	b = dialect.AppendInt(append(b, `,"amount_refunded":`...), p.Refunded)
	b = append(b, `,"amount_disputed":0,"initiated_by":`...) // nothing disputes yet
	b = dialect.AppendString(b, known.initiatedBy)
	b = dialect.AppendStringOrNull(append(b, `,"reference_id":`...), p.Reference)
	b = append(b, `,"authorization_code":`...)
	if auth := p.Authorization(); auth != nil {
		b = dialect.AppendStringOrNull(b, auth.Answer.AuthCode)
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"custom_data":`...)
	if known.customData == nil {
		b = append(b, "null"...)
	} else {
		b = append(b, known.customData...)
	}
	b = dialect.AppendString(append(b, `,"api_version":`...), v.apiVersion)
	return append(b, '}')
}

// amount is what is to be captured while the hold is open, and what was
// captured afterwards.
func amount(p *payment.Payment) int64 {
	switch p.Status {
	case payment.Captured:
		return p.Captured
	case payment.Authorized:
		if asked := p.InFlight(payment.OpCapture); asked > 0 {
			return p.Captured + asked
		}
		return p.Authorized + p.Extended - p.Voided - p.Released
	}
	return p.Amount
}

// fee is what the platform takes: of the captures, if there are any.
func fee(p *payment.Payment) int64 {
	if p.Captures() == 0 {
		return p.Fee
	}
	var sum int64
	for i := range p.Operations {
		if op := &p.Operations[i]; op.Kind == payment.OpCapture && op.Status != payment.OpFailed {
			sum += op.Fee
		}
	}
	return sum
}

// statusOf returns the status of a payment and why it has it, if it is pending
// or failed. The first answer to a capture never says completed: settlement is
// something that happens afterwards.
func statusOf(p *payment.Payment, fresh bool) (string, reason) {
	switch p.Status {
	case payment.Authorized:
		if p.InFlight(payment.OpCapture) == 0 {
			return "pending", pendingCapture
		}
	case payment.Captured:
		if !fresh && p.Settled == p.Captured {
			return "completed", reason{}
		}
	case payment.Voided:
		return "canceled", reason{}
	case payment.Expired:
		return "failed", expired
	case payment.Declined:
		return "failed", failure(p)
	}
	return "pending", processing
}

func appendReason(b []byte, r reason) []byte {
	b = append(append(b, `{"reason_code":"`...), r.code...)
	b = append(append(b, `","reason_message":"`...), r.message...)
	b = append(b, `","details":[`...)
	if r.detailCode != "" {
		b = append(append(b, `{"detail_code":"`...), r.detailCode...)
		b = append(append(b, `","detail_message":"`...), r.detailMessage...)
		b = append(b, `"}`...)
	}
	return append(b, "]}"...)
}

func (d *Dialect) appendMethod(b []byte, p *payment.Payment, expand bool) []byte {
	b = d.appendResource(b, wireid.Name{Kind: wireid.PaymentMethod, Payment: p.ID}, "payment_methods")
	if expand {
		b = dialect.AppendStringOrNull(append(b, `,"card_brand":`...), p.Method.Brand)
		b = dialect.AppendStringOrNull(append(b, `,"last_four":`...), p.Method.Last4)
	}
	return append(b, '}')
}

func appendOrder(b []byte, id string) []byte {
	b = dialect.AppendString(append(b, `{"id":`...), id)
	b = append(b, `,"resource":"orders","path":`...)
	return append(dialect.AppendString(b, "/orders/"+id), '}')
}

// appendRecords appends the two transaction records of a completed payment:
// those of its last capture.
func (d *Dialect) appendRecords(b []byte, p *payment.Payment, completed bool) []byte {
	capture := p.Op(lastCapture(p))
	if !completed || capture == nil {
		return append(b, `,"txnr_app_fee":null,"txnr_merchant":null`...)
	}
	b = append(b, `,"txnr_app_fee":`...)
	if capture.Fee == 0 {
		b = append(b, "null"...)
	} else {
		b = d.appendRecord(b, p.ID, capture.Number, appFeeRecord)
	}
	return d.appendRecord(append(b, `,"txnr_merchant":`...), p.ID, capture.Number, merchantRecord)
}

// The transaction records of one capture.
const (
	merchantRecord = iota // what the merchant gets
	appFeeRecord          // what the platform gets
)

func (d *Dialect) appendRecord(b []byte, id payment.ID, operation, part int) []byte {
	return append(d.appendResource(b, wireid.Name{Kind: wireid.Record, Payment: id, Operation: operation, Part: part}, "transaction_records"), '}')
}

// appendResource appends the beginning of an object: the id, resource and path
// of what it is or refers to.
func (d *Dialect) appendResource(b []byte, n wireid.Name, resource string) []byte {
	b = append(b, `{"id":"`...)
	start := len(b)
	b = d.IDs.AppendUUID(b, n)
	end := len(b)
	b = append(append(b, `","resource":"`...), resource...)
	b = append(append(append(b, `","path":"/`...), resource...), '/')
	return append(append(b, b[start:end]...), '"')
}

// lastCapture is the number of the last capture that succeeded; 0 is none.
func lastCapture(p *payment.Payment) int {
	for i := len(p.Operations) - 1; i >= 0; i-- {
		if op := &p.Operations[i]; op.Kind == payment.OpCapture && op.Status == payment.OpApproved {
			return op.Number
		}
	}
	return 0
}

// appendProblem appends the error object: its three members always, and always
// four in each detail.
func appendProblem(b []byte, p *problem) []byte {
	b = dialect.AppendString(append(b, `{"error_code":`...), p.code)
	b = dialect.AppendString(append(b, `,"error_message":`...), p.message)
	b = append(b, `,"details":[`...)
	for i, detail := range p.details {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"target":[`...)
		for j, part := range detail.target {
			if j > 0 {
				b = append(b, ',')
			}
			b = dialect.AppendString(b, part)
		}
		b = dialect.AppendString(append(b, `],"target_type":`...), detail.in)
		b = dialect.AppendString(append(b, `,"reason_code":`...), detail.reason)
		b = dialect.AppendString(append(b, `,"message":`...), detail.message)
		b = append(b, '}')
	}
	return append(b, "]}"...)
}

// sees tells whether this dialect has words for a payment: a card payment in
// one of its two currencies. Any other is unknown here.
func sees(p *payment.Payment) bool {
	return p.Method.Kind == payment.CardMethod && knownCurrency(p.Currency)
}

func knownCurrency(c money.Currency) bool { return c == "USD" || c == "CAD" }

// holdFor is how long a payment may wait for its capture.
const holdFor = 7 * 24 * time.Hour
