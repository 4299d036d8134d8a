package payment_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/payment"
)

func TestTimers(t *testing.T) {
	settles := policy(func(p *payment.Policy) { p.SettleAfter = time.Second })
	refunding := policy(func(p *payment.Policy) { p.RefundSettleAfter = time.Second })
	tomorrow := policy(func(p *payment.Policy) { p.CaptureAt = noon.Add(24 * time.Hour) })
	fromCreation := policy(func(p *payment.Policy) { p.FromCreation = true })
	patient := policy(func(p *payment.Policy) { p.PayerDeadline = time.Hour })
	ask := payment.Authorize{}
	for _, test := range []struct {
		name string
		desk *desk
		c    payment.Command
		want []string // kind, operation, how long after noon
	}{
		{"a payment without an authorization", newDesk(t), payment.Create{Intake: intake(tomorrow)}, nil},
		{"a hold", created(t).in(time.Hour), ask, []string{"deadline 1 169h0m0s"}},
		{"a hold from the creation", created(t, fromCreation).in(time.Hour), ask, []string{"deadline 1 168h0m0s"}},
		{"a hold with a schedule", created(t, tomorrow), ask, []string{"deadline 1 168h0m0s", "capture 1 24h0m0s"}},
		{"an authorization that waits", created(t).says(unknown), ask, []string{"processor 1 0s"}},
		{"a declined one", created(t).says(decline), ask, nil},
		{"the payer", created(t, patient).says(askPayer), ask, []string{"deadline 1 1h0m0s"}},
		{"a payer who may take for ever", created(t).says(askPayer), ask, nil},
		{"captured at once", created(t, auto, tomorrow), ask, nil},
		{"captured at once, to be settled", created(t, auto, settles), ask, []string{"settle 2 1s"}},
		{"to be captured at once, which waits", created(t, auto).says(approve, unknown), ask, []string{"deadline 1 168h0m0s", "processor 2 0s"}},
		{"a capture", authorized(t), capture(1), nil},
		{"a capture to be settled", authorized(t, settles).in(time.Minute), capture(1), []string{"settle 2 1m1s"}},
		{"a capture that waits, settled later", authorized(t, settles).says(unknown), capture(1), []string{"processor 2 0s"}},
		{"and is answered", authorized(t, settles).after(unknown, capture(1)).in(time.Minute), payment.Resolve{Operation: 2, Answer: approve}, []string{"deadline 1 168h0m0s", "settle 2 1m1s"}},
		{"a void that waits", authorized(t).says(unknown), void(1), []string{"processor 2 0s"}},
		{"a refund that waits", authorized(t).after(approve, capture(1)).says(unknown), refund(1), []string{"processor 3 0s"}},
		{"a refund", authorized(t, settles).after(approve, capture(1)), refund(1), nil},
		{"a refund to be settled", authorized(t, refunding).after(approve, capture(1)).in(time.Minute), refund(1), []string{"settle 3 1m1s"}},
		{"a refund that waits, settled later", authorized(t, refunding).after(approve, capture(1)).says(unknown), refund(1), []string{"processor 3 0s"}},
		{"and is answered later", authorized(t, refunding).after(approve, capture(0)).after(unknown, refund(1)).in(time.Minute), payment.Resolve{Operation: 3, Answer: approve}, []string{"settle 3 1m1s"}},
		{"a refund that is declined", authorized(t, refunding).after(approve, capture(1)).says(decline), refund(1), nil},
		{"a void that is declined", authorized(t).after(unknown, void(1)), payment.Resolve{Operation: 2, Answer: decline}, []string{"deadline 1 168h0m0s"}},
		{"the last capture is answered", authorized(t).after(unknown, capture(0)), payment.Resolve{Operation: 2, Answer: approve}, nil},
		{"a scheduled capture that is declined", authorized(t, tomorrow).says(decline).in(24 * time.Hour), payment.Capture{Scheduled: true}, []string{"deadline 1 168h0m0s"}},
		{"asking once more", authorized(t).after(unknown, capture(1)), payment.Inquire{Operation: 2, Attempt: 2, Again: time.Minute}, []string{"processor 2 1m0s"}},
		{"asking once more what was answered", authorized(t).after(approve, capture(1)), payment.Inquire{Operation: 2, Attempt: 2, Again: time.Minute}, nil},
		{"asking once more about nothing", authorized(t), payment.Inquire{Operation: 9}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, timer := range test.desk.do(test.c).Timers {
				if timer.Payment != 7 || timer.Tenant != 3 || timer.Merchant != 5 {
					t.Errorf("timer of another payment: %+v", timer)
				}
				got = append(got, fmt.Sprintf("%s %d %s", timer.Kind, timer.Operation, timer.Due.Sub(noon)))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestTimerCommands(t *testing.T) {
	for kind, want := range map[payment.TimerKind]payment.Command{
		payment.DeadlineTimer:  payment.Expire{},
		payment.SettleTimer:    payment.Settle{Operation: 2},
		payment.ProcessorTimer: nil,
	} {
		if got := (payment.Timer{Kind: kind, Operation: 2}).Command(); got != want {
			t.Errorf("%s: %+v", kind, got)
		}
	}
	if c, ok := (payment.Timer{Kind: payment.CaptureTimer}).Command().(payment.Capture); !ok || !c.Scheduled || !c.Final || c.Amount != 0 {
		t.Errorf("capture: %+v", c)
	}
	for _, none := range []payment.TimerKind{0, payment.ProcessorTimer + 1} {
		if got := none.String(); !strings.HasPrefix(got, "payment.TimerKind(") {
			t.Errorf("kind %d is called %q", none, got)
		}
	}
}

func TestInquiryCounts(t *testing.T) {
	d := authorized(t).after(unknown, capture(1))
	got := d.do(payment.Inquire{Operation: 2, Attempt: 3, Again: time.Minute})
	if got.Operation != 2 || len(got.Events) != 0 || len(got.Timers) != 1 || got.Timers[0].Attempt != 3 {
		t.Errorf("got %+v", got)
	}
}
