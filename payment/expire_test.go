package payment_test

import (
	"testing"
	"time"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/payment"
)

func TestExpire(t *testing.T) {
	patient := policy(func(p *payment.Policy) { p.PayerDeadline = time.Hour })
	fromCreation := policy(func(p *payment.Policy) { p.FromCreation = true })
	awaiting := created(t, patient).after(askPayer, payment.Authorize{})
	late := newDesk(t).in(762 * time.Millisecond)
	late.do(payment.Create{Intake: intake(fromCreation), Attempt: &payment.Attempt{}})
	yes := payment.Resolve{Operation: 1, Answer: approve}
	play(t, []scene{
		{"on the last instant", authorized(t).in(week - time.Millisecond), payment.Expire{}, "authorized, held 10000, left 10000"},
		{"at the deadline", authorized(t).in(week), payment.Expire{}, "expired by deadline, held 10000, released 10000"},
		{"after a capture", authorized(t).after(approve, capture(60_00)).in(week), payment.Expire{}, "captured by deadline, held 10000, captured 6000, released 4000"},
		{"after a void", authorized(t).after(approve, void(60_00)).in(week), payment.Expire{}, "expired by deadline, held 10000, voided 6000, released 4000"},
		{"of a captured payment", authorized(t).after(approve, capture(0)).in(week), payment.Expire{}, "captured by capture, held 10000, captured 10000"},
		{"twice", authorized(t).in(week).after(approve, payment.Expire{}), payment.Expire{}, "expired by deadline, held 10000, released 10000"},
		{"the payer, on the last instant", awaiting.fork().in(time.Hour - time.Millisecond), payment.Expire{}, "awaiting_payer, authorize 1 awaiting_payer"},
		{"the payer, at the deadline", awaiting.fork().in(time.Hour), payment.Expire{}, "expired by deadline"},
		{"a payer who may take for ever", created(t).after(askPayer, payment.Authorize{}).in(100 * week), payment.Expire{}, "awaiting_payer, authorize 1 awaiting_payer"},
		{"before the authorization", created(t, fromCreation).in(100 * week), payment.Expire{}, "created"},
		{"counted from the authorization", created(t).in(week).after(approve, payment.Authorize{}).in(week - time.Millisecond), payment.Expire{}, "authorized, held 10000, left 10000"},
		{"counted from the creation", created(t, fromCreation).in(time.Hour).after(approve, payment.Authorize{}).in(week - time.Hour), payment.Expire{}, "expired by deadline, held 10000, released 10000"},
		{"counted from the second of the creation, on its last instant", late.fork().in(week - 763*time.Millisecond), payment.Expire{}, "authorized, held 10000, left 10000"},
		{"counted from the second of the creation, over", late.fork().in(week - 762*time.Millisecond), payment.Expire{}, "expired by deadline, held 10000, released 10000"},
		{"authorized after the deadline", created(t, fromCreation).after(unknown, payment.Authorize{}).in(week), yes, "expired by deadline, held 10000, released 10000"},
	})
}

// Over says what Expire would do.
func TestOver(t *testing.T) {
	tomorrow := policy(func(p *payment.Policy) { p.CaptureAt = noon.Add(24 * time.Hour) })
	for name, d := range map[string]*desk{
		"on the last instant":        authorized(t).in(week - time.Millisecond),
		"at the deadline":            authorized(t).in(week),
		"captured":                   authorized(t).after(approve, capture(0)).in(week),
		"before the authorization":   created(t).in(week),
		"while a capture waits":      authorized(t).after(unknown, capture(1)).in(week),
		"while a refund waits":       authorized(t).after(approve, capture(1)).after(unknown, refund(1)).in(week),
		"while a schedule waits":     authorized(t, tomorrow).in(week),
		"a payer without a deadline": created(t).after(askPayer, payment.Authorize{}).in(week),
	} {
		t.Run(name, func(t *testing.T) {
			over := d.p.Over(d.now)
			if closed := d.do(payment.Expire{}).Payment.Ended == payment.EndedByDeadline; closed != over {
				t.Errorf("over %t, closed %t", over, closed)
			}
		})
	}
}

func TestExpiryClosesThePayersOperation(t *testing.T) {
	d := created(t, policy(func(p *payment.Policy) { p.PayerDeadline = time.Hour })).after(askPayer, payment.Authorize{}).in(time.Hour)
	d.do(payment.Expire{})
	if op := d.p.Op(1); op.Status != payment.OpFailed || op.DoneAt != d.now || d.p.ClosedAt != d.now {
		t.Errorf("the operation is %+v", op)
	}
}

// Whatever is held comes from the payer's side and goes back there.
func TestSource(t *testing.T) {
	wallet := func(i *payment.Intake) { i.Method = payment.Method{Kind: payment.WalletMethod, User: 9} }
	for _, test := range []struct {
		name   string
		desk   *desk
		source ledger.Account
	}{
		{"card", authorized(t), ledger.Account{Merchant: 5, Kind: ledger.Acquirer, Currency: "USD"}},
		{"wallet", authorized(t, wallet), ledger.Account{Merchant: 5, Kind: ledger.Wallet, Holder: 9, Currency: "USD"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := test.desk
			has := func(minor int64) {
				t.Helper()
				if got := d.books[test.source]; got != minor {
					t.Errorf("the payer's side has %d, want %d", got, minor)
				}
			}
			has(-100_00)
			d.do(capture(60_00))
			has(-100_00)
			d.do(void(10_00))
			has(-90_00)
			d.do(refund(20_00))
			has(-70_00)
			d.in(week).do(payment.Expire{})
			has(-40_00)
		})
	}
}
