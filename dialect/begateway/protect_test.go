package begateway

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/payment"
)

const whiteCard = `{"status":"successful","white_black_list":{"card_number":"white","ip":"absent","email":"absent"},"review":true,"counted":["x"]}`

// What the checks found is shown word for word, what else they keep is not,
// and a part that was not checked is not there (section 5).
func TestVerificationParts(t *testing.T) {
	for _, test := range []struct{ kept, shown string }{
		{whiteCard, `{"status":"successful","white_black_list":{"card_number":"white","ip":"absent","email":"absent"}}`},
		{`{"status":"successful","rules":{"a":{},"b":{},"c":{}},"skip_3ds":true}`, `{"status":"successful","rules":{"a":{},"b":{},"c":{}}}`},
		{`{"status":"successful","message":"none"}`, `{"status":"successful"}`},
		{seedFailedSection, seedFailedSection},
		{seedPassedSection, seedPassedSection},
	} {
		c, err := readVerification([]byte(test.kept))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(c.append(nil)); got != test.shown {
			t.Errorf("%s, want %s", got, test.shown)
		}
	}
	if c, err := readVerification(nil); c != nil || err != nil {
		t.Errorf("nothing was checked: %v %v", c, err)
	}
	for _, broken := range []string{"{", "[]", "x"} {
		if _, err := readVerification([]byte(broken)); err == nil {
			t.Errorf("%s is taken for a verdict", broken)
		}
	}
}

// A stopped capture is a transaction: it is found, opens a receipt, counts for
// the duplicate rule, and consumes nothing.
func TestStoppedCapture(t *testing.T) {
	w := newWorld(t)
	parent := w.hold("1000")
	w.engine.screen = func(payment.Instruction) payment.Answer {
		return payment.Answer{Result: payment.Refused, Reason: payment.LimitMaximum, Screening: []byte(seedFailedSection)}
	}
	const message = "Merchant terminal limits exceeded (maximum transaction amount). Transaction didn't pass anti-fraud checks."
	tr := w.transaction("captures", `{"parent_uid":"`+parent+`","amount":1000}`)
	if tr["status"] != "failed" || tr["message"] != message || tr["capture"] != nil {
		t.Errorf("%v", tr)
	}
	found := w.read(w.call("GET", "/transactions/"+tr["uid"].(string), ""))
	if found["status"] != "failed" || found["message"] != message || found["be_protected_verification"] == nil || found["created_at"] == nil {
		t.Errorf("%v", found)
	}
	if page := w.page(tr["receipt_url"].(string)); page.Code != http.StatusOK || !strings.Contains(page.Body.String(), "Merchant terminal limits exceeded") {
		t.Errorf("%d %s", page.Code, page.Body)
	}
	w.engine.screen = nil
	if got := w.problemOf(w.post("captures", `{"parent_uid":"`+parent+`","amount":1000}`), 400); got != textDuplicate {
		t.Errorf("%q", got)
	}
	if tr := w.transaction("captures", `{"parent_uid":"`+parent+`","amount":1000,"duplicate_check":false}`); tr["status"] != "successful" {
		t.Errorf("%v", tr)
	}
}

// A sale may be stopped before its authorization or before its capture: it is
// one failed payment either way, without a processor's section.
func TestStoppedPayment(t *testing.T) {
	for _, kind := range []payment.OperationKind{payment.OpAuthorize, payment.OpCapture} {
		w := newWorld(t)
		w.engine.screen = func(i payment.Instruction) payment.Answer {
			if i.Kind == kind {
				return payment.Answer{Result: payment.Refused, Reason: payment.RiskRejected, Screening: []byte(`{"status":"failed","message":"Stopped.","rules":{}}`)}
			}
			return payment.Answer{Result: payment.Approved, Screening: []byte(whiteCard)}
		}
		tr := w.transaction("payments", intakeOf("1000", goodCard))
		section, _ := json.Marshal(tr["be_protected_verification"])
		if tr["status"] != "failed" || tr["message"] != "Stopped." || tr["payment"] != nil || string(section) != `{"message":"Stopped.","rules":{},"status":"failed"}` {
			t.Errorf("%s: %v", kind, tr)
		}
	}
	w := newWorld(t)
	w.engine.screen = func(i payment.Instruction) payment.Answer {
		if i.Kind == payment.OpAuthorize {
			return payment.Answer{Result: payment.Approved, Screening: []byte(seedPassedSection)}
		}
		return payment.Answer{Result: payment.Approved}
	}
	reply := w.post("payments", intakeOf("1000", goodCard))
	if !strings.Contains(reply.Body.String(), `"be_protected_verification":`+seedPassedSection+`,"payment":{`) {
		t.Errorf("%s", reply.Body)
	}
}

// Checks that left something unreadable are our fault, not the caller's.
func TestUnreadableVerdict(t *testing.T) {
	w := newWorld(t)
	parent := w.hold("1000")
	w.engine.screen = func(payment.Instruction) payment.Answer {
		return payment.Answer{Result: payment.Approved, Screening: []byte("{")}
	}
	if got := w.problemOf(w.post("captures", `{"parent_uid":"`+parent+`","amount":50}`), 500); got != failed.message {
		t.Errorf("%q", got)
	}
}
