package engine_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
	"github.com/capstan-pay/capstan/verify"
)

// TestCorrection: a capture that the processor has declined, and says to have
// made when it is asked again, is refunded under a name of its own, however
// often the contradiction is reported, and the audit agrees.
func TestCorrection(t *testing.T) {
	r := newRig(t)
	p := r.authorize(t, 1000)
	var mu sync.Mutex
	var orders []processor.Order
	r.proc.mu.Lock()
	r.proc.remote = true
	r.proc.performWith = func(_ context.Context, o processor.Order) (payment.Answer, error) {
		mu.Lock()
		defer mu.Unlock()
		orders = append(orders, o)
		if o.Kind == payment.OpCapture {
			return declined, nil
		}
		return approved, nil
	}
	r.proc.mu.Unlock()
	request := r.capture(p.ID, 400, "k")
	request.Patience = 10 * time.Second
	if out, err := r.Do(t.Context(), request); err != nil || out.Op().Status != payment.OpFailed {
		t.Fatalf("%v", result{out, err})
	}
	for range 3 {
		out, err := r.Do(t.Context(), payment.Request{
			Tenant: 1, Merchant: 1, Payment: p.ID, Command: payment.Resolve{Operation: 2, Answer: approved},
		})
		if err != nil || out.Refusal != nil {
			t.Fatalf("%v", result{out, err})
		}
	}
	if err := r.Advance(t.Context(), r.clock, time.Minute); err != nil {
		t.Fatal(err)
	}
	now, err := r.Payment(t.Context(), 1, 1, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	if op := now.Op(3); op == nil || op.Kind != payment.OpCorrection || op.Status != payment.OpApproved || len(now.Operations) != 3 {
		t.Errorf("%+v", now.Operations)
	}
	capture, refund := payment.OperationID(p.ID, 2), payment.OperationID(p.ID, 3)
	if len(orders) != 2 || orders[1].Kind != payment.OpRefund || orders[1].ID != refund || orders[1].Parent != capture || orders[1].Amount != 400 {
		t.Errorf("%+v", orders)
	}
	report, err := verify.Audit(t.Context(), r.store)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings {
		t.Error(f)
	}
}
