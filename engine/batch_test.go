package engine_test

import (
	"testing"
	"time"

	"github.com/capstan-pay/capstan/engine"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor"
	"github.com/capstan-pay/capstan/processor/book"
	"github.com/capstan-pay/capstan/store/faulty"
	"github.com/capstan-pay/capstan/wallet"
)

// purses pays from wallets by the book, and by card as ever.
func purses(c *engine.Config) {
	cards := c.Processor
	c.Processor = func(merchant int64, m payment.Method) processor.Processor {
		if m.Kind == payment.WalletMethod {
			return book.Processor{}
		}
		return cards(merchant, m)
	}
}

// user makes a wallet user with an opening balance.
func (r *rig) user(t fataler, tenant, available int64) int64 {
	t.Helper()
	u := wallet.User{Tenant: tenant}
	err := r.store.CreateUser(ctx, 1, &u, []wallet.Balance{{Currency: "USD", Available: available}}, noon)
	if err != nil {
		t.Fatal(err)
	}
	return u.ID
}

// available is what a wallet user has.
func (r *rig) available(t fataler, tenant, user int64) int64 {
	t.Helper()
	_, balances, err := r.store.User(ctx, tenant, user)
	if err != nil || len(balances) != 1 {
		t.Fatalf("%v, %v", balances, err)
	}
	return balances[0].Available
}

// pay asks for a hold on a wallet from which more may be taken.
func pay(tenant, user, amount int64) payment.Request {
	i := intake(amount)
	i.Method = payment.Method{Kind: payment.WalletMethod, User: user}
	i.Policy.OverCapture = payment.NoCap
	return payment.Request{Tenant: tenant, Merchant: tenant, Command: payment.Create{Intake: i, Attempt: &payment.Attempt{}}}
}

func expectResults(t *testing.T, got []result, want ...string) {
	t.Helper()
	for i, r := range got {
		if r.String() != want[i] {
			t.Errorf("request %d got  %s\nwant %s", i, r, want[i])
		}
	}
}

// TestOneWalletInOneBatch: each command sees what those before it have taken
// from the wallet and given back to it.
func TestOneWalletInOneBatch(t *testing.T) {
	script := newScript()
	r := newRig(t, scripted(script), purses)
	u := r.user(t, 1, 1000)
	first, err := r.Do(t.Context(), pay(1, u, 400))
	if err != nil {
		t.Fatal(err)
	}
	second, err := r.Do(t.Context(), pay(1, u, 400))
	if err != nil {
		t.Fatal(err)
	}
	a, b := first.Payment.ID, second.Payment.ID
	refund := payment.Request{Tenant: 1, Merchant: 1, Payment: a, Command: payment.Refund{Amount: 150}}
	commits := script.count(faulty.Commit)
	got := together(t, r, script, []payment.Request{
		r.capture(a, 500, ""), // 100 more than the hold: 100 are left
		r.capture(b, 501, ""), // 101 more: declined
		pay(1, u, 101),        // declined
		refund,                // 250 are left
		r.capture(b, 600, ""), // 50 are left
		pay(1, u, 50),         // nothing is left
		pay(1, u, 1),          // declined
	}, nil)
	expectResults(t, got,
		"captured, held 0, captured 500", "authorized, held 400, captured 0", "declined, held 0, captured 0",
		"captured, held 0, captured 500, refunded 150", "captured, held 0, captured 600", "authorized, held 50, captured 0",
		"declined, held 0, captured 0")
	if got[1].Op().Answer.Reason != payment.InsufficientFunds {
		t.Errorf("capture of more than there is: %s", got[1].Op().Answer.Reason)
	}
	if left := r.available(t, 1, u); left != 0 {
		t.Errorf("%d are left", left)
	}
	if n := script.count(faulty.Commit) - commits; n != 1 { // the store would not let more be taken than there is
		t.Errorf("it took %d commits", n)
	}
}

// TestWalletsOfOtherTenants: a user is his own tenant's, also when both ask in
// one batch.
func TestWalletsOfOtherTenants(t *testing.T) {
	script := newScript()
	r := newRig(t, scripted(script), purses)
	u := r.user(t, 1, 1000)
	for _, requests := range [][]payment.Request{{pay(1, u, 100), pay(2, u, 100)}, {pay(2, u, 100), pay(1, u, 100)}} {
		for i, got := range together(t, r, script, requests, nil) {
			want := payment.Authorized
			if requests[i].Tenant != 1 {
				want = payment.Declined
			}
			if got.err != nil || got.Payment.Status != want {
				t.Errorf("tenant %d: %v", requests[i].Tenant, got)
			}
		}
	}
	if left := r.available(t, 1, u); left != 800 {
		t.Errorf("%d are left", left)
	}
}

// TestPayerIsNamedInTheSameBatch: a hold that a payer has just confirmed is
// captured from his wallet by the next command.
func TestPayerIsNamedInTheSameBatch(t *testing.T) {
	script := newScript()
	r := newRig(t, scripted(script), purses)
	u := r.user(t, 1, 1000)
	out, err := r.Do(t.Context(), pay(1, 0, 400)) // nobody yet
	if err != nil || out.Payment.Status != payment.AwaitingPayer {
		t.Fatalf("%v", result{out, err})
	}
	answer := payment.PayerAnswer{Approved: true, Method: &payment.Method{Kind: payment.WalletMethod, User: u}}
	got := together(t, r, script, []payment.Request{
		{Tenant: 1, Merchant: 1, Payment: out.Payment.ID, Command: answer},
		r.capture(out.Payment.ID, 1001, ""),
		r.capture(out.Payment.ID, 1000, ""),
	}, nil)
	expectResults(t, got, "authorized, held 400, captured 0", "authorized, held 400, captured 0", "captured, held 0, captured 1000")
	if left := r.available(t, 1, u); left != 0 {
		t.Errorf("%d are left", left)
	}
}

// TestOnePaymentInOneBatch: each command sees what those before it did.
func TestOnePaymentInOneBatch(t *testing.T) {
	script := newScript()
	r := newRig(t, scripted(script))
	p := r.authorize(t, 1000)
	revise := p.Intake
	revise.Description = "a ship"
	got := together(t, r, script, []payment.Request{
		{Tenant: 1, Merchant: 1, Payment: p.ID, Command: payment.Refund{}},
		r.capture(p.ID, 600, "a"),
		r.capture(p.ID, 600, "b"),
		{Tenant: 1, Merchant: 1, Payment: p.ID, Command: payment.Revise{Intake: revise}},
		{Tenant: 1, Merchant: 1, Payment: p.ID, Command: payment.Refund{Amount: 100}},
		{Tenant: 1, Merchant: 1, Payment: p.ID, Command: payment.Void{}},
		r.capture(p.ID, 1, "c"),
		{Tenant: 1, Merchant: 2, Payment: p.ID, Command: payment.Refund{}},
		{Tenant: 2, Merchant: 1, Payment: p.ID, Command: payment.Refund{}},
	}, nil)
	expectResults(t, got,
		"refused: not_refundable, amount_too_small", "authorized, held 400, captured 600", "refused: amount_too_large",
		"authorized, held 400, captured 600", "authorized, held 400, captured 600, refunded 100",
		"captured, held 0, captured 600, refunded 100", "refused: not_capturable, amount_too_large", "refused: not_found", "refused: not_found")
	for i, version := range map[int]int{1: 3, 3: 4, 4: 5, 5: 6} {
		if got[i].Payment.Version != version {
			t.Errorf("request %d got version %d, want %d", i, got[i].Payment.Version, version)
		}
	}
}

// TestOneKeyInOneBatch: whoever comes second under a key is told so at once,
// whatever he asks for; a key that has run out is free again, once.
func TestOneKeyInOneBatch(t *testing.T) {
	script := newScript()
	r := newRig(t, scripted(script))
	p := r.authorize(t, 1000)
	short := r.capture(p.ID, 100, "short")
	short.Retain = time.Hour
	if out, err := r.Do(t.Context(), short); err != nil || out.Payment.Captured != 100 {
		t.Fatalf("%v", result{out, err})
	}
	other := r.capture(p.ID, 101, "short")
	other.Retain = time.Hour
	expectResults(t, together(t, r, script, []payment.Request{short, short, other}, nil),
		"again: authorized, held 900, captured 100", "refused: in_process", "refused: in_process")
	if err := r.Advance(t.Context(), r.clock, time.Hour-time.Millisecond); err != nil {
		t.Fatal(err)
	}
	expectResults(t, together(t, r, script, []payment.Request{other}, nil), "refused: key_reused")
	if err := r.Advance(t.Context(), r.clock, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	expectResults(t, together(t, r, script, []payment.Request{other, short}, nil),
		"authorized, held 799, captured 201", "refused: in_process")
	expectResults(t, together(t, r, script, []payment.Request{short}, nil), "refused: key_reused")
	if out, ok, err := r.Recorded(t.Context(), 1, short.Key); err != nil || !ok || out.Payment.Captured != 201 {
		t.Errorf("%v, %t", result{out, err}, ok)
	}
}

// TestRepeatBesideTheAnswer: a repeat that is decided in the batch of the
// processor's answer gets it when it comes after it.
func TestRepeatBesideTheAnswer(t *testing.T) {
	for _, test := range []struct {
		first bool // the answer
		want  string
	}{
		{true, "again: authorized, held 600, captured 400"},
		{false, "again: pending: no payment"},
	} {
		script := newScript()
		r := newRig(t, scripted(script))
		p := r.authorize(t, 1000)
		answer := make(chan struct{})
		r.proc.remote = true
		r.proc.perform = func(processor.Order) (payment.Answer, error) { <-answer; return approved, nil }
		request := r.capture(p.ID, 400, "k")
		if out, err := r.Do(t.Context(), request); err != nil || !out.Pending {
			t.Fatalf("%v", result{out, err})
		}
		answered := func() {
			before, _ := r.Load()
			close(answer)
			waitUntil(t, func() bool { waiting, _ := r.Load(); return waiting > before })
		}
		if test.first {
			repeat := make(chan result, 1)
			together(t, r, script, nil, func() {
				answered()
				before, _ := r.Load()
				go func() {
					out, err := r.Do(ctx, request)
					repeat <- result{out, err}
				}()
				waitUntil(t, func() bool { waiting, _ := r.Load(); return waiting > before })
			})
			expectResults(t, []result{<-repeat}, test.want)
			continue
		}
		got := together(t, r, script, []payment.Request{request}, answered)
		got[0].Payment = nil // by the time it is read it is as it is now
		expectResults(t, got, test.want)
		waitUntil(t, func() bool {
			out, err := r.Do(t.Context(), request)
			return err == nil && !out.Pending && out.Payment.Captured == 400
		})
	}
}

// TestPendingKeyOutlivesItsTime: a key whose request waits for a processor is
// not free, however long that takes.
func TestPendingKeyOutlivesItsTime(t *testing.T) {
	r := newRig(t)
	p := r.authorize(t, 1000)
	r.proc.remote = true
	silent := func(processor.Order) (payment.Answer, error) { return payment.Answer{}, errLost }
	r.proc.perform, r.proc.lookup = silent, silent
	request := r.capture(p.ID, 400, "k")
	request.Retain = time.Hour
	if out, err := r.Do(t.Context(), request); err != nil || !out.Pending {
		t.Fatalf("%v", result{out, err})
	}
	if err := r.Advance(t.Context(), r.clock, 2*time.Hour); err != nil {
		t.Fatal(err)
	}
	if out, err := r.Do(t.Context(), request); err != nil || !out.Pending || !out.Replayed {
		t.Errorf("%v", result{out, err})
	}
	if out, ok, err := r.Recorded(t.Context(), 1, request.Key); err != nil || !ok || !out.Pending {
		t.Errorf("%v, %t", result{out, err}, ok)
	}
}

// TestUnknownCurrencyOfAWallet is refused, and takes nobody with it.
func TestUnknownCurrencyOfAWallet(t *testing.T) {
	script := newScript()
	r := newRig(t, scripted(script), purses)
	u := r.user(t, 1, 1000)
	strange := pay(1, u, 100)
	create := strange.Command.(payment.Create)
	create.Currency = money.Currency("XXX")
	strange.Command = create
	expectResults(t, together(t, r, script, []payment.Request{strange, pay(1, u, 100)}, nil),
		"refused: currency_mismatch", "authorized, held 100, captured 0")
}

// TestPayerOfAnEdit: a wallet user whom only the edit of an authorization
// names pays, with what he has after the commands before in the same batch.
func TestPayerOfAnEdit(t *testing.T) {
	script := newScript()
	r := newRig(t, scripted(script), purses)
	u := r.user(t, 1, 1000)
	created := func(amount int64) payment.ID {
		t.Helper()
		out, err := r.Do(ctx, payment.Request{Tenant: 1, Merchant: 1, Command: payment.Create{Intake: intake(amount)}})
		if err != nil || out.Refusal != nil {
			t.Fatalf("%+v, %v", out, err)
		}
		return out.Payment.ID
	}
	byWallet := func(id payment.ID) payment.Request {
		return payment.Request{Tenant: 1, Merchant: 1, Payment: id, Command: payment.Authorize{Edit: func(p *payment.Payment) (payment.Intake, *payment.Refusal) {
			i := p.Intake
			i.Method = payment.Method{Kind: payment.WalletMethod, User: u}
			return i, nil
		}}}
	}
	first, second := created(600), created(350)
	grant := wallet.Grant{Name: "agreement", Tenant: 1, User: u, ExpiresAt: noon.Add(time.Hour)}
	if err := r.store.PutGrant(ctx, grant); err != nil {
		t.Fatal(err)
	}
	known := pay(1, u, 300) // known to the batch by his grant, which the edits do not name
	create := known.Command.(payment.Create)
	create.Method.Grant = grant.Name
	known.Command = create
	commits := script.count(faulty.Commit)
	got := together(t, r, script, []payment.Request{known, byWallet(first), byWallet(second)}, nil)
	expectResults(t, got,
		"authorized, held 300, captured 0", "authorized, held 600, captured 0", "declined, held 0, captured 0")
	if why := got[2].Op().Answer.Reason; why != payment.InsufficientFunds {
		t.Errorf("more than is left: %s", why)
	}
	if left := r.available(t, 1, u); left != 100 {
		t.Errorf("he has %d", left)
	}
	if n := script.count(faulty.Commit) - commits; n != 1 { // the store would not let more be taken than there is
		t.Errorf("it took %d commits", n)
	}
}
