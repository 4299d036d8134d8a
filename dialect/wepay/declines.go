package wepay

import "github.com/capstan-pay/capstan/payment"

// reason is a pending or failure reason of a payment. The codes of the details
// of a decline could not be found in any public document: they are Capstan's.
type reason struct{ code, message, detailCode, detailMessage string }

// The reasons that a payment may show (section 3 of the dialect's document).
var (
	pendingCapture = reason{"PENDING_CAPTURE", "Payment pending capture.", "", ""}
	underReview    = reason{"IN_REVIEW", "Payment is in review.", "", ""}
	processing     = reason{"PROCESSING", "Payment is being processed.", "processing", "The payment currently under processing."}
	expired        = reason{"PAYMENT_EXPIRED", "Failed to capture the payment as it has expired", "request_expired", "The payment was not captured in time."}
	rejected       = reason{"REVIEW", "Failed to capture the payment.", "risk_review", "The payment did not pass the risk review."}
)

// notCaptured is the failure of a payment that was declined.
func notCaptured(code, message string) reason {
	return reason{"NOT_CAPTURED", "Failed to capture the payment", code, message}
}

// declines says how a payment fails that was declined for a reason.
var declines = map[payment.Reason]reason{
	payment.GenericDecline:       notCaptured("card_declined", "The card was declined."),
	payment.DoNotHonor:           notCaptured("do_not_honor", "The card issuer declined the payment."),
	payment.InsufficientFunds:    notCaptured("insufficient_funds", "The card has insufficient funds."),
	payment.LostCard:             notCaptured("lost_card", "The card was reported lost."),
	payment.StolenCard:           notCaptured("stolen_card", "The card was reported stolen."),
	payment.ExpiredCard:          notCaptured("expired_card", "The card has expired."),
	payment.IncorrectCVC:         notCaptured("incorrect_cvv", "The security code of the card is wrong."),
	payment.IncorrectNumber:      notCaptured("incorrect_number", "The card number is wrong."),
	payment.VelocityExceeded:     notCaptured("velocity_exceeded", "The card was used too often."),
	payment.Fraudulent:           notCaptured("suspected_fraud", "The card issuer suspects fraud."),
	payment.ProcessingError:      notCaptured("processing_error", "The payment could not be processed."),
	payment.AuthenticationFailed: notCaptured("authentication_failed", "The card holder could not be authenticated."),
	payment.PayerFrozen:          notCaptured("payer_not_permitted", "The payer may not pay."),
	payment.GrantOver:            notCaptured("payer_not_permitted", "The payer may not pay."),
	payment.PayerDeclined:        notCaptured("payer_declined", "The payer declined the payment."),
	payment.AuthorizationLapsed:  notCaptured("authorization_lapsed", "The card issuer no longer has the authorization."),
	payment.RiskRejected:         rejected,
	payment.LimitMaximum:         notCaptured("amount_limit_exceeded", "The payment is above the most that one payment may have."),
	payment.LimitVolume:          notCaptured("volume_limit_exceeded", "The payment exceeds the volume of the period."),
	payment.LimitCount:           notCaptured("count_limit_exceeded", "There were too many payments in the period."),
	payment.LimitPayer:           notCaptured("payer_limit_exceeded", "The payment exceeds what this payer may spend in the period."),
	payment.NotPerformed:         notCaptured("processing_error", "The payment could not be processed."),
	payment.UnsupportedMethod:    notCaptured("payment_method_not_supported", "The payment method is not supported."),
}

// failure returns why a declined payment failed.
func failure(p *payment.Payment) reason {
	for i := len(p.Operations) - 1; i >= 0; i-- {
		op := &p.Operations[i]
		if op.Status != payment.OpFailed || (op.Kind != payment.OpCapture && op.Kind != payment.OpAuthorize) {
			continue
		}
		if r, ok := declines[op.Answer.Reason]; ok {
			return r
		}
		break
	}
	return declines[payment.GenericDecline]
}
