package alipay

import "github.com/capstan-pay/capstan/payment"

// result is the answer in a word: code, status and message. The statuses are
// S for success, F for failed, U for unknown and A for accepted.
type result struct {
	code    string
	status  string
	message string
}

// The results that several endpoints share. The first group, and the messages
// of capture below, are the capture page's; the others are the API family's.
var (
	success                = result{"SUCCESS", "S", "success"}
	keyNotFound            = result{"KEY_NOT_FOUND", "F", "The key is not found."}
	clientInvalid          = result{"CLIENT_INVALID", "F", "The client is invalid."}
	signatureInvalid       = result{"SIGNATURE_INVALID", "F", "The signature is invalid."}
	methodNotSupported     = result{"METHOD_NOT_SUPPORTED", "F", "The server does not implement the requested HTTP method."}
	mediaTypeNotAcceptable = result{"MEDIA_TYPE_NOT_ACCEPTABLE", "F", "The server does not implement the media type that can be accepted by the client."}
	unknownException       = result{"UNKNOWN_EXCEPTION", "U", "An API calling is failed, which is caused by unknown reasons"}

	processFail  = result{"PROCESS_FAIL", "F", "A general business failure occurred. Do not retry."}
	paramIllegal = result{"PARAM_ILLEGAL", "F", "Illegal parameters. For example, non-numeric input, invalid date."}
	invalidAPI   = result{"INVALID_API", "F", "The called API is invalid or not active."}
	accessDenied = result{"ACCESS_DENIED", "F", "Access is denied"}

	expiredAgentToken = result{"EXPIRED_AGENT_TOKEN", "F", "The access token of mini program is expired."}
	invalidAgentToken = result{"INVALID_AGENT_TOKEN", "F", "The access token of mini program is invalid."}
)

// The results of capture.
var (
	authCancelled           = result{"AUTH_CANCELLED", "F", "The authorization on payment has been canceled."}
	authExpired             = result{"AUTH_EXPIRED", "F", "The authorization on payment is expired."}
	authNotFound            = result{"AUTH_NOT_FOUND", "F", "The authorization on payment is not found."}
	captureInProcess        = result{"CAPTURE_IN_PROCESS", "U", "The capture is processing."}
	invalidToken            = result{"INVALID_TOKEN", "F", "The access token is invalid."}
	currencyNotSupport      = result{"CURRENCY_NOT_SUPPORT", "F", "The currency of a user's payment is not supported by the wallet."}
	userBalanceNotEnough    = result{"USER_BALANCE_NOT_ENOUGH", "F", "The user's balance is not enough for the payment."}
	userStatusAbnormal      = result{"USER_STATUS_ABNORMAL", "F", "The user status is abnormal."}
	paymentAmountExceeded   = result{"PAYMENT_AMOUNT_EXCEED_LIMIT", "F", "The payment amount exceeds the limit."}
	paymentCountExceeded    = result{"PAYMENT_COUNT_EXCEED_LIMIT", "F", "The number of payments exceeds the limit."}
	repeatInconsistent      = result{"REPEAT_REQ_INCONSISTENT", "F", "The submitted request is not consistent with the last one."}
	userAmountExceeded      = result{"USER_AMOUNT_EXCEED_LIMIT", "F", "The payment amount exceeds the user's amount limit."}
	riskReject              = result{"RISK_REJECT", "F", "The payment is rejected due to risk control."}
	captureAmountExceedAuth = result{"CAPTURE_AMOUNT_EXCEED_AUTH_LIMIT", "F", "The total capture amount exceeds the limit of the authorized payment amount."}
)

// The results of the other endpoints.
var (
	accept                = result{"ACCEPT", "A", "accept"}
	paymentInProcess      = result{"PAYMENT_IN_PROCESS", "U", "The payment is still under process."}
	payRepeatInconsistent = result{"REPEAT_REQ_INCONSISTENT", "F", "Repeated submit, and requests are inconsistent."}
	orderStatusInvalid    = result{"ORDER_STATUS_INVALID", "F", "Order is in invalid status like closed."}
	amountExceedsLimit    = result{"AMOUNT_EXCEEDS_LIMIT", "F", "The amount exceeds the limit."}
	userNotExist          = result{"USER_NOT_EXIST", "F", "There is no such user."}
	partnerNotExist       = result{"PARTNER_NOT_EXIST", "F", "Partner doesn't exist."}
	partnerAbnormal       = result{"PARTNER_STATUS_ABNORMAL", "F", "Partner status abnormal."}
	codeAlreadyUsed       = result{"AUTH_CODE_ALREADY_USED", "F", "Auth code already used."}
	invalidCode           = result{"INVALID_CODE", "F", "Illegal auth code."}
	orderNotExist         = result{"ORDER_NOT_EXIST", "F", "The order does not exist."}
	invalidAccessToken    = result{"INVALID_ACCESS_TOKEN", "F", "Invalid accessToken."}
	expiredAccessToken    = result{"EXPIRED_ACCESS_TOKEN", "F", "The access token is expired."}

	refundInProcess     = result{"REFUND_IN_PROCESS", "U", "The refund is under processing."}
	refundWindowOver    = result{"REFUND_WINDOW_EXCEED", "F", "The refund is past the time in which it may be made."}
	refundExceeded      = result{"REFUND_AMOUNT_EXCEED", "F", "The total refund amount exceeds the captured amount."}
	partnerBalanceShort = result{"PARTNER_BALANCE_NOT_ENOUGH", "F", "The partner's balance is not enough for the refund."}
	refundNotExist      = result{"REFUND_NOT_EXIST", "F", "The refund does not exist."}

	unsupportedGrantType = result{"AUTH_CLIENT_UNSUPPORTED_GRANT_TYPE", "F", "The auth client does not support the grant type."}
	invalidClientStatus  = result{"INVALID_AUTH_CLIENT_STATUS", "F", "The status of the auth client is invalid."}
	invalidAuthClient    = result{"INVALID_AUTH_CLIENT", "F", "The auth client is invalid."}
	invalidRefreshToken  = result{"INVALID_REFRESH_TOKEN", "F", "The refresh token is invalid."}
	expiredRefreshToken  = result{"EXPIRED_REFRESH_TOKEN", "F", "The refresh token is expired."}
	usedRefreshToken     = result{"USED_REFRESH_TOKEN", "F", "The refresh token has been used."}
	invalidAuthCode      = result{"INVALID_AUTHCODE", "F", "The authorization code is invalid."}
	expiredAuthCode      = result{"EXPIRED_AUTHCODE", "F", "The authorization code is expired."}
	usedAuthCode         = result{"USED_AUTHCODE", "F", "The authorization code has been used."}
)

// trafficExceeded answers a client above its rate: failed under /v2, unknown
// under /v1.
func trafficExceeded(r route) result {
	status := "F"
	if r.v1 {
		status = "U"
	}
	return result{"REQUEST_TRAFFIC_EXCEED_LIMIT", status, "The request traffic exceeds the limit."}
}

// refusalRow says what callers hear when a guard failed. Of several guards the
// first row counts whose guard failed and whose condition, if any, holds.
type refusalRow struct {
	guard  payment.Guard
	also   func(*payment.Refusal) bool
	result result
	keeps  bool // it is the final answer under the request's key
}

// refused picks the row of a refusal.
func refused(table []refusalRow, r *payment.Refusal) refusalRow {
	for _, row := range table {
		if r.Has(row.guard) && (row.also == nil || row.also(r)) {
			return row
		}
	}
	return refusalRow{result: processFail}
}

// cancelled: ended by a cancel call, or by voiding all with nothing captured.
func cancelled(r *payment.Refusal) bool {
	return r.Ended == payment.EndedByCancel || r.Status == payment.Voided
}

// charged: the money was taken with the authorization.
func charged(r *payment.Refusal) bool { return r.Unheld && r.Status == payment.Captured }

// unheld: there never was an authorization to capture.
func unheld(r *payment.Refusal) bool { return r.Unheld }

// unknownPartner: the wallet has no such merchant any more.
func unknownPartner(r *payment.Refusal) bool { return r.Has(payment.NotFound) }

// lapsed: the deadline closed it.
func lapsed(r *payment.Refusal) bool { return r.Ended == payment.EndedByDeadline }

// captureRefusals is the order of the documented business rules, rows 1 to 9.
var captureRefusals = []refusalRow{
	{payment.KeyReused, nil, repeatInconsistent, false},
	{payment.InProcess, nil, captureInProcess, false},
	{payment.Busy, nil, unknownException, false},

	{payment.NotFound, nil, authNotFound, false},                 // 1: unknown, or another client's
	{payment.NotCapturable, unheld, authNotFound, false},         // 1: never authorized, or charged at once
	{payment.OperationPending, unheld, authNotFound, false},      // 1: a charge at once that is not answered
	{payment.ScheduledCapture, nil, authNotFound, false},         // 1: captured by a schedule of another dialect
	{payment.OperationPending, nil, captureInProcess, false},     // 1a
	{payment.NotCapturable, cancelled, authCancelled, true},      // 2
	{payment.HoldOver, nil, authExpired, true},                   // 3: found out now
	{payment.NotCapturable, lapsed, authExpired, true},           // 3: closed before
	{payment.CurrencyMismatch, nil, currencyNotSupport, true},    // 4
	{payment.NotCapturable, nil, captureAmountExceedAuth, true},  // 5: closed by its captures
	{payment.AmountTooLarge, nil, captureAmountExceedAuth, true}, // 5
	{payment.AboveMaximum, nil, paymentAmountExceeded, true},     // 8
	{payment.AmountTooSmall, nil, paymentAmountExceeded, true},   // 8: below what another dialect's hold permits
	{payment.TooManyCaptures, nil, paymentCountExceeded, true},   // 9
	{payment.CannotStayOpen, nil, paymentCountExceeded, true},    // 9: another dialect's hold permits no further one

	// Not to be had from a capture as this API asks for it.
	{payment.FeeTooLarge, nil, processFail, true},
	{payment.DuplicateOperation, nil, processFail, true},
	{payment.NotCreated, nil, processFail, true},
	{payment.NotAwaitingPayer, nil, processFail, true},
	{payment.NotVoidable, nil, processFail, true},
	{payment.NotCancellable, nil, processFail, true},
	{payment.NotRefundable, nil, processFail, true},
	{payment.RefundOver, nil, processFail, true},
	{payment.MerchantBarred, nil, processFail, true},
}

// voidRefusals is the order in which void looks at what is wrong: as capture.
var voidRefusals = []refusalRow{
	{payment.KeyReused, nil, repeatInconsistent, false},
	{payment.InProcess, nil, unknownException, false},
	{payment.Busy, nil, unknownException, false},
	{payment.NotFound, nil, authNotFound, false},
	{payment.NotVoidable, charged, orderStatusInvalid, true},
	{payment.NotVoidable, unheld, authNotFound, false},
	{payment.OperationPending, nil, unknownException, false},
	{payment.NotVoidable, cancelled, authCancelled, true},
	{payment.HoldOver, nil, authExpired, true},
	{payment.NotVoidable, lapsed, authExpired, true},
	{payment.NotVoidable, nil, orderStatusInvalid, true}, // closed by its captures: nothing is left
	{payment.CurrencyMismatch, nil, currencyNotSupport, true},
	{payment.AmountTooLarge, nil, amountExceedsLimit, true},
	{payment.AmountTooSmall, nil, orderStatusInvalid, true},
}

// cancelRefusals is what cancel says of a payment that was not cancelled
// before. It has no key to keep anything under.
var cancelRefusals = []refusalRow{
	{payment.Busy, nil, unknownException, false},
	{payment.NotFound, nil, orderNotExist, false},
	{payment.OperationPending, nil, unknownException, false},
	{payment.HoldOver, nil, orderStatusInvalid, false},
	{payment.NotCancellable, nil, orderStatusInvalid, false},
	{payment.NotRefundable, nil, orderStatusInvalid, false},
	{payment.AmountTooLarge, nil, orderStatusInvalid, false}, // a charge that was refunded in part
}

// refundRefusals is the order in which refund looks at what is wrong.
var refundRefusals = []refusalRow{
	{payment.KeyReused, nil, repeatInconsistent, false},
	{payment.InProcess, nil, refundInProcess, false},
	{payment.Busy, nil, unknownException, false},
	{payment.NotFound, nil, orderNotExist, false},
	{payment.NotRefundable, nil, orderStatusInvalid, true},
	{payment.MerchantBarred, nil, partnerAbnormal, true},
	{payment.RefundOver, nil, refundWindowOver, true},
	{payment.CurrencyMismatch, nil, currencyNotSupport, true},
	{payment.AmountTooLarge, nil, refundExceeded, true},
}

// payRefusals is what pay says. It creates a payment, so few guards can fail.
var payRefusals = []refusalRow{
	{payment.KeyReused, nil, payRepeatInconsistent, false},
	{payment.InProcess, nil, paymentInProcess, false},
	{payment.Busy, nil, unknownException, false},
	{payment.MerchantBarred, unknownPartner, partnerNotExist, true},
	{payment.MerchantBarred, nil, partnerAbnormal, true},
	{payment.CurrencyMismatch, nil, currencyNotSupport, true},
	{payment.AmountTooLarge, nil, paymentAmountExceeded, true},
	{payment.HoldOver, nil, orderStatusInvalid, true}, // paymentExpiryTime has passed
}

// captureDeclines is what a processor's or a risk check's no is called, rows
// 6 to 12a.
var captureDeclines = map[payment.Reason]result{
	payment.GrantOver:            invalidToken,          // 6
	payment.PayerFrozen:          userStatusAbnormal,    // 7
	payment.LimitMaximum:         paymentAmountExceeded, // 8
	payment.LimitVolume:          paymentAmountExceeded, // 8
	payment.LimitCount:           paymentCountExceeded,  // 9
	payment.LimitPayer:           userAmountExceeded,    // 10
	payment.VelocityExceeded:     userAmountExceeded,    // 10: the issuer's limit of a card
	payment.RiskRejected:         riskReject,            // 11
	payment.Fraudulent:           riskReject,            // 11
	payment.InsufficientFunds:    userBalanceNotEnough,  // 12
	payment.AuthorizationLapsed:  authExpired,           // 3, as the processor sees it
	payment.UnsupportedMethod:    currencyNotSupport,    // 4, as the processor sees it
	payment.GenericDecline:       processFail,           // 12a, and all below
	payment.DoNotHonor:           processFail,
	payment.LostCard:             processFail,
	payment.StolenCard:           processFail,
	payment.ExpiredCard:          processFail,
	payment.IncorrectCVC:         processFail,
	payment.IncorrectNumber:      processFail,
	payment.ProcessingError:      processFail,
	payment.AuthenticationFailed: processFail,
	payment.PayerDeclined:        processFail,
	payment.NotPerformed:         processFail,
}

// payDeclines is where pay differs from captureDeclines.
var payDeclines = map[payment.Reason]result{
	payment.GrantOver:           invalidAccessToken, // or what is known to be wrong with it
	payment.AuthorizationLapsed: processFail,
	payment.IncorrectNumber:     userNotExist,
	payment.LimitCount:          riskReject, // pay has no code of its own for it
}

// refundDeclines are the reasons that refund has a word for. It is the
// merchant who pays.
var refundDeclines = map[payment.Reason]result{payment.InsufficientFunds: partnerBalanceShort}

// voidDeclines are those that void has one for.
var voidDeclines = map[payment.Reason]result{payment.AuthorizationLapsed: authExpired}

// resultOf is what became of an operation, in the words of its endpoint.
func resultOf(op *payment.Operation) result {
	why := op.Answer.Reason
	switch pending := op.Status == payment.OpPending || op.Status == payment.OpAwaiting; {
	case op.Status == payment.OpApproved:
		return success
	case op.Kind == payment.OpCapture && pending:
		return captureInProcess
	case op.Kind == payment.OpRefund && pending:
		return refundInProcess
	case pending:
		return unknownException
	case op.Kind == payment.OpCapture:
		return declinedCapture(why)
	case op.Kind == payment.OpRefund:
		return or(refundDeclines, why)
	}
	return or(voidDeclines, why)
}

// after is the result as callers hear it: in process, or not known, where the
// processor was asked and has not answered.
func (r result) after(out payment.Outcome) result {
	if out.Silent && r.status == "U" {
		return unknownException
	}
	return r
}

// or is what a table says of a reason, or else PROCESS_FAIL.
func or(table map[payment.Reason]result, why payment.Reason) result {
	if r, ok := table[why]; ok {
		return r
	}
	return processFail
}

// declinedCapture is the result of a capture that was declined.
func declinedCapture(why payment.Reason) result {
	return or(captureDeclines, why)
}

// declinedPay is the result of an authorization or a charge that was declined.
func declinedPay(why payment.Reason) result {
	if r, ok := payDeclines[why]; ok {
		return r
	}
	return declinedCapture(why)
}
