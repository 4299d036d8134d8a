package intents

import (
	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/payment"
)

// decline is how a reason of a processor is told (section 9).
type decline struct {
	kind    string
	code    string
	issuer  string // decline_code: what the issuer said; empty when it was not the issuer
	message string
	blocked bool // never reached the network
}

const (
	declinedText = "Your card was declined."
	velocityText = "Your card was declined for making repeated attempts too frequently or exceeding its amount limit."
	failedText   = "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new PaymentMethod to attempt to fulfill this PaymentIntent again."
)

// declines has a line for every payment.Reason.
var declines = map[payment.Reason]decline{
	payment.GenericDecline:       {cardError, "card_declined", "generic_decline", declinedText, false},
	payment.DoNotHonor:           {cardError, "card_declined", "do_not_honor", declinedText, false},
	payment.InsufficientFunds:    {cardError, "card_declined", "insufficient_funds", "Your card has insufficient funds.", false},
	payment.LostCard:             {cardError, "card_declined", "lost_card", declinedText, false},
	payment.StolenCard:           {cardError, "card_declined", "stolen_card", declinedText, false},
	payment.ExpiredCard:          {cardError, "expired_card", "expired_card", "Your card has expired.", false},
	payment.IncorrectCVC:         {cardError, "incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect.", false},
	payment.IncorrectNumber:      {cardError, "incorrect_number", "incorrect_number", "Your card number is incorrect.", false},
	payment.VelocityExceeded:     {cardError, "card_declined", "card_velocity_exceeded", velocityText, false},
	payment.Fraudulent:           {cardError, "card_declined", "fraudulent", declinedText, true},
	payment.ProcessingError:      {cardError, "processing_error", "processing_error", "An error occurred while processing your card. Try again in a little bit.", false},
	payment.AuthenticationFailed: {invalidRequest, "payment_intent_authentication_failure", "", failedText, false},
	payment.PayerDeclined:        {invalidRequest, "payment_intent_authentication_failure", "", failedText, false},
	payment.PayerFrozen:          {cardError, "card_declined", "generic_decline", declinedText, false},
	payment.GrantOver:            {cardError, "card_declined", "generic_decline", declinedText, false},
	payment.AuthorizationLapsed:  {cardError, "card_declined", "generic_decline", declinedText, false},
	payment.RiskRejected:         {cardError, "card_declined", "fraudulent", declinedText, true},
	payment.LimitMaximum:         {cardError, "card_declined", "card_velocity_exceeded", velocityText, true},
	payment.LimitVolume:          {cardError, "card_declined", "card_velocity_exceeded", velocityText, true},
	payment.LimitCount:           {cardError, "card_declined", "card_velocity_exceeded", velocityText, true},
	payment.LimitPayer:           {cardError, "card_declined", "card_velocity_exceeded", velocityText, true},
	payment.NotPerformed:         {cardError, "processing_error", "processing_error", "An error occurred while processing your card. Try again in a little bit.", false},
	payment.UnsupportedMethod:    {cardError, "card_declined", "card_not_supported", "Your card is not supported.", false},
}

// What an attempt is told that needed the payer and could not wait for him.
var absences = map[string]decline{
	"off_session": {cardError, "authentication_required", "authentication_required", "Your card was declined. This transaction requires authentication.", false},
	"error_on_requires_action": {
		cardError, "authentication_required", "authentication_required",
		"This payment required an authentication action to complete, but `error_on_requires_action` was set. When you're ready, you can upgrade your integration to handle actions at https://stripe.com/docs/payments/payment-intents/upgrade-to-handle-actions.", false,
	},
}

// declineOf is why an operation was declined.
func declineOf(op *payment.Operation) decline {
	if op.Answer.Reason == payment.AuthenticationFailed && op.Dialect == Name && op.Details != nil {
		var asked details
		asked.read(op.Details)
		if why, ok := absences[asked.text(fieldAbsent)]; ok {
			return why
		}
	}
	if why, ok := declines[op.Answer.Reason]; ok {
		return why
	}
	return declines[payment.GenericDecline]
}

// appendLastError appends the error of the latest attempt while it stands,
// members in the seed's order.
func (d *Dialect) appendLastError(b []byte, v *view) []byte {
	op := v.failed
	if op == nil {
		return append(b, "null"...)
	}
	why := declineOf(op)
	b = dialect.AppendString(append(b, "{\n    \"code\": "...), why.code)
	b = dialect.AppendString(append(b, ",\n    \"message\": "...), why.message)
	if v.p.Method.Kind == payment.CardMethod {
		b = appendNested(append(b, ",\n    \"payment_method\": "...), d.appendMethod(nil, v, v.methodOf(op)), 2)
	}
	b = dialect.AppendString(append(b, ",\n    \"type\": "...), why.kind)
	if why.issuer != "" {
		b = dialect.AppendString(append(b, ",\n    \"decline_code\": "...), why.issuer)
	}
	if hasCharge(op) {
		b = append(d.appendChargeID(append(b, ",\n    \"charge\": \""...), v.p.ID, op.Number), '"')
	}
	b = appendDocURL(append(b, ",\n    \"doc_url\": "...), why.code)
	return append(b, "\n  }"...)
}

// declined is the error of an attempt that was declined.
func (d *Dialect) declined(v *view, op *payment.Operation, intent []byte) *problem {
	why := declineOf(op)
	p := &problem{status: 402, kind: why.kind, code: why.code, decline: why.issuer, message: why.message, intent: intent}
	if hasCharge(op) {
		p.charge = string(d.appendChargeID(nil, v.p.ID, op.Number))
	}
	if v.p.Method.Kind == payment.CardMethod {
		p.method = d.appendMethod(nil, v, v.methodOf(op))
	}
	return p
}
