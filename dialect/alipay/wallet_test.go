package alipay_test

import (
	"encoding/json"
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
