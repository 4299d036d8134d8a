package wepay

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/wireid"
)

func bare() *Dialect {
	return New(dialect.Services{IDs: wireid.New([]byte("0123456789abcdef"))})
}

// members is the order of the capture page's response sample.
var members = []string{
	"id", "resource", "path", "owner", "create_time", "capture_at", "amount", "fee_amount", "auto_capture", "status", "currency",
	"payment_method", "order", "pending_reasons", "failure_reason", "txnr_app_fee", "txnr_merchant", "amount_refunded", "amount_disputed",
	"initiated_by", "reference_id", "authorization_code", "custom_data", "api_version",
}

// sample is a payment with a status; captured ones have a capture of 500.
func sample(s payment.Status, settled bool) *payment.Payment {
	at := time.Unix(1_768_478_400, 0)
	p := &payment.Payment{
		ID: 1 << 40, Merchant: 7, CreatedAt: at, Status: s, Authorized: 2000,
		Intake: payment.Intake{
			Dialect: Name, Currency: "USD", Amount: 2000, Fee: 200, Method: payment.Method{Kind: payment.CardMethod, Brand: "visa", Last4: "4018"},
			Details: details{apiVersion: "3.0", initiatedBy: "none"}.append(nil),
		},
		Operations: []payment.Operation{{Number: 1, Kind: payment.OpAuthorize, Status: payment.OpApproved, Answer: payment.Answer{AuthCode: "135997"}}},
	}
	switch s {
	case payment.Captured:
		p.Captured = 500
		p.Operations = append(p.Operations, payment.Operation{Number: 2, Kind: payment.OpCapture, Status: payment.OpApproved, Amount: 500, Fee: 100, Settled: settled})
		if settled {
			p.Settled = 500
		}
	case payment.Declined:
		p.Operations[0].Status, p.Operations[0].Answer = payment.OpFailed, payment.Answer{Reason: payment.ExpiredCard}
	}
	return p
}

// TestStates: each state of a payment as it is shown (section 3 of the
// dialect's document).
func TestStates(t *testing.T) {
	inFlight := sample(payment.Authorized, false)
	inFlight.Operations = append(inFlight.Operations, payment.Operation{Number: 2, Kind: payment.OpCapture, Status: payment.OpPending, Amount: 700, Fee: 70})
	reviewed := sample(payment.Declined, false)
	reviewed.Operations[0].Answer.Reason = payment.RiskRejected
	partlyVoided := sample(payment.Authorized, false)
	partlyVoided.Voided = 300
	for _, c := range []struct {
		name            string
		p               *payment.Payment
		fresh           bool
		status, why     string
		amount, fee     int64
		hasRecords      bool
		pending, failed bool
	}{
		{"created", sample(payment.Created, false), false, "pending", "PROCESSING", 2000, 200, false, true, false},
		{"authorizing", sample(payment.Authorizing, false), false, "pending", "PROCESSING", 2000, 200, false, true, false},
		{"awaiting the payer", sample(payment.AwaitingPayer, false), false, "pending", "PROCESSING", 2000, 200, false, true, false},
		{"authorized", sample(payment.Authorized, false), true, "pending", "PENDING_CAPTURE", 2000, 200, false, true, false},
		{"partly voided", partlyVoided, false, "pending", "PENDING_CAPTURE", 1700, 200, false, true, false},
		{"capture in flight", inFlight, false, "pending", "PROCESSING", 700, 70, false, true, false},
		{"captured", sample(payment.Captured, false), false, "pending", "PROCESSING", 500, 100, false, true, false},
		{"settled", sample(payment.Captured, true), false, "completed", "", 500, 100, true, false, false},
		{"settled at once", sample(payment.Captured, true), true, "pending", "PROCESSING", 500, 100, false, true, false},
		{"voided", sample(payment.Voided, false), false, "canceled", "", 2000, 200, false, false, false},
		{"expired", sample(payment.Expired, false), false, "failed", "PAYMENT_EXPIRED", 2000, 200, false, false, true},
		{"declined", sample(payment.Declined, false), false, "failed", "NOT_CAPTURED", 2000, 200, false, false, true},
		{"stopped by risk", reviewed, false, "failed", "REVIEW", 2000, 200, false, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := bare().appendPayment(nil, c.p, view{apiVersion: "3.0", accountID: "acc", fresh: c.fresh})
			v, ok := parse(text)
			if !ok {
				t.Fatalf("no JSON: %s", text)
			}
			var names []string
			for _, m := range v.members {
				names = append(names, string(m.name))
			}
			if !slices.Equal(names, members) {
				t.Errorf("members %v", names)
			}
			var got struct {
				Status         string
				Amount         int64
				FeeAmount      int64 `json:"fee_amount"`
				PendingReasons []struct {
					ReasonCode string `json:"reason_code"`
				} `json:"pending_reasons"`
				FailureReason *struct {
					ReasonCode string `json:"reason_code"`
				} `json:"failure_reason"`
				Merchant *struct{ ID string } `json:"txnr_merchant"`
				AppFee   *struct{ ID string } `json:"txnr_app_fee"`
			}
			if err := json.Unmarshal(text, &got); err != nil {
				t.Fatal(err)
			}
			if got.Status != c.status || got.Amount != c.amount || got.FeeAmount != c.fee {
				t.Errorf("%s %d %d, want %s %d %d", got.Status, got.Amount, got.FeeAmount, c.status, c.amount, c.fee)
			}
			if (got.PendingReasons != nil) != c.pending || c.pending && got.PendingReasons[0].ReasonCode != c.why {
				t.Errorf("pending reasons %v, want %s", got.PendingReasons, c.why)
			}
			if (got.FailureReason != nil) != c.failed || c.failed && got.FailureReason.ReasonCode != c.why {
				t.Errorf("failure reason %v, want %s", got.FailureReason, c.why)
			}
			if (got.Merchant != nil) != c.hasRecords || (got.AppFee != nil) != c.hasRecords || c.hasRecords && got.Merchant.ID == got.AppFee.ID {
				t.Errorf("records %v and %v", got.Merchant, got.AppFee)
			}
		})
	}
}

// TestSees: what this dialect has no words for is unknown.
func TestSees(t *testing.T) {
	d := bare()
	for _, c := range []struct {
		name string
		p    payment.Payment
		want bool
	}{
		{"a card, USD", payment.Payment{ID: 9, Intake: payment.Intake{Currency: "USD", Method: payment.Method{Kind: payment.CardMethod}}}, true},
		{"a card, CAD", payment.Payment{ID: 9, Intake: payment.Intake{Currency: "CAD", Method: payment.Method{Kind: payment.CardMethod}}}, true},
		{"a card, EUR", payment.Payment{ID: 9, Intake: payment.Intake{Currency: "EUR", Method: payment.Method{Kind: payment.CardMethod}}}, false},
		{"a wallet, USD", payment.Payment{ID: 9, Intake: payment.Intake{Currency: "USD", Method: payment.Method{Kind: payment.WalletMethod}}}, false},
		{"no method yet", payment.Payment{ID: 9, Intake: payment.Intake{Currency: "USD"}}, false},
	} {
		id := d.PaymentID(&c.p)
		if (id != "") != c.want {
			t.Errorf("%s: id %q", c.name, id)
		}
		if back, ok := d.ParsePaymentID(id); ok != c.want || ok && back != c.p.ID {
			t.Errorf("%s: %q reads as %d, %t", c.name, id, back, ok)
		}
	}
	for _, kind := range []wireid.Kind{wireid.PaymentMethod, wireid.Record, wireid.Merchant, wireid.Operation} {
		if _, ok := d.ParsePaymentID(d.IDs.UUID(wireid.Name{Kind: kind, Payment: 9})); ok {
			t.Errorf("an id of kind %d names a payment", kind)
		}
	}
	if _, ok := d.ParsePaymentID(d.IDs.UUID(wireid.Name{Kind: wireid.Payment, Payment: 9, Operation: 1})); ok {
		t.Error("an id of an operation names a payment")
	}
}

func BenchmarkAppendPayment(b *testing.B) {
	d, p := bare(), sample(payment.Captured, false)
	p.Operations[1].Asked = payment.Asked{Dialect: Name, Details: captureDetails([]byte(`{"foo":"bar"}`))}
	buffer := make([]byte, 0, 1536)
	b.ReportAllocs()
	for b.Loop() {
		buffer = d.appendPayment(buffer[:0], p, view{apiVersion: "3.0", accountID: "1bc6bb6b-c4a2-a8ec-d97f-22f983637cac", fresh: true})
	}
	b.SetBytes(int64(len(buffer)))
}

var captureBody = []byte(`{"amounts":{"amount":1500,"currency":"USD","fee_amount":150},"custom_data":{"foo":"bar"}}`)

func BenchmarkReadCapture(b *testing.B) {
	c := &call{Dialect: bare(), app: &app{feePercent: 20}, id: "00000000-0000-0000-0000-0000767bf5cd"}
	b.ReportAllocs()
	for b.Loop() {
		c.body, _ = parse(captureBody)
		if _, wrong := c.readCapture(); wrong != nil {
			b.Fatal(wrong)
		}
	}
}
