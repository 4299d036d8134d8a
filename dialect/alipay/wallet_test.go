package alipay_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan/capstantest"
)

// walletUser is a user of the wallet as the controls show one.
type walletUser struct {
	UserID      string `json:"user_id"`
	AuthCode    string `json:"auth_code"`
	AccessToken string `json:"access_token"`
	PaymentCode string `json:"payment_code"`
}

func booksOf(t *testing.T, s *capstantest.Server, user string) books {
	t.Helper()
	var u struct {
		Balances []struct{ Currency, Value string }
	}
	s.Control(t, http.MethodPatch, "/_sandbox/wallet/users/"+user, map[string]any{}, &u)
	var b books
	for _, of := range u.Balances {
		if of.Currency == "USD" {
			b[0], _ = strconv.ParseInt(of.Value, 10, 64)
		}
	}
	all := s.Balances(t, "USD")
	b[1], b[2] = all["held"], all["merchant"]
	return b
}

func jsonOf(text string) json.RawMessage { return json.RawMessage(text) }

// between is what stands between two marks.
func between(text, before, after string) string {
	_, rest, _ := strings.Cut(text, before)
	found, _, _ := strings.Cut(rest, after)
	return found
}

// replaced puts values in the place of what stands for them.
func replaced(text string, known map[string]string) string {
	for name, value := range known {
		text = strings.ReplaceAll(text, name, value)
	}
	return text
}

// TestWalletUsers: what a user may do decides about every payment and every
// capture, at the moment it is asked for; nothing moves when he may not, and
// the hold stays (rows 6, 7, 8, 10 and 12 of section 4.3).
func TestWalletUsers(t *testing.T) {
	s := capstantest.Run(t)
	c := newShop(t, s)
	u := rich(t, s)
	c.AccessToken = u.AccessToken
	user := func(change map[string]any) {
		t.Helper()
		s.Control(t, http.MethodPatch, "/_sandbox/wallet/users/"+u.UserID, change, nil)
	}
	after := func(want books) {
		t.Helper()
		if got := booksOf(t, s, u.UserID); got != want {
			t.Fatalf("books %v, want %v", got, want)
		}
	}
	id := c.hold("hold", "")
	take := func(want, name string, minor int64) {
		t.Helper()
		c.want(want, "capture", strings.ReplaceAll(taking(name, minor, "false"), "$p", id))
	}
	pay := func(want, name string, minor int64) {
		t.Helper()
		c.want(want, "pay", fmt.Sprintf(`{"paymentRequestId":%q,"paymentAmount":%s,"paymentMethod":{"paymentMethodId":%q}}`, name, usd(minor), c.AccessToken))
	}
	after(books{4000, 1000, 0})

	user(map[string]any{"status": "frozen"})
	take("USER_STATUS_ABNORMAL", "c-1", 1)
	pay("USER_STATUS_ABNORMAL", "p-1", 1)
	after(books{4000, 1000, 0})
	user(map[string]any{"status": "active"})
	take("USER_STATUS_ABNORMAL", "c-1", 1) // is final
	take("SUCCESS", "c-2", 1)
	after(books{4000, 999, 1})

	pay("USER_BALANCE_NOT_ENOUGH", "p-2", 4001)
	pay("SUCCESS", "p-3", 4000) // what is held is not his to spend
	after(books{0, 999, 4001})
	take("SUCCESS", "c-3", 1) // it is held, whatever he has left
	pay("USER_BALANCE_NOT_ENOUGH", "p-4", 1)
	user(map[string]any{"balance": map[string]any{"currency": "USD", "value": "100"}})
	pay("SUCCESS", "p-5", 1)
	after(books{99, 998, 4003})
	c.want("USER_BALANCE_NOT_ENOUGH", "pay", fmt.Sprintf(`{"paymentRequestId":"p-6","paymentAmount":{"value":"1","currency":"EUR"},"paymentMethod":{"paymentMethodId":%q}}`, c.AccessToken))

	c.set(map[string]any{"alipay.max_capture_amount": 10})
	take("PAYMENT_AMOUNT_EXCEED_LIMIT", "c-4", 11)
	take("SUCCESS", "c-5", 10)
	c.set(map[string]any{"alipay.max_capture_amount": nil, "alipay.max_captures": 3})
	take("PAYMENT_COUNT_EXCEED_LIMIT", "c-6", 1) // c-2, c-3 and c-5
	c.set(map[string]any{"alipay.max_captures": nil})
	after(books{99, 988, 4013})

	s.Control(t, http.MethodPut, "/_sandbox/risk", map[string]any{"limits": []any{map[string]any{"currency": "USD", "scope": "payer", "volume": 60}}}, nil)
	pay("SUCCESS", "p-7", 20)
	take("USER_AMOUNT_EXCEED_LIMIT", "c-7", 41)
	take("SUCCESS", "c-8", 40)
	pay("USER_AMOUNT_EXCEED_LIMIT", "p-8", 1)
	other := rich(t, s) // another user has a limit of his own
	mine := c.AccessToken
	c.AccessToken = other.AccessToken
	pay("SUCCESS", "p-9", 60)
	c.AccessToken = mine
	s.Control(t, http.MethodPut, "/_sandbox/risk", map[string]any{}, nil)
	after(books{79, 948, 4133})

	s.Control(t, http.MethodPost, "/_sandbox/wallet/tokens/revoke", map[string]any{"access_token": u.AccessToken}, nil)
	take("INVALID_TOKEN", "c-9", 1)
	pay("INVALID_ACCESS_TOKEN", "p-10", 1)
	c.want("SUCCESS", "void", strings.ReplaceAll(voiding("v", 0, ""), "$p", id)) // giving back needs nobody's leave
	after(books{1027, 0, 4133})
}
