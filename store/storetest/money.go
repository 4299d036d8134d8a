package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/wallet"
)

// newUser creates a wallet user of the tests' tenant.
func newUser(t testing.TB, s store.Store, minor int64, currency money.Currency) int64 {
	t.Helper()
	u := wallet.User{Tenant: tenant}
	check(t, s.CreateUser(ctx, merchantID, &u, []wallet.Balance{{Currency: currency, Available: minor}}, noon))
	return u.ID
}

func testBalances(t *testing.T, s store.Store) {
	a := newAuthor(t)
	created := a.create(card(1000, "USD"))
	captured := a.capture(created.Payment, 400)
	yen := a.create(card(5000, "JPY"))
	voided := a.decide(yen.Payment, payment.Void{}, approve)
	other := payment.Payment{ID: a.ids.Next(a.now), Tenant: tenant, Merchant: merchantID + 1}
	others := a.decide(&other, payment.Create{Intake: card(70, "USD"), Attempt: &payment.Attempt{}}, approve)
	must(t, s, created, captured, yen, voided, others)

	of := func(m int64, kind ledger.Kind, currency money.Currency) ledger.Account {
		return ledger.Account{Merchant: m, Kind: kind, Currency: currency}
	}
	want := ledger.Balances{
		of(merchantID, ledger.Held, "USD"):      600,
		of(merchantID, ledger.Acquirer, "USD"):  -1000,
		of(merchantID, ledger.InTransit, "USD"): 400,
		of(merchantID, ledger.Held, "JPY"):      0,
		of(merchantID, ledger.Acquirer, "JPY"):  0,
	}
	balances, err := s.Balances(ctx, merchantID)
	check(t, err)
	equal(t, "balances of one merchant", balances, want)

	want[of(merchantID+1, ledger.Held, "USD")] = 70
	want[of(merchantID+1, ledger.Acquirer, "USD")] = -70
	balances, err = s.Balances(ctx, 0)
	check(t, err)
	equal(t, "balances of all", balances, want)

	balances, err = s.Balances(ctx, 999)
	check(t, err)
	equal(t, "balances of nobody", balances, ledger.Balances{})
}

func testWallet(t *testing.T, s store.Store) {
	a := newAuthor(t)
	u := newUser(t, s, 1000, "USD")
	available := func(want int64) {
		t.Helper()
		_, balances, err := s.User(ctx, tenant, u)
		check(t, err)
		equal(t, "balances", balances, []wallet.Balance{{User: u, Currency: "USD", Available: want}})
	}
	available(1000)
	created := a.create(purse(u, 700, "USD"))
	must(t, s, created)
	available(300)
	captured := a.capture(created.Payment, 500)
	must(t, s, captured)
	available(300)
	voided := a.decide(captured.Payment, payment.Void{}, approve)
	refunded := a.decide(voided.Payment, payment.Refund{Amount: 50}, approve)
	must(t, s, voided, refunded)
	available(550)
}

func testOverdraft(t *testing.T, s store.Store) {
	a := newAuthor(t)
	u := newUser(t, s, 1000, "USD")
	first := a.create(purse(u, 1000, "USD"))
	must(t, s, first)
	before := take(t, s)
	for what, c := range map[string]store.Change{
		"more than there is": a.create(purse(u, 1, "USD")),
		"another currency":   a.create(purse(u, 1, "EUR")),
		"nobody's wallet":    a.create(purse(u+1, 1, "USD")),
	} {
		err := commit(s, a.create(card(5, "USD")), c)
		for _, wrong := range []error{nil, store.ErrConflict, store.ErrUnknown, store.ErrFull, store.ErrBroken} {
			if errors.Is(err, wrong) {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	equal(t, "everything afterwards", take(t, s), before)
	back := a.decide(first.Payment, payment.Void{Amount: 400}, approve)
	must(t, s, back, a.create(purse(u, 400, "USD")))
}

func testPayers(t *testing.T, s store.Store) {
	rich, poor := newUser(t, s, 5000, "USD"), newUser(t, s, 10, "EUR")
	check(t, s.UpdateUser(ctx, wallet.User{ID: poor, Tenant: tenant, Frozen: true}))
	grant := func(name string, user int64, expires time.Time, revoked bool) {
		check(t, s.PutGrant(ctx, wallet.Grant{Name: name, Tenant: tenant, User: user, ExpiresAt: expires, Revoked: revoked}))
	}
	grant("good", rich, noon.Add(time.Millisecond), false)
	grant("late", rich, noon, false)
	grant("revoked", rich, noon.Add(time.Hour), true)
	grant("poor's", poor, noon.Add(time.Hour), false)

	b, err := s.Begin(ctx, store.Touched{})
	check(t, err)
	defer b.Rollback()
	got, err := b.Payers(ctx, noon, []store.PayerRef{
		{Tenant: tenant, User: poor, Currency: "EUR"},
		{Tenant: tenant, User: rich, Currency: "EUR"},
		{Tenant: tenant, User: rich, Currency: "USD", Grant: "good"},
		{Tenant: tenant, User: rich, Currency: "USD", Grant: "late"},
		{Tenant: tenant, User: rich, Currency: "USD", Grant: "revoked"},
		{Tenant: tenant, User: rich, Currency: "USD", Grant: "poor's"},
		{Tenant: tenant, User: rich, Currency: "USD", Grant: "unknown"},
		{Tenant: tenant, User: 999, Currency: "USD"},
		{Tenant: tenant + 1, User: rich, Currency: "USD"},
	})
	check(t, err)
	equal(t, "payers", got, []payment.Payer{
		{User: poor, Frozen: true, Available: 10},
		{User: rich},
		{User: rich, Available: 5000},
		{User: rich, Available: 5000, GrantOver: true},
		{User: rich, Available: 5000, GrantOver: true},
		{User: rich, Available: 5000, GrantOver: true},
		{User: rich, Available: 5000, GrantOver: true},
		{User: 999, Frozen: true},
		{User: rich, Frozen: true},
	})
}

func testDeposit(t *testing.T, s store.Store) {
	u := newUser(t, s, 100, "USD")
	must(t, s, newAuthor(t).create(card(5, "USD")))
	check(t, s.Deposit(ctx, merchantID, tenant, wallet.Balance{User: u, Currency: "EUR", Available: 30}, noon))
	check(t, s.Deposit(ctx, merchantID, tenant, wallet.Balance{User: u, Currency: "USD", Available: -60}, noon))
	_, balances, err := s.User(ctx, tenant, u)
	check(t, err)
	equal(t, "balances", balances, []wallet.Balance{{User: u, Currency: "EUR", Available: 30}, {User: u, Currency: "USD", Available: 40}})

	before := take(t, s)
	if err := s.Deposit(ctx, merchantID, tenant, wallet.Balance{User: u, Currency: "USD", Available: -41}, noon); err == nil {
		t.Error("more was taken than there is")
	}
	if err := s.Deposit(ctx, merchantID, tenant+1, wallet.Balance{User: u, Currency: "USD", Available: 1}, noon); err == nil {
		t.Error("a deposit to another tenant's user")
	}
	equal(t, "everything afterwards", take(t, s), before)

	books, err := s.Balances(ctx, 0)
	check(t, err)
	for currency, sum := range books.Trial() {
		if sum != 0 {
			t.Errorf("the books are off by %d %s", sum, currency)
		}
	}
	issued := ledger.Account{Merchant: merchantID, Kind: ledger.Issuance, Currency: "USD"}
	equal(t, "issued", books[issued], int64(-40))
	deposits := 0
	for _, p := range before.Postings {
		if p.ID == 0 && p.Sequence == 0 {
			deposits++
		}
	}
	equal(t, "postings of deposits", deposits, 6)
}

func testUsers(t *testing.T, s store.Store) {
	u := wallet.User{Tenant: tenant}
	opening := []wallet.Balance{{Currency: "USD", Available: 1_000_000_000_000_000}, {Currency: "JPY"}}
	check(t, s.CreateUser(ctx, merchantID, &u, opening, noon))
	if u.ID == 0 {
		t.Fatal("the user has no id")
	}
	got, balances, err := s.User(ctx, tenant, u.ID)
	check(t, err)
	equal(t, "user", got, &u)
	equal(t, "balances", balances, []wallet.Balance{{User: u.ID, Currency: "JPY"}, {User: u.ID, Currency: "USD", Available: 1_000_000_000_000_000}})
	u.Frozen = true
	check(t, s.UpdateUser(ctx, u))
	got, _, err = s.User(ctx, tenant, u.ID)
	check(t, err)
	equal(t, "frozen user", got, &u)
	if got, _, err := s.User(ctx, tenant+1, u.ID); got != nil || err != nil {
		t.Errorf("another tenant's user: %v, %v", got, err)
	}
	if err := s.UpdateUser(ctx, wallet.User{ID: u.ID, Tenant: tenant + 1}); err == nil {
		t.Error("another tenant's user was changed")
	}
	second := wallet.User{Tenant: tenant}
	check(t, s.CreateUser(ctx, merchantID, &second, nil, noon))
	if second.ID == u.ID {
		t.Error("two users have one id")
	}
	before := take(t, s)
	if err := s.CreateUser(ctx, merchantID, &wallet.User{Tenant: tenant}, []wallet.Balance{{Currency: "USD", Available: -1}}, noon); err == nil {
		t.Error("a user begins in debt")
	}
	equal(t, "everything afterwards", take(t, s), before)

	g := wallet.Grant{Name: "ab12", Tenant: tenant, User: u.ID, ExpiresAt: noon.AddDate(10, 0, 0)}
	check(t, s.PutGrant(ctx, g))
	g.Revoked = true
	check(t, s.PutGrant(ctx, g))
	found, err := s.Grant(ctx, tenant, g.Name)
	check(t, err)
	equal(t, "grant", found, &g)
	for _, ref := range []store.Ref[string]{{Tenant: tenant + 1, Name: g.Name}, {Tenant: tenant, Name: "other"}} {
		if found, err := s.Grant(ctx, ref.Tenant, ref.Name); found != nil || err != nil {
			t.Errorf("a grant that is not there: %v, %v", found, err)
		}
		if first, err := s.UseGrant(ctx, ref.Tenant, ref.Name); first || err != nil {
			t.Errorf("a grant that is not there was used: %t, %v", first, err)
		}
	}
}

// testUseGrant uses one grant several times at once.
func testUseGrant(t *testing.T, s store.Store) {
	g := wallet.Grant{Name: "ab12", Tenant: tenant, User: 1, ExpiresAt: noon.AddDate(10, 0, 0)}
	check(t, s.PutGrant(ctx, g))
	used := make(chan bool, 8)
	for range cap(used) {
		go func() {
			first, err := s.UseGrant(ctx, tenant, g.Name)
			if err != nil {
				t.Error(err)
			}
			used <- first
		}()
	}
	count := 0
	for range cap(used) {
		if <-used {
			count++
		}
	}
	if count != 1 {
		t.Errorf("a grant was used %d times", count)
	}
	g.Revoked = true
	found, err := s.Grant(ctx, tenant, g.Name)
	check(t, err)
	equal(t, "grant", found, &g)
}
