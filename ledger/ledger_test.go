package ledger_test

import (
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/money"
)

func account(kind ledger.Kind, currency money.Currency) ledger.Account {
	return ledger.Account{Merchant: 1, Kind: kind, Currency: currency}
}

var (
	held     = account(ledger.Held, "USD")
	merchant = account(ledger.Merchant, "USD")
	fees     = account(ledger.PlatformFees, "USD")
	yen      = account(ledger.Held, "JPY")
	yenOwed  = account(ledger.Merchant, "JPY")
)

func TestCheck(t *testing.T) {
	const top = math.MaxInt64
	for _, test := range []struct {
		name  string
		entry ledger.Entry
		err   error
	}{
		{"nothing", nil, nil},
		{"from one to another", ledger.Entry{{held, -5}, {merchant, 5}}, nil},
		{"from one to two", ledger.Entry{{held, -5}, {merchant, 4}, {fees, 1}}, nil},
		{"off by one", ledger.Entry{{held, -5}, {merchant, 4}}, ledger.ErrUnbalanced},
		{"off by one upward", ledger.Entry{{held, -5}, {merchant, 6}}, ledger.ErrUnbalanced},
		{"a single posting", ledger.Entry{{held, 5}}, ledger.ErrUnbalanced},
		{"a single posting of nothing", ledger.Entry{{held, 0}}, ledger.ErrUnbalanced},
		{"two currencies, each balanced", ledger.Entry{{held, -5}, {yen, -9}, {merchant, 5}, {yenOwed, 9}}, nil},
		{"dollars against yen", ledger.Entry{{held, -5}, {yen, 5}}, ledger.ErrUnbalanced},
		{"the second currency is off", ledger.Entry{{held, -5}, {merchant, 5}, {yen, -9}, {yenOwed, 8}}, ledger.ErrUnbalanced},
		{"the most there is", ledger.Entry{{held, -top}, {merchant, top}}, nil},
		{"more than can be added", ledger.Entry{{held, top}, {merchant, top}, {fees, 2}}, money.ErrOverflow},
		{"many currencies", many("USD", "EUR", "JPY", "GBP", "CHF", "SEK"), nil},
		{"many currencies, the last is off", append(many("USD", "EUR", "JPY", "GBP", "CHF"), ledger.Posting{Account: account(ledger.Held, "SEK"), Minor: 1}), ledger.ErrUnbalanced},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := test.entry.Check(); !errors.Is(err, test.err) {
				t.Errorf("got %v, want %v", err, test.err)
			}
		})
	}
}

// many is a balanced entry in each of the currencies.
func many(currencies ...money.Currency) ledger.Entry {
	var entry ledger.Entry
	for _, c := range currencies {
		entry = append(entry, ledger.Move(7, account(ledger.Held, c), account(ledger.Merchant, c))...)
	}
	return entry
}

func TestMove(t *testing.T) {
	if got, want := ledger.Move(5, held, merchant), (ledger.Entry{{held, -5}, {merchant, 5}}); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := ledger.Move(0, held, merchant); got != nil {
		t.Errorf("moving nothing is %v", got)
	}
	defer func() {
		if said, _ := recover().(string); !strings.Contains(said, "USD") || !strings.Contains(said, "JPY") {
			t.Errorf("moving dollars to a yen account: %q", said)
		}
	}()
	ledger.Move(5, held, yen)
}

func TestApply(t *testing.T) {
	books := ledger.Balances{}
	for _, entry := range []ledger.Entry{
		{{held, -5}, {merchant, 5}},
		{{merchant, -2}, {fees, 2}},
		{{yen, -9}, {yenOwed, 9}},
	} {
		if err := books.Apply(entry); err != nil {
			t.Fatal(err)
		}
	}
	want := ledger.Balances{held: -5, merchant: 3, fees: 2, yen: -9, yenOwed: 9}
	if !maps.Equal(books, want) {
		t.Errorf("got %v, want %v", books, want)
	}
	if trial := books.Trial(); !maps.Equal(trial, map[money.Currency]int64{"USD": 0, "JPY": 0}) {
		t.Errorf("trial balance %v", trial)
	}
}

func TestApplyAddsAllOrNothing(t *testing.T) {
	const top = math.MaxInt64
	for _, test := range []struct {
		name  string
		entry ledger.Entry
		err   error
	}{
		{"unbalanced", ledger.Entry{{held, -5}, {merchant, 4}}, ledger.ErrUnbalanced},
		{"the second account overflows", ledger.Entry{{held, -5}, {merchant, 5}}, money.ErrOverflow},
		{"an account overflows on its second posting", ledger.Entry{{fees, top}, {held, -top}, {fees, 1}, {held, -1}}, money.ErrOverflow},
	} {
		t.Run(test.name, func(t *testing.T) {
			books := ledger.Balances{held: 1, merchant: top - 4}
			before := maps.Clone(books)
			if err := books.Apply(test.entry); !errors.Is(err, test.err) {
				t.Errorf("got %v, want %v", err, test.err)
			}
			maps.DeleteFunc(books, func(_ ledger.Account, minor int64) bool { return minor == 0 })
			if !maps.Equal(books, before) {
				t.Errorf("got %v, want %v", books, before)
			}
		})
	}
}

// What is balanced stays balanced, whatever is posted.
func TestTrialBalanceIsZero(t *testing.T) {
	accounts := []ledger.Account{held, merchant, fees, yen, yenOwed}
	rapid.Check(t, func(t *rapid.T) {
		books := ledger.Balances{}
		for range rapid.IntRange(0, 20).Draw(t, "entries") {
			from, to := rapid.SampledFrom(accounts).Draw(t, "from"), rapid.SampledFrom(accounts).Draw(t, "to")
			minor := rapid.Int64().Draw(t, "minor")
			err := books.Apply(ledger.Entry{{from, -minor}, {to, minor}})
			if err == nil && minor != 0 && from.Currency != to.Currency {
				t.Fatalf("%d moved from %v to %v", minor, from, to)
			}
		}
		for currency, sum := range books.Trial() {
			if sum != 0 {
				t.Fatalf("trial balance %d %s", sum, currency)
			}
		}
	})
}

func TestKinds(t *testing.T) {
	names := map[string]bool{}
	for _, k := range ledger.Kinds() {
		if k.String() == "" || strings.Contains(k.String(), "Kind") || names[k.String()] {
			t.Errorf("kind %d is called %q", k, k)
		}
		names[k.String()] = true
	}
	if len(names) != 7 {
		t.Errorf("%d kinds", len(names))
	}
	for _, none := range []ledger.Kind{0, 8, 255} {
		if got := none.String(); !strings.HasPrefix(got, "ledger.Kind(") {
			t.Errorf("kind %d is called %q", none, got)
		}
	}
}
