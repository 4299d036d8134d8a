package wepay

import (
	"encoding/json"
	"regexp"
	"slices"
	"testing"

	"github.com/capstan-pay/capstan/payment"
)

// TestRefusalsAreCovered fails until each guard of the core has its row, or is
// listed here as one that the command cannot run into.
func TestRefusalsAreCovered(t *testing.T) {
	notOfACapture := []payment.Guard{
		payment.NotCreated, payment.NotAwaitingPayer, payment.NotVoidable, payment.NotCancellable, payment.NotRefundable,
		payment.CannotStayOpen, payment.DuplicateOperation, payment.AboveMaximum, payment.RefundOver, payment.MerchantBarred, // asked for by fields of Capture that this dialect does not set
	}
	notOfACancellation := []payment.Guard{
		payment.NotCreated, payment.NotAwaitingPayer, payment.NotCapturable, payment.NotVoidable, payment.NotRefundable, payment.ScheduledCapture,
		payment.CurrencyMismatch, payment.AmountTooSmall, payment.AmountTooLarge, payment.FeeTooLarge, payment.TooManyCaptures,
		payment.CannotStayOpen, payment.DuplicateOperation, payment.AboveMaximum, payment.RefundOver, payment.MerchantBarred,
	}
	for name, c := range map[string]struct {
		table      []refusal
		impossible []payment.Guard
	}{
		"capture": {captureRefusals, notOfACapture}, "cancel": {cancelRefusals, notOfACancellation},
	} {
		for _, g := range payment.Guards() {
			rows := 0
			for _, row := range c.table {
				if row.guard == g {
					rows++
				}
			}
			if impossible := slices.Contains(c.impossible, g); impossible && rows != 0 || !impossible && rows != 1 {
				t.Errorf("%s: guard %s has %d rows", name, g, rows)
			}
		}
		if !slices.IsSortedFunc(c.table, func(a, b refusal) int { return int(a.stage) - int(b.stage) }) {
			t.Errorf("%s: the rows are not in the order of the stages", name)
		}
	}
}

// TestAnswerByStage: the first stage that failed answers, and only the amounts
// tell all that failed.
func TestAnswerByStage(t *testing.T) {
	for _, c := range []struct {
		name    string
		failed  []payment.Guard
		reasons []string
	}{
		{"lookup before key", []payment.Guard{payment.KeyReused, payment.NotFound}, []string{"RESOURCE_NOT_ACCESSIBLE"}},
		{"key before state", []payment.Guard{payment.NotCapturable, payment.KeyReused}, []string{"UNIQUE_KEY_ALREADY_USED"}},
		{"state before amounts", []payment.Guard{payment.AmountTooLarge, payment.HoldOver, payment.NotCapturable}, []string{"PAYMENT_CANNOT_BE_CAPTURED"}},
		{"all amounts", []payment.Guard{payment.FeeTooLarge, payment.CurrencyMismatch, payment.AmountTooLarge}, []string{isTooLarge, isInvalid, feeTooLarge}},
		{"one amount", []payment.Guard{payment.FeeTooLarge}, []string{feeTooLarge}},
		{"unheard of", []payment.Guard{payment.NotRefundable}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 2 { // the table is not used up by an answer
				problem := answer(captureRefusals, payment.Refuse(c.failed...))
				var reasons []string
				for _, d := range problem.details {
					reasons = append(reasons, d.reason)
				}
				if !slices.Equal(reasons, c.reasons) {
					t.Fatalf("reasons %v, want %v", reasons, c.reasons)
				}
			}
		})
	}
}

// TestSeedCodes: on the capture endpoint error_code is one that the capture
// page declares, whatever was refused.
func TestSeedCodes(t *testing.T) {
	declared := map[int][]string{
		400: {"INVALID_PARAMS", "PARAM_IS_MISSING", "PARAM_VALUE_IS_TOO_SMALL_INCLUSIVE", "FEE_EXCEEDS_PAYMENT_AMOUNT_THRESHOLD_PERCENTAGE"},
		403: {"NOT_AUTHORIZED"}, 500: {"UNEXPECTED_ERROR"},
	}
	problems := []*problem{notAuthorized, unexpected, header("Api-Version", isMissing, ""), wholeBody(isMalformed, "")}
	for _, g := range payment.Guards() {
		problems = append(problems, answer(captureRefusals, payment.Refuse(g)))
	}
	for _, p := range problems {
		if !slices.Contains(declared[p.status], p.code) {
			t.Errorf("%d %s is not declared", p.status, p.code)
		}
	}
}

// TestProblemShape: a public client throws when details is missing, and takes
// the members of a detail for granted.
func TestProblemShape(t *testing.T) {
	problems := []*problem{notAuthorized, notAccessible(inPath, "id"), throttled, cannotAccept, unexpected, notFound, notAllowed("GET"), wholeBody(isMalformed, "x")}
	for _, row := range slices.Concat(captureRefusals, cancelRefusals) {
		problems = append(problems, row.problem)
	}
	for _, p := range problems {
		text := appendProblem(nil, p)
		var got struct {
			ErrorCode    *string           `json:"error_code"`
			ErrorMessage *string           `json:"error_message"`
			Details      *[]map[string]any `json:"details"`
		}
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got.ErrorCode == nil || got.ErrorMessage == nil || got.Details == nil {
			t.Fatalf("a member is missing: %s", text)
		}
		for _, d := range *got.Details {
			if len(d) != 4 || d["target"] == nil || d["target_type"] == nil || d["reason_code"] == nil || d["message"] == nil {
				t.Errorf("a detail is incomplete: %s", text)
			}
		}
	}
}

func TestDeclinesAreCovered(t *testing.T) {
	word := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	for _, why := range payment.Reasons() {
		r, ok := declines[why]
		if !ok || !word.MatchString(r.detailCode) || r.detailMessage == "" || r.message == "" {
			t.Errorf("reason %q has no answer", why)
		}
	}
	if len(declines) != len(payment.Reasons()) {
		t.Errorf("%d answers for %d reasons", len(declines), len(payment.Reasons()))
	}
}
