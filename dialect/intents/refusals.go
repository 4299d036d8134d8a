package intents

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/capstan-pay/capstan/payment"
)

var errNote = errors.New("intents: the note kept with an idempotency key cannot be read")

// refusals are the guards of the core in the order in which callers hear them:
// the intent first, then its state, then the amount (section 7). Each line
// says whether the refusal is the final answer under an idempotency key
// (section 3, last column) and what it is told as.
var refusals = []struct {
	guard payment.Guard
	kept  bool
	told  func(*reply) *problem
}{
	{payment.KeyReused, false, unexpectedState}, // these three are answered before (unanswered)
	{payment.InProcess, false, unexpectedState},
	{payment.Busy, false, unexpectedState},
	{payment.NotFound, true, noSuchObject},
	{payment.OperationPending, false, locked},
	{payment.HoldOver, true, unexpectedState},
	{payment.NotCreated, true, unexpectedState},
	{payment.NotAwaitingPayer, true, unexpectedState},
	{payment.NotCapturable, true, unexpectedState},
	{payment.NotCancellable, true, unexpectedState},
	{payment.NotVoidable, true, unexpectedState},
	{payment.NotRefundable, true, unexpectedState},
	{payment.ScheduledCapture, true, scheduledOnly},
	{payment.CurrencyMismatch, true, wrongUnit},
	{payment.AmountTooSmall, true, amountTooSmall},
	{payment.AmountTooLarge, true, amountTooLarge},
	{payment.AboveMaximum, true, amountTooLarge},
	{payment.RefundOver, true, unexpectedState},     // a bound that this dialect does not set
	{payment.MerchantBarred, true, unexpectedState}, // as above
	{payment.TooManyCaptures, true, tooManyOperations},
	{payment.CannotStayOpen, true, cannotStayOpen},
	{payment.FeeTooLarge, true, feeTooLarge},
	{payment.DuplicateOperation, true, unexpectedState},
}

// keeps tells which refusals are kept under a key.
func keeps(r *payment.Refusal) bool {
	for i := range refusals {
		if r.Has(refusals[i].guard) {
			return refusals[i].kept
		}
	}
	return false
}

// refused is what a refusal is told as.
func (r *reply) refused() *problem {
	for i := range refusals {
		if r.out.Refusal.Has(refusals[i].guard) {
			return refusals[i].told(r)
		}
	}
	return unexpectedState(r)
}

func noSuchObject(r *reply) *problem {
	if r.out.Payment != nil { // it was a parameter that named something
		return missing(http.StatusBadRequest, "payment_method", "PaymentMethod", r.note.named)
	}
	id := r.note.id
	if r.note.payment != 0 {
		id = string(r.d.appendIntentID(nil, r.note.payment))
	}
	return missing(http.StatusNotFound, "intent", "payment_intent", id)
}

func locked(*reply) *problem {
	return &problem{
		status: http.StatusTooManyRequests, code: "lock_timeout", again: retrySoon,
		message: "This object cannot be accessed right now because another API request or a processor is currently accessing it. If you see this error intermittently, retry the request.",
	}
}

// state is a problem with the state the intent is in.
func (r *reply) state(message string) *problem {
	return &problem{status: http.StatusBadRequest, code: "payment_intent_unexpected_state", message: message, intent: r.intent()}
}

// unexpectedState says what the intent's state does not permit.
func unexpectedState(r *reply) *problem {
	v := &r.view
	if v.p == nil {
		return noSuchObject(r)
	}
	switch r.note.route {
	case captureRoute:
		return r.state(notCapturable(v))
	case cancelRoute:
		if v.status == requiresCapture {
			return r.state("You cannot cancel this PaymentIntent because it is too late: the time in which it could be canceled is over.")
		}
		return r.state("You cannot cancel this PaymentIntent because it has a status of " + v.status + ". Only a PaymentIntent with one of the following statuses may be canceled: requires_payment_method, requires_capture, requires_confirmation, requires_action, processing.")
	case confirmRoute:
		return r.state(notConfirmable(v))
	case createRefundRoute:
		return notRefundable(r)
	case incrementRoute:
		return notIncrementable(r)
	}
	return notUpdatable(r)
}

func notCapturable(v *view) string {
	switch {
	case v.p.Captured == 0:
		return "This PaymentIntent could not be captured because it has a status of " + v.status + ". Only a PaymentIntent with one of the following statuses may be captured: requires_capture."
	case v.p.Captured < v.p.Amount:
		return "The remaining amount on this PaymentIntent could not be captured because the remainder of the authorized amount has been released."
	}
	return "This PaymentIntent could not be captured because it has already been captured."
}

const missingMethodText = "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a payment method."

func notConfirmable(v *view) string {
	switch v.status {
	case succeeded:
		return "You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed."
	case requiresMethod:
		if foreign(v) {
			return foreignText
		}
		return missingMethodText
	case requiresConfirmation, requiresAction:
		return foreignText
	}
	return "You cannot confirm this PaymentIntent because it has a status of " + v.status + ". Only a PaymentIntent with one of the following statuses may be confirmed: requires_payment_method, requires_confirmation, requires_action."
}

// foreign tells whether another dialect made the payment: it can be read,
// captured and canceled here, and everything else there.
func foreign(v *view) bool { return v.p.Dialect != Name }

const foreignText = "This PaymentIntent was created through another API and can only be retrieved, captured and canceled here."

func notUpdatable(r *reply) *problem {
	if foreign(&r.view) {
		return r.state(foreignText)
	}
	what := "payment_method"
	if r.note.remark == newAmount {
		what = "amount"
	}
	p := r.state("This PaymentIntent's " + what + " could not be updated because it has a status of " + r.view.status + ". You may only update the " + what +
		" of a PaymentIntent with one of the following statuses: requires_payment_method, requires_confirmation, requires_action.")
	p.param = what
	return p
}

func scheduledOnly(r *reply) *problem {
	return r.state("This PaymentIntent could not be captured because its capture is scheduled.")
}

func wrongUnit(r *reply) *problem {
	return wrongMultiple("amount", r.view.p.Currency)
}

func amountTooSmall(r *reply) *problem {
	if r.note.route == incrementRoute {
		return notIncrementable(r)
	}
	if r.note.route == createRefundRoute { // of all that is left, which is nothing
		return notRefundable(r)
	}
	p := invalid("amount_to_capture", "Invalid non-negative integer")
	switch r.note.remark {
	case negativeAmount:
	case brokenUnit:
		p = wrongMultiple("amount_to_capture", r.view.p.Currency)
	default:
		// It is "amount" that Stripe names here, not the parameter that was sent.
		p = &problem{status: http.StatusBadRequest, code: "parameter_invalid_integer", param: "amount", message: "This value must be greater than or equal to 1."}
	}
	p.intent = r.intent()
	return p
}

func amountTooLarge(r *reply) *problem {
	if r.note.route == createRefundRoute {
		return refundTooLarge(r)
	}
	return &problem{
		status: http.StatusBadRequest, code: "amount_too_large", intent: r.intent(),
		message: "The payment could not be captured because the requested capture amount is greater than the amount you can capture for this charge.",
	}
}

func cannotStayOpen(r *reply) *problem {
	p := invalid("final_capture", "This PaymentIntent does not support multicapture: final_capture may not be false. Ask for it with payment_method_options[card][request_multicapture] when you create the PaymentIntent.")
	p.intent = r.intent()
	return p
}

func feeTooLarge(r *reply) *problem {
	p := invalid("application_fee_amount", "The application fee must not be negative or greater than the amount that is captured.")
	p.intent = r.intent()
	return p
}

func tooManyOperations(r *reply) *problem {
	if r.note.route == incrementRoute {
		return notIncrementable(r)
	}
	return r.state("This PaymentIntent could not be captured because it has been captured as often as it may be: " + strconv.Itoa(multicaptures) + " times. Cancel it to release the rest.")
}
