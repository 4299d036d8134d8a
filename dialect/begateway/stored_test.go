package begateway

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor/cardsim"
)

// payToken is a payment with the token of a card.
func payToken(path, token, amount string) (string, string) {
	return path, `{"amount":` + amount + `,"currency":"USD","description":"Again","duplicate_check":false,"credit_card":{"token":"` + token + `"}}`
}

// The token of an answer charges the card again: the processor is given the
// number, once, and the security code of this request, if there is one.
func TestATokenChargesTheCardAgain(t *testing.T) {
	w := newWorld(t)
	var mu sync.Mutex
	var asked []payment.Secret
	w.engine.ask = func(i payment.Instruction) payment.Answer {
		if i.Kind == payment.OpAuthorize {
			mu.Lock()
			asked = append(asked, payment.Secret{Number: i.Secret.Number, CVC: i.Secret.CVC})
			mu.Unlock()
		}
		return cardsim.Processor{}.Decide(i, nil)
	}
	first := w.transaction("authorizations", intakeOf("1000", goodCard))["credit_card"].(map[string]any)
	token := first["token"].(string)
	for i, path := range []string{"authorizations", "payments"} {
		again := w.transaction(payToken(path, token, "700"))
		shown := again["credit_card"].(map[string]any)
		for _, member := range []string{"stamp", "brand", "last_4", "bin", "holder", "exp_month", "exp_year", "token"} {
			if shown[member] != first[member] {
				t.Errorf("%s: %s is %v, not %v", path, member, shown[member], first[member])
			}
		}
		if again["status"] != "successful" || len(asked) != i+2 || asked[i+1] != (payment.Secret{Number: goodCard}) {
			t.Errorf("%s: %v, the processor was asked %d times", path, again["status"], len(asked))
		}
	}
	w.transaction("payments", `{"amount":5,"currency":"USD","description":"x","credit_card":{"token":"`+token+`","verification_value":"321"}}`)
	if last := asked[len(asked)-1]; last.Number != goodCard || last.CVC != "321" {
		t.Error("the security code of this request is not the one that the processor got")
	}
}

func TestTokensThatChargeNothing(t *testing.T) {
	w := newWorld(t)
	token := func(card string) string {
		return w.transaction("authorizations", intakeOf("1000", card))["credit_card"].(map[string]any)["token"].(string)
	}
	good, declined := token(goodCard), token(declinedCard)
	_, stranger := w.addShop(t, "Other Shop")
	path, body := payToken("payments", good, "1")
	for what, reply := range map[string]string{
		"a token nobody has":           w.problemOf(w.post(payToken("payments", "f00", "1")), http.StatusBadRequest),
		"the token of a declined card": w.problemOf(w.post(payToken("payments", declined, "1")), http.StatusBadRequest),
		"another shop's token":         w.problemOf(w.callAs(stranger, http.MethodPost, "/transactions/"+path, `{"request":`+body+`}`), http.StatusBadRequest),
	} {
		if reply != "Token does not exist." {
			t.Errorf("%s: %s", what, reply)
		}
	}
	w.clock.advance(time.Date(2030, 6, 1, 0, 0, 0, 0, time.UTC).Sub(noon) - time.Second)
	w.transaction(payToken("payments", good, "1"))
	w.clock.advance(time.Second)
	if reply := w.problemOf(w.post(payToken("payments", good, "1")), http.StatusBadRequest); reply != "Date is expired." {
		t.Errorf("an expired card: %s", reply)
	}
}
