package payment_test

import (
	"testing"
	"time"

	"github.com/capstan-pay/capstan/payment"
)

// retries lets another authorization follow a declined one.
var retries = policy(func(p *payment.Policy) { p.RetryDeclined = true })

func TestCreate(t *testing.T) {
	attempt := &payment.Attempt{}
	auto := policy(func(p *payment.Policy) { p.AutoCapture = true })
	amount := func(minor int64) func(*payment.Intake) { return func(i *payment.Intake) { i.Amount = minor } }
	fee := func(minor int64) func(*payment.Intake) { return func(i *payment.Intake) { i.Fee = minor } }
	twenty := policy(func(p *payment.Policy) { p.FeePercent = 20 })
	for _, test := range []struct {
		name    string
		answer  payment.Answer
		attempt *payment.Attempt
		intake  payment.Intake
		want    string
	}{
		{"to be authorized later", approve, nil, intake(), "created"},
		{"authorized at once", approve, attempt, intake(), "authorized, held 10000, left 10000"},
		{"declined", decline, attempt, intake(), "declined by decline"},
		{"declined, and may be tried again", decline, attempt, intake(retries), "created"},
		{"not answered", unknown, attempt, intake(), "authorizing, authorize 1 pending"},
		{"the payer has to act", askPayer, attempt, intake(), "awaiting_payer, authorize 1 awaiting_payer"},
		{"captured at once", approve, attempt, intake(auto), "captured by capture, held 10000, captured 10000"},
		{"to be captured at once, but declined", decline, attempt, intake(auto), "declined by decline"},

		{"the least", approve, attempt, intake(amount(1)), "authorized, held 1, left 1"},
		{"nothing", approve, attempt, intake(amount(0)), "amount_too_small (at least 1)"},
		{"nothing, captured at once", approve, attempt, intake(amount(0), auto), "amount_too_small (at least 1)"},
		{"less than nothing", approve, nil, intake(amount(-1)), "amount_too_small (at least 1)"},
		{"the most", approve, attempt, intake(amount(payment.MaxAmount)), "authorized, held 2305843009213693951, left 2305843009213693951"},
		{"more than the most", approve, nil, intake(amount(payment.MaxAmount + 1)), "amount_too_large (at most 2305843009213693951)"},
		{"a currency nobody knows", approve, nil, intake(func(i *payment.Intake) { i.Currency = "XXX" }), "currency_mismatch"},
		{"a fee of all", approve, nil, intake(fee(100_00)), "created"},
		{"a fee above all", approve, nil, intake(fee(100_01)), "fee_too_large"},
		{"a fee below nothing", approve, nil, intake(fee(-1)), "fee_too_large"},
		{"a fee of exactly 20 percent", approve, nil, intake(fee(20_00), twenty), "created"},
		{"a fee above 20 percent", approve, nil, intake(fee(20_01), twenty), "fee_too_large"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDesk(t).says(test.answer)
			got := d.do(payment.Create{Intake: test.intake, Attempt: test.attempt})
			expect(t, got, test.want)
			if got.Refusal != nil && (got.Payment != nil || got.Events != nil) {
				t.Errorf("refused, and yet there is %+v", got)
			}
		})
	}
}

func TestAuthorize(t *testing.T) {
	other := intake(func(i *payment.Intake) { i.Amount = 50_00 })
	wrong := intake(func(i *payment.Intake) { i.Amount = 0 })
	half := edit(func(i *payment.Intake) { i.Amount /= 2 })
	nothing := edit(func(i *payment.Intake) { i.Amount = 0 })
	waits := created(t, retries, patient).after(askPayer, payment.Authorize{})
	for _, test := range []struct {
		name  string
		desk  *desk
		c     payment.Command
		want  string
		after []string // what Resolve of operation 1 makes of it: approved, declined, payer required
	}{
		{"nothing is asked for yet", created(t), payment.Expire{}, "created", nil},
		{"approved", created(t), payment.Authorize{}, "authorized, held 10000, left 10000", nil},
		{"declined", created(t).says(decline), payment.Authorize{}, "declined by decline", nil},
		{"declined, and may be tried again", created(t, retries).says(decline), payment.Authorize{}, "created", nil},
		{"not answered", created(t).says(unknown), payment.Authorize{}, "authorizing, authorize 1 pending", []string{
			"authorized, held 10000, left 10000", "declined by decline", "awaiting_payer, authorize 1 awaiting_payer",
		}},
		{"not answered, and may be tried again", created(t, retries).says(unknown), payment.Authorize{}, "authorizing, authorize 1 pending", []string{
			"authorized, held 10000, left 10000", "created", "awaiting_payer, authorize 1 awaiting_payer",
		}},
		{"the payer has to act", created(t).says(askPayer), payment.Authorize{}, "awaiting_payer, authorize 1 awaiting_payer", nil},
		{"after a decline that may be repeated", declinedOnce(t), payment.Authorize{}, "authorized, held 10000, left 10000", nil},
		{"after a decline that may not", created(t).after(decline, payment.Authorize{}), payment.Authorize{}, "not_created", nil},
		{"while the first is not answered", created(t).after(unknown, payment.Authorize{}), payment.Authorize{}, "not_created", nil},
		{"while the payer is awaited", created(t).after(askPayer, payment.Authorize{}), payment.Authorize{}, "not_created", nil},
		{"in place of one that waits for the payer", waits.fork(), payment.Authorize{}, "authorized, held 10000, left 10000", nil},
		{"in place of one, and he is asked again", waits.fork().says(askPayer), payment.Authorize{}, "awaiting_payer, authorize 2 awaiting_payer", nil},
		{"in place of one that he took too long for", waits.fork().in(time.Hour), payment.Authorize{}, "not_created, hold_over", nil},
		{"with a hold open", authorized(t), payment.Authorize{}, "not_created", nil},
		{"cancelled", created(t).after(approve, payment.Cancel{}), payment.Authorize{}, "not_created", nil},
		{"with other terms", created(t), payment.Authorize{Intake: &other}, "authorized, held 5000, left 5000", nil},
		{"with an edit", created(t), payment.Authorize{Edit: half}, "authorized, held 5000, left 5000", nil},
		{"with an edit, in place of one that waits", waits.fork(), payment.Authorize{Edit: half}, "authorized, held 5000, left 5000", nil},
		{"with an edit that refuses", created(t), payment.Authorize{Edit: refuses}, "currency_mismatch", nil},
		{"with an edit, too late", authorized(t), payment.Authorize{Edit: refuses}, "not_created", nil},
		{"with an edit to what cannot be", created(t), payment.Authorize{Edit: nothing}, "amount_too_small (at least 1)", nil},
		{"with terms that cannot be", created(t), payment.Authorize{Intake: &wrong}, "amount_too_small (at least 1)", nil},
		{"with other terms, too late", authorized(t), payment.Authorize{Intake: &wrong}, "not_created, amount_too_small (at least 1)", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			expect(t, test.desk.do(test.c), test.want)
			for i, answer := range []payment.Answer{approve, decline, askPayer}[:len(test.after)] {
				expect(t, test.desk.fork().resolve(1, answer), test.after[i])
			}
		})
	}
}

// patient gives the payer an hour.
var patient = policy(func(p *payment.Policy) { p.PayerDeadline = time.Hour })

// edit changes the intake at the decision.
func edit(change func(*payment.Intake)) payment.Edit {
	return func(p *payment.Payment) (payment.Intake, *payment.Refusal) {
		i := p.Intake
		change(&i)
		return i, nil
	}
}

func refuses(*payment.Payment) (payment.Intake, *payment.Refusal) {
	return payment.Intake{}, payment.Refuse(payment.CurrencyMismatch)
}

func TestDeniedPaymentIsNotCreated(t *testing.T) {
	denied := payment.Refuse(payment.HoldOver)
	got := newDesk(t).do(payment.Create{Intake: intake(), Attempt: &payment.Attempt{}, Denied: denied})
	if got.Payment != nil || got.Events != nil || !got.Refusal.Has(payment.HoldOver) || got.Refusal == denied {
		t.Errorf("got %+v", got)
	}
}

func TestPayerAbsent(t *testing.T) {
	absent := payment.Authorize{Attempt: payment.Attempt{PayerAbsent: true, Challenge: true}}
	d := created(t).says(askPayer)
	expect(t, d.do(absent), "declined by decline")
	if why := d.p.Op(1).Answer.Reason; why != payment.AuthenticationFailed {
		t.Errorf("declined for %q", why)
	}
	if asked := d.asked[0]; !asked.PayerAbsent || !asked.Challenge {
		t.Errorf("the processor was asked %+v", asked)
	}
	expect(t, created(t).do(absent), "authorized, held 10000, left 10000")
}

// Another attempt ends the one that waited for the payer.
func TestAbandonedAttempt(t *testing.T) {
	for name, c := range map[string]payment.Command{
		"another attempt": payment.Authorize{},
		"other terms":     payment.Revise{Edit: edit(func(i *payment.Intake) { i.Amount = 1 })},
	} {
		t.Run(name, func(t *testing.T) {
			d := created(t, retries, patient).after(askPayer, payment.Authorize{}).in(time.Minute)
			d.do(c)
			if op := d.p.Op(1); op.Status != payment.OpFailed || op.Answer.Reason != payment.PayerDeclined || op.DoneAt != d.now {
				t.Errorf("the first attempt is %+v", op)
			}
		})
	}
}

func declinedOnce(t *testing.T) *desk { return created(t, retries).after(decline, payment.Authorize{}) }

func TestPayerAnswer(t *testing.T) {
	awaiting := func(change ...func(*payment.Intake)) *desk {
		return created(t, append(change, patient)...).after(askPayer, payment.Authorize{})
	}
	yes, no := payment.PayerAnswer{Approved: true}, payment.PayerAnswer{}
	for _, test := range []struct {
		name string
		desk *desk
		c    payment.PayerAnswer
		want string
	}{
		{"yes", awaiting(), yes, "authorized, held 10000, left 10000"},
		{"yes, but the processor declines", awaiting().says(decline), yes, "declined by decline"},
		{"yes, and the processor does not answer", awaiting().says(unknown), yes, "authorizing, authorize 1 pending"},
		{"yes, and there is more to do", awaiting().says(askPayer), yes, "awaiting_payer, authorize 1 awaiting_payer"},
		{"no", awaiting(), no, "declined by decline"},
		{"no, and may try again", awaiting(retries), no, "created"},
		{"just in time", awaiting().in(time.Hour - time.Millisecond), yes, "authorized, held 10000, left 10000"},
		{"at the deadline", awaiting().in(time.Hour), yes, "not_awaiting_payer, hold_over"},
		{"no, at the deadline", awaiting().in(time.Hour), no, "not_awaiting_payer, hold_over"},
		{"not asked", created(t), yes, "not_awaiting_payer"},
		{"asked before, not any more", authorized(t), yes, "not_awaiting_payer"},
	} {
		t.Run(test.name, func(t *testing.T) {
			expect(t, test.desk.do(test.c), test.want)
		})
	}
}

// The payer's deadline ends with the wait for him.
func TestPayerDeadlineIsForgotten(t *testing.T) {
	d := created(t, retries, patient).after(askPayer, payment.Authorize{})
	if want := noon.Add(time.Hour); !d.p.ExpiresAt.Equal(want) {
		t.Fatalf("the payer has until %s, want %s", d.p.ExpiresAt, want)
	}
	d.do(payment.PayerAnswer{})
	if !d.p.ExpiresAt.IsZero() {
		t.Errorf("after he said no the deadline is %s", d.p.ExpiresAt)
	}
	unlimited := intake(retries)
	d.after(askPayer, payment.Authorize{Intake: &unlimited}).in(2 * time.Hour)
	expect(t, d.do(payment.PayerAnswer{Approved: true}), "authorized, held 10000, left 10000")
}

func TestRevise(t *testing.T) {
	revised := func(change func(*payment.Intake)) payment.Revise {
		i := intake()
		change(&i)
		return payment.Revise{Intake: i, OfHold: true}
	}
	details := revised(func(i *payment.Intake) { i.Details, i.Reference = []byte("new"), "new" })
	amount := revised(func(i *payment.Intake) { i.Amount = 50_00 })
	half := payment.Revise{Intake: intake(), Edit: edit(func(i *payment.Intake) { i.Amount = 50_00 })}
	pending := func() *desk { return created(t).after(unknown, payment.Authorize{}) }
	awaiting := func(change ...func(*payment.Intake)) *desk {
		return created(t, append(change, patient)...).after(askPayer, payment.Authorize{})
	}
	for _, test := range []struct {
		name string
		desk *desk
		c    payment.Revise
		want string
	}{
		{"details before the authorization", created(t), details, "created"},
		{"details while it is not answered", pending(), details, "authorizing, authorize 1 pending"},
		{"details while the payer is awaited", created(t).after(askPayer, payment.Authorize{}), details, "awaiting_payer, authorize 1 awaiting_payer"},
		{"details of a hold", authorized(t), details, "authorized, held 10000, left 10000"},
		{"details of a captured payment", authorized(t).after(approve, payment.Capture{}), details, "captured by capture, held 10000, captured 10000"},
		{"details of a voided payment", authorized(t).after(approve, payment.Void{}), details, "voided by void, held 10000, voided 10000"},
		{"details of an expired payment", authorized(t).in(week).after(approve, payment.Expire{}), details, "expired by deadline, held 10000, released 10000"},
		{"details of a declined payment", created(t).after(decline, payment.Authorize{}), details, "declined by decline"},
		{"amount before the authorization", created(t), amount, "created"},
		{"amount after a decline", declinedOnce(t), payment.Revise{Intake: intake(retries, func(i *payment.Intake) { i.Amount = 1 })}, "created"},
		{"an amount that cannot be", created(t), revised(func(i *payment.Intake) { i.Amount = -1 }), "amount_too_small (at least 1)"},
		{"amount while it is not answered", pending(), amount, "not_created"},
		{"currency of a hold", authorized(t), revised(func(i *payment.Intake) { i.Currency = "EUR" }), "not_created"},
		{"method of a hold", authorized(t), revised(func(i *payment.Intake) { i.Method.Last4 = "4242" }), "not_created"},
		{"amount of a captured payment", authorized(t).after(approve, capture(0)), amount, "not_created"},
		{"amount while the payer is awaited", awaiting(), amount, "not_created"},
		{"amount while the payer is awaited, who may be asked again", awaiting(retries), half, "created"},
		{"details while the payer is awaited, who may be asked again", awaiting(retries), payment.Revise{Edit: edit(func(i *payment.Intake) { i.Details = nil })}, "awaiting_payer, authorize 1 awaiting_payer"},
		{"amount when the payer took too long", awaiting(retries).in(time.Hour), half, "not_created"},
		{"by an edit that refuses", created(t), payment.Revise{Edit: refuses}, "currency_mismatch"},
		{"by an edit", created(t), half, "created"},
		{"policy of a hold", authorized(t), revised(func(i *payment.Intake) { i.Policy.HoldFor++ }), "not_created"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := test.desk.do(test.c)
			expect(t, got, test.want)
			if test.c.Edit != nil && test.want == "created" && got.Payment.Amount != 50_00 {
				t.Errorf("the amount is %d", got.Payment.Amount)
			}
			if got.Refusal == nil && test.c.Edit == nil && (got.Payment.Amount != test.c.Intake.Amount || string(got.Payment.Details) != string(test.c.Intake.Details)) {
				t.Errorf("the intake is %+v", got.Payment.Intake)
			}
		})
	}
}
