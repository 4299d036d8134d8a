package intents

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/wireid"
)

func testDialect() *Dialect {
	keys := keyring.Fixed("test")
	return New(dialect.Services{Keys: keys, IDs: wireid.New(keys.Derive("wire ids", 16)), Sandbox: true, PublicURL: "https://capstan.test"})
}

// shownIntent is what the invariants of section 7 speak of.
type shownIntent struct {
	Status     string
	Amount     int64
	Capturable int64  `json:"amount_capturable"`
	Received   int64  `json:"amount_received"`
	CanceledAt *int64 `json:"canceled_at"`
	Next       any    `json:"next_action"`
	LastError  any    `json:"last_payment_error"`
	Charge     *struct {
		Amount   int64
		Captured bool
		Taken    int64 `json:"amount_captured"`
		Given    int64 `json:"amount_refunded"`
		Refunded bool
		Refunds  struct {
			Data []struct {
				Amount int64
				Status string
			}
		}
	} `json:"latest_charge"`
}

// Whatever happens to a payment, of this dialect or another, its object is
// well-formed JSON, pretty printed, says the same twice, and its amounts agree
// (section 7, invariants).
func TestRenderedStates(t *testing.T) {
	d := testDialect()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, d)
		t.Repeat(map[string]func(*rapid.T){
			"authorize": func(t *rapid.T) {
				w.do(t, payment.Authorize{Attempt: payment.Attempt{Challenge: rapid.Bool().Draw(t, "challenge"), Asked: w.asked(t)}})
			},
			"payer": func(t *rapid.T) { w.do(t, payment.PayerAnswer{Approved: rapid.Bool().Draw(t, "approves")}) },
			"capture": func(t *rapid.T) {
				w.do(t, payment.Capture{
					Amount: w.amount(t, 1200), Final: rapid.Bool().Draw(t, "final"), Dialect: w.dialect,
					Details: rapid.SampledFrom([][]byte{nil, []byte(`{"v":1,"metadata":{"a":"2","b":""}}`)}).Draw(t, "details"),
				})
			},
			"void":   func(t *rapid.T) { w.do(t, payment.Void{Amount: w.amount(t, 500)}) },
			"cancel": func(t *rapid.T) { w.do(t, payment.Cancel{Rest: true, Asked: w.asked(t)}) },
			"refund": func(t *rapid.T) { w.do(t, payment.Refund{Amount: w.amount(t, 500)}) },
			"resolve": func(t *rapid.T) {
				if op := w.p.Pending(); op != nil {
					w.do(t, payment.Resolve{Operation: op.Number, Answer: w.answer(t, false)})
				}
			},
			"time": func(t *rapid.T) { w.now = w.now.Add(20 * time.Minute); w.do(t, payment.Expire{}) },
			"":     func(t *rapid.T) { w.check(t) },
		})
	})
}

// world is one payment and what happens to it.
type world struct {
	d       *Dialect
	dialect string
	now     time.Time
	p       *payment.Payment
}

func newWorld(t *rapid.T, d *Dialect) *world {
	w := &world{d: d, now: time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC), dialect: rapid.SampledFrom([]string{Name, Name, "wepay"}).Draw(t, "dialect")}
	intake := payment.Intake{
		Dialect: w.dialect, Currency: rapid.SampledFrom([]money.Currency{"USD", "JPY", "ISK", "MGA"}).Draw(t, "currency"), Amount: 1000, Test: true,
		Description: rapid.String().Draw(t, "description"), Details: []byte(`{"v":1,"metadata":{"a":"1"},"shipping":{"address":{"city":null},"name":"\"}"}}`),
		Policy: payment.Policy{
			HoldFor: time.Hour, FromCreation: rapid.Bool().Draw(t, "from creation"), AutoCapture: rapid.Bool().Draw(t, "automatic"),
			MaxCaptures: rapid.IntRange(0, 3).Draw(t, "captures"), OverCapture: rapid.SampledFrom([]int64{0, 110, payment.NoCap}).Draw(t, "over"),
			RetryDeclined: w.dialect == Name, SettleAfter: rapid.SampledFrom([]time.Duration{0, time.Minute}).Draw(t, "settles"),
		},
	}
	if rapid.Bool().Draw(t, "card") {
		intake.Method = payment.Method{Kind: payment.CardMethod, Brand: "visa", Last4: "4242", Fingerprint: "0123456789abcdef", ExpMonth: 1, ExpYear: 2030}
	}
	w.p = &payment.Payment{ID: payment.NewIDs(1).Next(w.now), Tenant: 1, Merchant: 1}
	w.do(t, payment.Create{Intake: intake})
	return w
}

// amount draws an amount that the wire has a unit for.
func (w *world) amount(t *rapid.T, most int64) int64 {
	per := scaleOf(w.p.Currency).per
	return rapid.Int64Range(0, most/per).Draw(t, "amount") * per
}

func (w *world) asked(t *rapid.T) payment.Asked {
	return payment.Asked{Dialect: w.dialect, Details: rapid.SampledFrom([][]byte{
		nil, []byte(`{"v":1,"flavour":"json","base":"https://capstan.test"}`), []byte(`{"v":1,"absent":"off_session"}`), []byte(`{"v":1,"reason":"duplicate"}`),
	}).Draw(t, "asked")}
}

func (w *world) answer(t *rapid.T, open bool) payment.Answer {
	results := []payment.Result{payment.Approved, payment.Approved, payment.Refused}
	if open {
		results = append(results, payment.Pending)
	}
	a := payment.Answer{Result: rapid.SampledFrom(results).Draw(t, "result"), Reference: "1"}
	if a.Result == payment.Refused {
		a.Reason = rapid.SampledFrom(payment.Reasons()).Draw(t, "reason")
	}
	if rapid.Bool().Draw(t, "authenticated") {
		a.Data = payment.Authentication{Flow: "challenge", Result: "Y"}.Document()
	}
	return a
}

func (w *world) do(t *rapid.T, c payment.Command) {
	d, err := payment.Decide(w.p, c, payment.Env{Now: w.now, Ask: func(i payment.Instruction) payment.Answer {
		if i.Kind == payment.OpAuthorize && i.Challenge && !i.PayerDone {
			return payment.Answer{Result: payment.PayerRequired}
		}
		return w.answer(t, true)
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Events) > 0 {
		w.p = d.Payment
	}
}

func (w *world) check(t *rapid.T) {
	var v view
	v.of(w.p)
	for _, s := range []shape{0, expandCharge | expandMethod | expandRefunds | expandBalance, legacyCharges, publishable} {
		text := w.d.appendIntent(nil, &v, s)
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, text, "", "  "); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		if !bytes.Equal(pretty.Bytes(), text) {
			t.Fatalf("not pretty:\n%s\nwant\n%s", text, pretty.Bytes())
		}
		if again := w.d.appendIntent(nil, &v, s); !bytes.Equal(again, text) {
			t.Fatalf("two answers:\n%s\n%s", text, again)
		}
	}
	var got shownIntent
	if err := json.Unmarshal(w.d.appendIntent(nil, &v, expandCharge|expandRefunds), &got); err != nil {
		t.Fatal(err)
	}
	fail := func(what string) { t.Fatalf("%s: %+v of %+v", what, got, w.p) }
	if (got.Status == requiresCapture) != (got.Capturable > 0) {
		fail("requires_capture is not amount_capturable > 0")
	}
	if (got.Status == canceled) != (got.CanceledAt != nil) || got.Status == canceled && got.Received != 0 {
		fail("canceled")
	}
	if (got.Next != nil) != (got.Status == requiresAction) {
		fail("next_action")
	}
	if got.Charge == nil {
		if got.Received != 0 || got.Capturable != 0 {
			fail("money without a charge")
		}
		return
	}
	var given int64
	for _, r := range got.Charge.Refunds.Data {
		if r.Status != "failed" {
			given += r.Amount
		}
	}
	switch {
	case got.Received != got.Charge.Taken || got.Charge.Captured != (got.Received > 0):
		fail("amount_received is not amount_captured")
	case w.p.Policy.OverCapture != 0:
	case got.Charge.Given > got.Charge.Amount:
		fail("more given back than there was")
	case given != got.Charge.Given:
		fail("the refunds do not sum to amount_refunded")
	case got.Charge.Refunded != (got.Charge.Given == got.Charge.Amount && got.Charge.Given > 0):
		fail("refunded")
	}
}

// The reply to a capture costs one pass over the outcome.
func BenchmarkIntent(b *testing.B) {
	d := testDialect()
	for name, document := range map[string]string{
		"bare": `{"v":1}`,
		"full": `{"v":1,"metadata":{"order_id":"6735","customer":"77"},"shipping":{"address":{"city":"Vilnius","country":"LT","line1":"Gedimino 1","line2":null,"postal_code":null,"state":null},"carrier":null,"name":"Jo","phone":null,"tracking_number":null},"return_url":"https://shop.test/back","statement_descriptor":"SHOP"}`,
	} {
		b.Run(name, func(b *testing.B) {
			p := capturedPayment(b, []byte(document))
			out := payment.Outcome{Payment: p, Operation: 2, At: p.UpdatedAt}
			n := note{route: captureRoute}
			buffer := make([]byte, 0, 8<<10)
			b.ReportAllocs()
			var r reply
			for b.Loop() {
				_, buffer = r.append(buffer[:0], d, out, &n)
			}
			b.SetBytes(int64(len(buffer)))
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for name, test := range map[string]struct {
		json bool
		body string
	}{"form": {false, "amount_to_capture=8000"}, "json": {true, `{"amount_to_capture": 8000}`}} {
		b.Run(name, func(b *testing.B) {
			var p params
			b.ReportAllocs()
			for b.Loop() {
				p.reset()
				if test.json {
					p.decodeJSON(test.body)
				} else {
					p.decodeForm(test.body)
				}
				var asked captureParams
				asked.read(&p)
				if asked.amount != 8000 || p.problem() != nil {
					b.Fatal(asked)
				}
			}
		})
	}
}

// capturedPayment is a payment that was authorized and captured.
func capturedPayment(t testing.TB, document []byte) *payment.Payment {
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	p := &payment.Payment{ID: payment.NewIDs(1).Next(now), Tenant: 1, Merchant: 1}
	env := payment.Env{Now: now, Ask: func(payment.Instruction) payment.Answer {
		return payment.Answer{Result: payment.Approved, Reference: "1234567", AuthCode: "123456"}
	}}
	for _, c := range []payment.Command{
		payment.Create{
			Intake: payment.Intake{
				Dialect: Name, Currency: "USD", Amount: 10000, Details: document, Test: true,
				Method: payment.Method{Kind: payment.CardMethod, Brand: "visa", Last4: "4242"}, Policy: payment.Policy{HoldFor: time.Hour, MaxCaptures: 1},
			},
			Attempt: &payment.Attempt{Asked: payment.Asked{Dialect: Name}},
		},
		payment.Capture{Final: true, Dialect: Name},
	} {
		d, err := payment.Decide(p, c, env)
		if err != nil {
			t.Fatal(err)
		}
		p = d.Payment
	}
	return p
}
