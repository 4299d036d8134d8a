package begateway

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/payment"
)

// The texts of section 3.4, each the end of a sentence that begins with the
// name of its attribute.
const (
	textBlank           = "can't be blank"
	textInvalid         = "is invalid"
	textNotPositive     = "must be greater than 0"
	textNotInteger      = "must be an integer"
	textNotNumber       = "is not a number"
	textNotBoolean      = "must be true or false"
	textUnknownCurrency = "is unknown ISO 4217 Alpha-3 code"
	textExpired         = "is expired"
	textUnknownToken    = "does not exist"
	textPast            = "must be in the future"
	textUnknownParent   = "Parent transaction is not found"
)

// The texts that stand alone, under base.
const (
	textBadJSON        = "Invalid JSON"
	textDuplicate      = "Duplicate transaction"
	textNoCapture      = "transaction can't be captured"
	textNoVoid         = "transaction can't be voided"
	textNoRefund       = "transaction can't be refunded"
	textNoNotice       = "transaction can't be renotified"
	textNotProcessable = "transaction can't be processed"
	textAntiFraud      = "Transaction didn't pass anti-fraud checks."
)

func textTooLong(limit int) string {
	return fmt.Sprintf("is too long (maximum is %d characters)", limit)
}

func textTooLarge(limit int64) string { return "can't be greater than " + strconv.FormatInt(limit, 10) }

func textTooSmall(least int64) string {
	return "must be greater than " + strconv.FormatInt(least-1, 10)
}

// problem is an answer that is no transaction: the request was not processed.
type problem struct {
	status  int
	message string // where there are no faults
	faults  faults
}

// The problems that are not about an attribute (section 3.3).
var (
	unauthorized = &problem{status: http.StatusUnauthorized, message: "Unauthorized"}
	notFound     = &problem{status: http.StatusNotFound, message: "Record not found"}
	tooLarge     = &problem{status: http.StatusRequestEntityTooLarge, message: "Request entity too large"}
	tooMany      = &problem{status: http.StatusTooManyRequests, message: "Too many requests"}
	failed       = &problem{status: http.StatusInternalServerError, message: "We're sorry, but something went wrong"}
)

// invalid is the problem of a request with faults.
func invalid(f faults) *problem { return &problem{status: http.StatusBadRequest, faults: f} }

func fails(at attribute, text string) *problem { return invalid(faults{{at, text}}) }

// append appends the problem's body in the given envelope (section 3.1).
func (p *problem) append(b []byte, envelope string) []byte {
	b = append(b, '{')
	if envelope == envelopeFlat || envelope == envelopeBoth {
		b = p.appendMembers(b)
	}
	if envelope == envelopeBoth {
		b = append(b, ',')
	}
	if envelope != envelopeFlat {
		b = append(p.appendMembers(append(b, `"response":{`...)), '}')
	}
	return append(b, '}')
}

// appendMembers appends what was wrong, in sentences and as a tree.
func (p *problem) appendMembers(b []byte) []byte {
	faults := p.faults.sorted()
	message := p.message
	if len(faults) > 0 {
		message = faults.message()
	}
	b = dialect.AppendString(append(b, `"message":`...), message)
	if len(faults) > 0 {
		b = faults.appendTree(append(b, `,"errors":`...))
	}
	return b
}

// appendFlat appends the problem's body in version 3 of the API (section 10).
// It has a code for what is wrong with a request, and for nothing else.
func (p *problem) appendFlat(b []byte) []byte {
	b = append(b, '{')
	if len(p.faults) > 0 {
		b = append(b, `"code":"E.1025","friendly_message":"Invalid request params",`...)
	}
	return append(p.appendMembers(b), '}')
}

// answer says what a guard of the core becomes: faults of the request, or a
// problem of another kind.
type answer struct {
	guard   payment.Guard
	at      attribute
	text    func(operation, *payment.Refusal) string
	problem *problem // instead
}

func always(text string) func(operation, *payment.Refusal) string {
	return func(operation, *payment.Refusal) string { return text }
}

func impossible(o operation, _ *payment.Refusal) string { return o.impossible }

// answers are the guards in the order in which callers hear of them when
// several fail at once (section 4.2): the parent, the duplicate, the parent's
// state, the amount. No refusal is kept: this API has no idempotency key.
//
// A key is only used for the duplicate rule of authorizations and payments
// (section 4.3), where the first request being under way is a duplicate too.
var answers = []answer{
	{guard: payment.Busy, problem: tooMany},
	{guard: payment.NotFound, at: parentUID, text: always(textUnknownParent)},
	{guard: payment.InProcess, at: base, text: always(textDuplicate)},
	{guard: payment.KeyReused, at: base, text: always(textDuplicate)},
	{guard: payment.DuplicateOperation, at: base, text: always(textDuplicate)},
	{guard: payment.TooManyCaptures, at: base, text: impossible},
	{guard: payment.NotCapturable, at: base, text: impossible},
	{guard: payment.NotVoidable, at: base, text: impossible},
	{guard: payment.NotRefundable, at: base, text: impossible},
	{guard: payment.HoldOver, at: base, text: impossible},
	{guard: payment.ScheduledCapture, at: base, text: impossible},
	{guard: payment.OperationPending, at: base, text: impossible},
	{guard: payment.CannotStayOpen, at: base, text: impossible},
	{guard: payment.AmountTooSmall, at: amount, text: func(_ operation, r *payment.Refusal) string { return textTooSmall(r.Least) }},
	{guard: payment.AmountTooLarge, at: amount, text: func(_ operation, r *payment.Refusal) string { return textTooLarge(r.Limit) }},
	{guard: payment.FeeTooLarge, at: base, text: impossible}, // the fee was agreed through another dialect
	{guard: payment.CurrencyMismatch, problem: failed},
	{guard: payment.AboveMaximum, problem: failed}, // a bound that this dialect does not set
	{guard: payment.RefundOver, problem: failed},
	{guard: payment.MerchantBarred, problem: failed},
	{guard: payment.NotCreated, problem: failed},
	{guard: payment.NotAwaitingPayer, problem: failed},
	{guard: payment.NotCancellable, problem: failed},
}

// refused turns the core's refusal of an operation into an answer. P is the
// parent as it was then, nil if there is none.
func refused(o operation, r *payment.Refusal, p *payment.Payment) *problem {
	for _, a := range answers {
		switch {
		case !r.Has(a.guard):
			continue
		case a.problem != nil:
			return a.problem
		case (a.guard == payment.NotCapturable || a.guard == payment.NotVoidable) && usedUp(p) && !r.Has(payment.TooManyCaptures):
			return fails(amount, textTooLarge(0))
		}
		return fails(a.at, a.text(o, r))
	}
	return failed
}

// usedUp tells whether nothing is left of a hold because all of it was
// captured, or voided after a capture. A hold whose rest was given back by a
// last capture, or by its deadline, is closed and not used up.
func usedUp(p *payment.Payment) bool {
	return p != nil && p.Status == payment.Captured && p.Released == 0
}

// declines says what a processor's refusal is called where the processor has
// no words of its own.
var declines = map[payment.Reason]string{
	payment.GenericDecline:       "Declined",
	payment.DoNotHonor:           "Do not honor",
	payment.InsufficientFunds:    "Insufficient funds",
	payment.LostCard:             "Lost card",
	payment.StolenCard:           "Stolen card",
	payment.ExpiredCard:          "Card is expired",
	payment.IncorrectCVC:         "Invalid CVV",
	payment.IncorrectNumber:      "Invalid card number",
	payment.VelocityExceeded:     "Activity limit exceeded",
	payment.Fraudulent:           "Suspected fraud",
	payment.ProcessingError:      "Processing error",
	payment.AuthenticationFailed: "Cardholder authentication failed",
	payment.PayerFrozen:          "Declined",
	payment.GrantOver:            "Declined",
	payment.PayerDeclined:        "Rejected by customer",
	payment.AuthorizationLapsed:  "Authorization has expired",
	payment.RiskRejected:         textAntiFraud,
	payment.LimitMaximum:         textAntiFraud,
	payment.LimitVolume:          textAntiFraud,
	payment.LimitCount:           textAntiFraud,
	payment.LimitPayer:           textAntiFraud,
	payment.NotPerformed:         "Operation was not performed",
	payment.UnsupportedMethod:    "Card is not supported",
}
