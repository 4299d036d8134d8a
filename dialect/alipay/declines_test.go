package alipay

import (
	"testing"

	"github.com/capstan-pay/capstan/payment"
)

// TestDeclines: whatever a processor says no with has its code, which is final
// under the request's id; the authorization stays open, unless the processor
// says that it has lapsed.
func TestDeclines(t *testing.T) {
	var why payment.Reason
	r := newRig(t, true, func(i payment.Instruction) payment.Answer {
		if why != "" && i.Kind == payment.OpCapture {
			return payment.Answer{Result: payment.Refused, Reason: why}
		}
		return payment.Answer{Result: payment.Approved}
	})
	for _, reason := range payment.Reasons() {
		id := r.pay(t, "pay "+string(reason), 1000, "USD")
		why = reason
		want := declinedCapture(reason)
		got := r.capture(t, string(reason), id)
		if got.Result.Code != want.code || got.Result.Status != "F" || got.CaptureID != "" {
			t.Errorf("%s: %s", reason, got.body)
		}
		why = ""
		if again := r.capture(t, string(reason), id); again.body != got.body {
			t.Errorf("%s, repeated: %s", reason, again.body)
		}
		after := "SUCCESS"
		if reason == payment.AuthorizationLapsed {
			after = "AUTH_EXPIRED"
		}
		if got := r.capture(t, "after "+string(reason), id); got.Result.Code != after {
			t.Errorf("after %s: %s", reason, got.body)
		}
	}
}
