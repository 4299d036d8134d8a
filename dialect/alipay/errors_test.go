package alipay

import (
	"slices"
	"testing"

	"github.com/capstan-pay/capstan/payment"
)

// TestGuardsAreCovered fails until each guard of the core has its rows, or is
// listed here as one that the command cannot run into.
func TestGuardsAreCovered(t *testing.T) {
	for name, c := range map[string]struct {
		table      []refusalRow
		impossible []payment.Guard
	}{
		"capture": {captureRefusals, nil},
		"void": {voidRefusals, []payment.Guard{
			payment.NotCreated, payment.NotAwaitingPayer, payment.NotCapturable, payment.NotCancellable, payment.NotRefundable, payment.ScheduledCapture,
			payment.FeeTooLarge, payment.TooManyCaptures, payment.CannotStayOpen, payment.DuplicateOperation, payment.AboveMaximum,
			payment.RefundOver, payment.MerchantBarred,
		}},
		"cancel": {cancelRefusals, []payment.Guard{
			payment.KeyReused, payment.InProcess, // it has no key of its own
			payment.NotCreated, payment.NotAwaitingPayer, payment.NotCapturable, payment.NotVoidable, payment.ScheduledCapture, payment.CurrencyMismatch,
			payment.AmountTooSmall, payment.FeeTooLarge, payment.TooManyCaptures, payment.CannotStayOpen, payment.DuplicateOperation, payment.AboveMaximum,
			payment.RefundOver, payment.MerchantBarred,
		}},
		"refund": {refundRefusals, []payment.Guard{
			payment.OperationPending, payment.NotCreated, payment.NotAwaitingPayer, payment.NotCapturable, payment.NotVoidable, payment.NotCancellable,
			payment.HoldOver, payment.ScheduledCapture, payment.AmountTooSmall, payment.FeeTooLarge, payment.TooManyCaptures, payment.CannotStayOpen,
			payment.DuplicateOperation, payment.AboveMaximum,
		}},
		"pay": {payRefusals, []payment.Guard{
			payment.NotFound, // only beside MerchantBarred
			payment.RefundOver, payment.OperationPending, payment.NotCreated, payment.NotAwaitingPayer, payment.NotCapturable, payment.NotVoidable,
			payment.NotCancellable, payment.NotRefundable, payment.ScheduledCapture, payment.AmountTooSmall, payment.FeeTooLarge, payment.TooManyCaptures,
			payment.CannotStayOpen, payment.DuplicateOperation, payment.AboveMaximum,
		}},
	} {
		for _, g := range payment.Guards() {
			last := -1
			for i, row := range c.table {
				if row.guard == g {
					last = i
				}
			}
			switch impossible := slices.Contains(c.impossible, g); {
			case impossible != (last < 0):
				t.Errorf("%s: guard %s is covered: %t", name, g, last >= 0)
			case last >= 0 && c.table[last].also != nil:
				t.Errorf("%s: the last row of guard %s has a condition", name, g)
			}
		}
	}
}

func TestReasonsAreCovered(t *testing.T) {
	for _, r := range payment.Reasons() {
		if _, ok := captureDeclines[r]; !ok {
			t.Errorf("reason %s has no code", r)
		}
		if got := declinedPay(r); got.status != "F" {
			t.Errorf("pay calls %s %s", r, got.code)
		}
	}
	if got := declinedCapture("unheard of"); got != processFail {
		t.Errorf("an unknown reason is %s", got.code)
	}
}

// TestCaptureOrder: of several rules the first one of section 4.3 answers,
// and what is final is kept under the request's id.
func TestCaptureOrder(t *testing.T) {
	everything := []payment.Guard{
		payment.OperationPending, payment.NotCapturable, payment.HoldOver, payment.CurrencyMismatch, payment.AmountTooLarge, payment.AboveMaximum, payment.TooManyCaptures,
	}
	for _, c := range []struct {
		name   string
		failed []payment.Guard
		change func(*payment.Refusal)
		want   result
		keeps  bool
	}{
		{"1: unknown", []payment.Guard{payment.NotFound}, nil, authNotFound, false},
		{"1: never authorized", everything, func(r *payment.Refusal) { r.Unheld = true }, authNotFound, false},
		{"1: a charge that is not answered", []payment.Guard{payment.OperationPending, payment.AmountTooLarge}, func(r *payment.Refusal) { r.Unheld = true }, authNotFound, false},
		{"1: an order cancelled before it was confirmed", []payment.Guard{payment.NotCapturable}, func(r *payment.Refusal) { r.Unheld, r.Ended = true, payment.EndedByCancel }, authNotFound, false},
		{"1a: in process", everything, func(r *payment.Refusal) { r.Ended = payment.EndedByCancel }, captureInProcess, false},
		{"2: cancelled", everything[1:], func(r *payment.Refusal) { r.Status, r.Ended = payment.Voided, payment.EndedByCancel }, authCancelled, true},
		{"2: voided with nothing captured", everything[1:], func(r *payment.Refusal) { r.Status, r.Ended = payment.Voided, payment.EndedByVoid }, authCancelled, true},
		{"3: over now", everything[1:], func(r *payment.Refusal) { r.Status, r.Ended = payment.Expired, payment.EndedByDeadline }, authExpired, true},
		{"3: over before", []payment.Guard{payment.NotCapturable, payment.CurrencyMismatch, payment.AmountTooLarge}, func(r *payment.Refusal) { r.Status, r.Ended = payment.Captured, payment.EndedByDeadline }, authExpired, true},
		{"4: currency", everything[3:], nil, currencyNotSupport, true},
		{"4: currency of a closed one", []payment.Guard{payment.NotCapturable, payment.CurrencyMismatch}, func(r *payment.Refusal) { r.Status, r.Ended = payment.Captured, payment.EndedByCapture }, currencyNotSupport, true},
		{"5: closed by its captures", []payment.Guard{payment.NotCapturable, payment.TooManyCaptures}, func(r *payment.Refusal) { r.Status, r.Ended = payment.Captured, payment.EndedByCapture }, captureAmountExceedAuth, true},
		{"5: rest voided after a capture", []payment.Guard{payment.NotCapturable, payment.AmountTooSmall}, func(r *payment.Refusal) { r.Status, r.Ended = payment.Captured, payment.EndedByVoid }, captureAmountExceedAuth, true},
		{"5: too much", everything[4:], nil, captureAmountExceedAuth, true},
		{"8: above the client's maximum", everything[5:], nil, paymentAmountExceeded, true},
		{"9: too many", everything[6:], nil, paymentCountExceeded, true},
		{"key reused", []payment.Guard{payment.KeyReused}, nil, repeatInconsistent, false},
		{"in flight", []payment.Guard{payment.InProcess}, nil, captureInProcess, false},
		{"busy", []payment.Guard{payment.Busy}, nil, unknownException, false},
	} {
		r := payment.Refuse(c.failed...)
		r.Status = payment.Authorized
		if c.change != nil {
			c.change(r)
		}
		if got := refused(captureRefusals, r); got.result != c.want || keepsCapture(r) != c.keeps {
			t.Errorf("%s: %s, kept %t; want %s, kept %t", c.name, got.result.code, got.keeps, c.want.code, c.keeps)
		}
	}
	for _, table := range [][]refusalRow{captureRefusals, voidRefusals, payRefusals, cancelRefusals, refundRefusals} {
		for _, row := range table {
			if row.keeps && row.result.status != "F" {
				t.Errorf("%s is kept, though not final", row.result.code)
			}
		}
	}
}

// TestSeedCodes: codes, statuses and messages of the capture page, to the
// letter, and each of them is said by some table.
func TestSeedCodes(t *testing.T) {
	seed := []result{
		{"SUCCESS", "S", "success"},
		{"AUTH_CANCELLED", "F", "The authorization on payment has been canceled."},
		{"AUTH_EXPIRED", "F", "The authorization on payment is expired."},
		{"AUTH_NOT_FOUND", "F", "The authorization on payment is not found."},
		{"CAPTURE_IN_PROCESS", "U", "The capture is processing."},
		{"INVALID_TOKEN", "F", "The access token is invalid."},
		{"CURRENCY_NOT_SUPPORT", "F", "The currency of a user's payment is not supported by the wallet."},
		{"USER_BALANCE_NOT_ENOUGH", "F", "The user's balance is not enough for the payment."},
		{"USER_STATUS_ABNORMAL", "F", "The user status is abnormal."},
		{"PAYMENT_AMOUNT_EXCEED_LIMIT", "F", "The payment amount exceeds the limit."},
		{"PAYMENT_COUNT_EXCEED_LIMIT", "F", "The number of payments exceeds the limit."},
		{"REPEAT_REQ_INCONSISTENT", "F", "The submitted request is not consistent with the last one."},
		{"USER_AMOUNT_EXCEED_LIMIT", "F", "The payment amount exceeds the user's amount limit."},
		{"RISK_REJECT", "F", "The payment is rejected due to risk control."},
		{"KEY_NOT_FOUND", "F", "The key is not found."},
		{"CLIENT_INVALID", "F", "The client is invalid."},
		{"SIGNATURE_INVALID", "F", "The signature is invalid."},
		{"METHOD_NOT_SUPPORTED", "F", "The server does not implement the requested HTTP method."},
		{"MEDIA_TYPE_NOT_ACCEPTABLE", "F", "The server does not implement the media type that can be accepted by the client."},
		{"CAPTURE_AMOUNT_EXCEED_AUTH_LIMIT", "F", "The total capture amount exceeds the limit of the authorized payment amount."},
	}
	said := []result{success, keyNotFound, clientInvalid, signatureInvalid, methodNotSupported, mediaTypeNotAcceptable}
	for _, row := range captureRefusals {
		said = append(said, row.result)
	}
	for _, r := range captureDeclines {
		said = append(said, r)
	}
	for _, want := range seed {
		if !slices.Contains(said, want) {
			t.Errorf("nobody says %v", want)
		}
	}
	common := []result{unknownException, processFail}
	for _, got := range said {
		if !slices.Contains(seed, got) && !slices.Contains(common, got) {
			t.Errorf("capture may not say %v", got)
		}
	}
}
