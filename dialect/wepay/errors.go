package wepay

import (
	"net/http"

	"github.com/capstan-pay/capstan/payment"
)

// problem is an answer that is not a resource.
type problem struct {
	status  int
	code    string // the class of the error
	message string // for end users
	details []detail
	allow   string // 405: the methods that there are
}

// detail says what is wrong with one part of a request.
type detail struct {
	target  []string // a path into the body, or the one header or parameter
	in      string   // which of them
	reason  string
	message string // a hint for the developer
}

// What a detail's target is in.
const (
	inBody   = "HTTP_REQUEST_BODY"
	inPath   = "HTTP_REQUEST_PATH"
	inQuery  = "HTTP_REQUEST_QUERY_STRING"
	inHeader = "HTTP_REQUEST_HEADER"
)

// The reasons for problems with one parameter.
const (
	isMissing   = "PARAM_IS_MISSING"
	isWrongType = "PARAM_TYPE_IS_INVALID"
	isInvalid   = "PARAM_VALUE_IS_INVALID"
	isTooSmall  = "PARAM_VALUE_IS_TOO_SMALL_INCLUSIVE"
	isTooLarge  = "PARAM_VALUE_IS_TOO_LARGE_INCLUSIVE"
	isMalformed = "MALFORMED_JSON"
	feeTooLarge = "FEE_EXCEEDS_PAYMENT_AMOUNT_THRESHOLD_PERCENTAGE"
)

// invalid is the answer to a request with something wrong in its parameters.
func invalid(details ...detail) *problem {
	return &problem{http.StatusBadRequest, "INVALID_PARAMS", "Some of the parameters of the request are not valid.", details, ""}
}

func header(name, reason, message string) *problem {
	return invalid(detail{[]string{name}, inHeader, reason, message})
}

// notAuthorized is row 1 of the error table: the same for everything that can
// be wrong with credentials.
var notAuthorized = &problem{
	http.StatusForbidden, "NOT_AUTHORIZED", "The request is not authorized.",
	[]detail{{[]string{"App-Token"}, inHeader, "INVALID_CREDENTIALS", "App-Id and App-Token must be given, valid and belong together."}}, "",
}

// notAccessible is row 2: a resource that does not exist, is somebody else's,
// or cannot be expressed here. Nothing in it may tell which.
func notAccessible(in string, target ...string) *problem {
	return &problem{
		http.StatusForbidden, "NOT_AUTHORIZED", "The request is not authorized.",
		[]detail{{target, in, "RESOURCE_NOT_ACCESSIBLE", "There is no such resource that this application may use."}}, "",
	}
}

// throttled is row 19.
var throttled = &problem{
	http.StatusTooManyRequests, "THROTTLE_EXCEEDED", "There were too many requests. Please try again later.",
	[]detail{{[]string{"App-Id"}, inHeader, "APPLICATION_REQUEST_THROTTLE_EXCEEDED", "The application exceeds its rate limit for this endpoint."}}, "",
}

// cannotAccept is row 20.
var cannotAccept = &problem{
	http.StatusBadRequest, "MERCHANT_ACCOUNT_CANNOT_ACCEPT_PAYMENTS", "This merchant cannot accept payments.",
	[]detail{{[]string{"account_id"}, inBody, "MERCHANT_ACCOUNT_CANNOT_ACCEPT_PAYMENTS", "The account may not take payments at the moment."}}, "",
}

// unexpected is row 21: ours, or nobody knows yet. The same request under the
// same Unique-Key finds out.
var unexpected = &problem{http.StatusInternalServerError, "UNEXPECTED_ERROR", "Something went wrong. Please try again.", nil, ""}

// notFound is row 22, notAllowed row 23.
var notFound = &problem{http.StatusNotFound, "NOT_FOUND", "There is nothing at this address.", nil, ""}

func notAllowed(allow string) *problem {
	return &problem{http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "This address does not take that method.", nil, allow}
}

// stage is a place in the documented order of checks: the first stage with a
// failure answers.
type stage uint8

const (
	lookup stage = iota + 6
	replay
	state
	amounts // all failures of this stage are told, in this order
	acquirer
)

// refusal is one row of the table from the core's guards to answers.
type refusal struct {
	stage   stage
	guard   payment.Guard
	problem *problem
	when    func(*payment.Refusal) bool // nil is always
}

// Row 16 to 18 of the error table and what else may be refused of any
// operation, in the order of checks.
var common = []refusal{
	{stage: lookup, guard: payment.NotFound, problem: notAccessible(inPath, "id")},
	{stage: replay, guard: payment.KeyReused, problem: keyReused},
	{stage: replay, guard: payment.InProcess, problem: header("Unique-Key", "CONCURRENT_UNIQUE_KEY_REQUEST_IS_PROCESSING", "The first request with this key has not been answered yet.")},
	{stage: replay, guard: payment.Busy, problem: unexpected}, // transient, so never a 4xx
}

// keyReused is row 18.
var keyReused = header("Unique-Key", "UNIQUE_KEY_ALREADY_USED", "The key was used before with a different request.")

// moved says that what was read of a document is not so any more. It is never
// answered.
var moved = &problem{status: http.StatusInternalServerError, code: "UNEXPECTED_ERROR", message: "Something moved."}

// createRefusals answer for a refused POST /payments: a payment that does not
// exist yet cannot be in the wrong state.
var createRefusals = common

// notCapturable is row 13: the seed declares no code of its own for it.
var notCapturable = invalid(detail{[]string{"id"}, inPath, "PAYMENT_CANNOT_BE_CAPTURED", "Only a payment that is pending capture, and was created with auto_capture false, can be captured."})

// captureRefusals answer for a refused capture.
var captureRefusals = append(common[:len(common):len(common)],
	refusal{stage: state, guard: payment.NotCapturable, problem: notCapturable},
	refusal{stage: state, guard: payment.HoldOver, problem: notCapturable},
	refusal{stage: state, guard: payment.ScheduledCapture, problem: notCapturable},
	refusal{stage: state, guard: payment.TooManyCaptures, problem: notCapturable},
	refusal{stage: state, guard: payment.OperationPending, problem: notCapturable},
	refusal{stage: amounts, guard: payment.AmountTooSmall, problem: bodyDetail(isTooSmall, "The amount is below the least that may be captured.", "amounts", "amount")},
	refusal{stage: amounts, guard: payment.AmountTooLarge, problem: bodyDetail(isTooLarge, "The amount is above the most that may be captured of this payment.", "amounts", "amount")},
	refusal{stage: amounts, guard: payment.CurrencyMismatch, problem: bodyDetail(isInvalid, "The currency is not that of the payment.", "amounts", "currency")},
	refusal{stage: amounts, guard: payment.FeeTooLarge, problem: bodyDetail(feeTooLarge, feeHint, "amounts", "fee_amount")},
)

// notCancelable is row 14.
var notCancelable = &problem{
	http.StatusBadRequest, "PAYMENT_CANNOT_BE_CANCELED", "The payment cannot be canceled.",
	[]detail{{[]string{"id"}, inPath, "PAYMENT_CANNOT_BE_CANCELED", "Only a payment that is pending capture can be canceled; one by a card that was present, for 90 minutes."}}, "",
}

// cancelRefusals answer for a refused cancellation.
var cancelRefusals = append(common[:len(common):len(common)],
	refusal{stage: state, guard: payment.NotCancellable, problem: notCancelable},
	refusal{stage: state, guard: payment.HoldOver, problem: notCancelable},
	refusal{stage: state, guard: payment.OperationPending, problem: notCancelable},
)

// notUpdatable is ours: the original's code for it could not be found.
var notUpdatable = &problem{
	http.StatusBadRequest, "PAYMENT_CANNOT_BE_UPDATED", "The payment cannot be updated.",
	[]detail{{[]string{"id"}, inPath, "PAYMENT_CANNOT_BE_UPDATED", "Amounts and capture_at can be updated of a payment that is pending capture, and nothing of one that was made through another API."}}, "",
}

// updateRefusals answer for a refused update.
var updateRefusals = append(common[:len(common):len(common)],
	refusal{stage: state, guard: payment.NotCreated, problem: notUpdatable},
	refusal{stage: state, guard: payment.HoldOver, problem: notUpdatable},
	refusal{stage: state, guard: payment.OperationPending, problem: notUpdatable},
	refusal{stage: amounts, guard: payment.AmountTooSmall, problem: bodyDetail(isTooSmall, "The amount is below the least that may be captured.", "amounts", "amount")},
	refusal{stage: amounts, guard: payment.AmountTooLarge, problem: bodyDetail(isTooLarge, "The amount is above the most that may be captured of this payment.", "amounts", "amount")},
	refusal{stage: amounts, guard: payment.CurrencyMismatch, problem: bodyDetail(isInvalid, "The currency is not that of the payment.", "amounts", "currency")},
	refusal{stage: amounts, guard: payment.FeeTooLarge, problem: bodyDetail(feeTooLarge, feeHint, "amounts", "fee_amount")},
	refusal{stage: amounts, guard: payment.ScheduledCapture, problem: bodyDetail(isTooLarge, "This is more than 7 days after the creation of the payment.", "capture_at")},
)

// notRefundable is row 15.
var notRefundable = bodyDetail("PAYMENT_CANNOT_BE_REFUNDED", "Only a payment that is completed can be refunded, as far as it was not, and for 60 days.", "payment_id")

// refundRefusals answer for a refused refund.
var refundRefusals = []refusal{
	{stage: lookup, guard: payment.NotFound, problem: notAccessible(inBody, "payment_id")},
	common[1], common[2], common[3],
	{stage: state, guard: payment.NotRefundable, problem: notRefundable},
	{stage: state, guard: payment.AmountTooSmall, problem: notRefundable}, // nothing is left
	{stage: state, guard: payment.AmountTooLarge, problem: notRefundable, when: func(r *payment.Refusal) bool { return r.Limit == 0 }},
	{stage: amounts, guard: payment.CurrencyMismatch, problem: bodyDetail(isInvalid, "The currency is not that of the payment.", "amounts", "currency")},
	{stage: amounts, guard: payment.AmountTooLarge, problem: bodyDetail(isTooLarge, "This is more than what is left of the payment.", "amounts", "total_amount")},
	{stage: amounts, guard: payment.FeeTooLarge, problem: bodyDetail(isTooLarge, "This is more than what is left of the fee, or than the refund.", "amounts", "fee_refund_amount")},
}

const feeHint = "The fee exceeds the share of the payment that a fee may have."

func bodyDetail(reason, message string, target ...string) *problem {
	return invalid(detail{target, inBody, reason, message})
}

// answer returns what the table says of a refusal: the first row that failed,
// and of the amounts all that failed together.
func answer(table []refusal, r *payment.Refusal) *problem {
	var found *problem
	for _, row := range table {
		switch {
		case !r.Has(row.guard) || row.when != nil && !row.when(r):
		case found == nil && row.stage != amounts:
			return row.problem
		case found == nil:
			found = invalid(row.problem.details...)
		case row.stage == amounts:
			found.details = append(found.details, row.problem.details...)
		}
	}
	if found == nil {
		return unexpected
	}
	return found
}
