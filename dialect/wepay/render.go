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
	b = appendOwner(b, v.accountID)
	b = append(b, `,"create_time":`...)
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
	b = d.appendMethod(b, p, known.method, v.expand)
	b = appendOrder(b, known.order)
	b = appendWhy(b, status, why)
	b = d.appendRecords(b, p, status == "completed")
	b = dialect.AppendInt(append(b, `,"amount_refunded":`...), p.RefundsSettled)
	b = append(b, `,"amount_disputed":0,"initiated_by":`...) // nothing disputes yet
	b = dialect.AppendString(b, known.initiatedBy)
	b = dialect.AppendStringOrNull(append(b, `,"reference_id":`...), p.Reference)
	b = append(b, `,"authorization_code":`...)
	if auth := p.Authorization(); auth != nil {
		b = dialect.AppendStringOrNull(b, auth.Answer.AuthCode)
	} else {
		b = append(b, "null"...)
	}
	b = appendCustomData(b, known.customData)
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
		if p.Captures() == 0 { // what is to be captured may have been updated
			return min(p.Amount, p.Remaining()+max(0, p.Amount-p.Authorized))
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
		switch {
		case p.HeldUp():
			return "pending", underReview
		case p.InFlight(payment.OpCapture) == 0:
			return "pending", pendingCapture
		}
	case payment.Captured:
		if !fresh && p.Settled == p.Captured {
			return "completed", reason{}
		}
	case payment.Voided, payment.Expired:
		switch {
		case p.Review == payment.ReviewFailed && p.Ended != payment.EndedByCancel:
			return "failed", rejected
		case p.Status == payment.Voided:
			return "canceled", reason{}
		}
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

// appendMethod appends the payment method: the stored one that paid, or one
// that is the payment's own.
func (d *Dialect) appendMethod(b []byte, p *payment.Payment, stored string, expand bool) []byte {
	if stored != "" {
		b = appendNamed(b, stored, "payment_methods")
	} else {
		b = d.appendResource(b, wireid.Name{Kind: wireid.PaymentMethod, Payment: p.ID}, "payment_methods")
	}
	if expand {
		b = dialect.AppendStringOrNull(append(b, `,"card_brand":`...), p.Method.Brand)
		b = dialect.AppendStringOrNull(append(b, `,"last_four":`...), p.Method.Last4)
	}
	return append(b, '}')
}

// appendNamed appends the beginning of an object as appendResource does, by an
// id that is known.
func appendNamed(b []byte, id, resource string) []byte {
	b = dialect.AppendString(append(b, `{"id":`...), id)
	b = dialect.AppendString(append(b, `,"resource":`...), resource)
	return dialect.AppendString(append(b, `,"path":`...), "/"+resource+"/"+id)
}

// appendOwner appends the member that says whose account it is.
func appendOwner(b []byte, account string) []byte {
	return append(appendNamed(append(b, `,"owner":`...), account, "accounts"), '}')
}

// appendOrder appends the member that says of which order it is.
func appendOrder(b []byte, id string) []byte {
	b = append(b, `,"order":`...)
	if id == "" {
		return append(b, "null"...)
	}
	return append(appendNamed(b, id, "orders"), '}')
}

// appendCustomData appends the member with what the platform attached.
func appendCustomData(b, data []byte) []byte {
	b = append(b, `,"custom_data":`...)
	if data == nil {
		return append(b, "null"...)
	}
	return append(b, data...)
}

// appendWhy appends the two members that say why something is pending or has
// failed.
func appendWhy(b []byte, status string, why reason) []byte {
	b = append(b, `,"pending_reasons":`...)
	if status == "pending" {
		b = append(appendReason(append(b, '['), why), ']')
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"failure_reason":`...)
	if status == "failed" {
		return appendReason(b, why)
	}
	return append(b, "null"...)
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

func (d *Dialect) appendRecord(b []byte, id payment.ID, operation, part int) []byte {
	return append(d.appendResource(b, recordName(id, operation, part), "transaction_records"), '}')
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

// holdFor is how long a payment may wait for its capture, at most.
const holdFor = 7 * 24 * time.Hour
