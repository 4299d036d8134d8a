package begateway

import (
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/payment"
)

// appendFlat appends a transaction in the shape of version 3 of the API
// (section 10): no envelope, a code for what became of it, the processor's
// section under one name. It has one form for all requests. Members that the
// provider does not list follow where a payer has to act, and for refunds.
func (d *Dialect) appendFlat(b []byte, s *shop, p *payment.Payment, t transaction, _ form) ([]byte, error) {
	r, err := d.recordOf(p, t)
	if err != nil {
		return nil, err
	}
	uid := d.uid(t)
	b = dialect.AppendString(append(b, `{"uid":`...), uid)
	b = dialect.AppendString(append(b, `,"status":`...), r.status)
	b = dialect.AppendString(append(b, `,"code":`...), r.code)
	b = dialect.AppendString(append(b, `,"friendly_message":`...), friendly[r.code])
	b = dialect.AppendStringOrNull(append(b, `,"message":`...), r.message)
	b = dialect.AppendInt(append(b, `,"amount":`...), r.amount)
	b = dialect.AppendString(append(b, `,"currency":`...), p.Currency)
	b = dialect.AppendStringOrNull(append(b, `,"description":`...), p.Description)
	b = dialect.AppendString(append(b, `,"type":`...), r.kind)
	b = dialect.AppendStringOrNull(append(b, `,"tracking_id":`...), r.tracking)
	b = dialect.AppendBool(append(b, `,"test":`...), p.Test)
	b = r.times.append(b)
	b = dialect.AppendString(append(b, `,"language":`...), r.kept.language())
	b = append(b, `,"parent_uid":`...)
	if r.op == nil {
		b = append(b, "null"...)
	} else {
		b = dialect.AppendString(b, d.uid(parentOf(p, r.op)))
	}
	b = dialect.AppendString(append(b, `,"receipt_url":`...), d.receiptURL(s, uid))
	if r.op != nil && r.op.Kind == payment.OpRefund {
		b = dialect.AppendStringOrNull(append(b, `,"reason":`...), r.reason)
	}
	if r.op == nil && d.awaitsPayer(p) {
		b = dialect.AppendString(append(b, `,"redirect_url":`...), d.processURL(uid))
	}
	switch {
	case r.status == statusIncomplete || r.status == statusExpired || r.checked.stopped():
	case r.op != nil:
		b = appendSection(append(b, `,"transaction":`...), s, r.op, r.status, formLong)
	case r.view.last != nil:
		b = r.view.appendSection(append(b, `,"transaction":`...), s, r.kept)
	}
	if r.checked != nil {
		b = r.checked.append(append(b, `,"be_protected_verification":`...))
	}
	if r.op == nil {
		b = d.appendThreeDS(b, p, uid)
	}
	b = append(b, `,"payment_method":{"payment_method_type":"credit_card",`...)
	b = append(d.appendCardMembers(b, p), '}')
	b = append(b, `,"customer":{`...)
	b = appendCustomerMembers(b, p, r.kept)
	b = appendBillingMembers(append(b, ','), r.kept)
	return append(b, '}', '}'), nil
}

// record is what all shapes of a transaction tell.
type record struct {
	kind, status, message string
	code                  string // what became of it, of version 3
	amount                int64
	tracking, reason      string
	times                 times
	kept                  intakeDetails
	checked               *verification
	op                    *payment.Operation // nil for an authorization or payment
	view                  view               // of one
}

func (d *Dialect) recordOf(p *payment.Payment, t transaction) (r record, err error) {
	if r.kept, err = decodeIntakeDetails(p); err != nil {
		return r, err
	}
	if r.op = p.Op(t.operation); r.op == nil {
		r.view = viewOf(p)
		if r.checked, err = r.view.verification(); err != nil {
			return r, err
		}
		r.kind, r.status, r.message = r.view.kind, r.view.status, r.view.message(r.checked)
		r.amount, r.tracking, r.times = p.Amount, p.Reference, r.view.times(r.kept)
		r.code = codeOf(r.status, r.view.last)
		return r, nil
	}
	child, err := decodeChildDetails(r.op)
	if err != nil {
		return r, err
	}
	if r.checked, err = readVerification(r.op.Answer.Screening); err != nil {
		return r, err
	}
	o := operationOf(r.op)
	r.kind, r.status = o.name, operationStatus(r.op)
	r.message = childMessage(o, r.checked, r.status)
	r.amount, r.tracking, r.reason, r.times = r.op.Amount, r.op.Reference, child.Reason, timesOf(p, r.op)
	r.code = codeOf(r.status, r.op)
	return r, nil
}

// times are when things happened to a transaction; zero where they did not.
type times struct {
	created, updated, paid, expired, closed, settled time.Time
}

// append appends the times of an authorization or payment, and of everything
// in version 3.
func (t times) append(b []byte) []byte {
	b = appendTime(append(b, `,"created_at":`...), t.created)
	b = appendTime(append(b, `,"updated_at":`...), t.updated)
	b = appendTime(append(b, `,"paid_at":`...), t.paid)
	b = appendTime(append(b, `,"expired_at":`...), t.expired)
	b = appendTime(append(b, `,"closed_at":`...), t.closed)
	return appendTime(append(b, `,"settled_at":`...), t.settled)
}

// Codes of version 3 that no reason of the core has.
const (
	codeDone       = "S.0000"
	codeInProgress = "P.0001"
	codeAbandoned  = "F.0998"
	codeUnknown    = "F.0999"
)

// codeOf is the code of a transaction, which op decided; nil if nothing was
// asked of a processor.
func codeOf(status string, op *payment.Operation) string {
	switch {
	case status == statusSuccessful:
		return codeDone
	case status == statusIncomplete:
		return codeInProgress
	case status == statusExpired:
		return codeAbandoned
	case op == nil:
		return codeUnknown
	}
	if code, ok := codes[op.Answer.Reason]; ok {
		return code
	}
	return codeUnknown
}

// codes are the reasons of a decline in the words of version 3.
var codes = map[payment.Reason]string{
	payment.GenericDecline:       "F.0105",
	payment.DoNotHonor:           "F.0105",
	payment.InsufficientFunds:    "F.0114",
	payment.LostCard:             "F.0116",
	payment.StolenCard:           "F.0116",
	payment.ExpiredCard:          "F.0111",
	payment.IncorrectCVC:         "F.0112",
	payment.IncorrectNumber:      "F.0127",
	payment.VelocityExceeded:     "F.0123",
	payment.Fraudulent:           "F.0116",
	payment.ProcessingError:      "F.0106",
	payment.AuthenticationFailed: "F.0129",
	payment.PayerFrozen:          "F.0105",
	payment.GrantOver:            "F.0105",
	payment.PayerDeclined:        "F.0132",
	payment.AuthorizationLapsed:  "F.0109",
	payment.RiskRejected:         "F.0115",
	payment.LimitMaximum:         "F.0123",
	payment.LimitVolume:          "F.0123",
	payment.LimitCount:           "F.0123",
	payment.LimitPayer:           "F.0123",
	payment.NotPerformed:         "F.1000",
	payment.UnsupportedMethod:    "F.0104",
}

// friendly are what a payer may be told with each code.
var friendly = map[string]string{
	codeDone:       "The transaction is successful",
	codeInProgress: "The transaction is in progress",
	codeAbandoned:  "The transaction was not finished in time",
	codeUnknown:    "The transaction was declined",
	"F.0104":       "This card cannot be used here",
	"F.0105":       "The transaction was declined by the bank",
	"F.0106":       "The transaction could not be processed, try again later",
	"F.0109":       "The order has expired",
	"F.0111":       "The card has expired",
	"F.0112":       "The security code of the card is wrong",
	"F.0114":       "There is not enough money on the card",
	"F.0115":       "The transaction was declined for safety reasons",
	"F.0116":       "The transaction was declined for safety reasons",
	"F.0123":       "A limit was exceeded",
	"F.0127":       "The card's data are wrong",
	"F.0129":       "The card holder was not authenticated",
	"F.0132":       "The transaction was rejected by the customer",
	"F.1000":       "The transaction could not be processed, try again later",
}
