package intents_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
)

// testCard is a row of section 9: what becomes of a card, by its number and by
// its name.
type testCard struct {
	number, token string // either may be missing
	brand         string
	status        string // of the intent after confirm; of a decline requires_payment_method
	code, decline string
	message       string
	uncharged     bool   // the decline made no charge
	then          string // status after the payer has passed the challenge
}

const declined = "Your card was declined."

var testCards = []testCard{
	{"4242424242424242", "visa", "visa", "succeeded", "", "", "", false, ""},
	{"4111111111111111", "", "visa", "succeeded", "", "", "", false, ""},
	{"4000056655665556", "visa_debit", "visa", "succeeded", "", "", "", false, ""},
	{"5555555555554444", "mastercard", "mastercard", "succeeded", "", "", "", false, ""},
	{"2223003122003222", "", "mastercard", "succeeded", "", "", "", false, ""},
	{"378282246310005", "amex", "amex", "succeeded", "", "", "", false, ""},
	{"371449635398431", "", "amex", "succeeded", "", "", "", false, ""},
	{"6011111111111117", "discover", "discover", "succeeded", "", "", "", false, ""},
	{"3056930009020004", "diners", "diners", "succeeded", "", "", "", false, ""},
	{"3566002020360505", "jcb", "jcb", "succeeded", "", "", "", false, ""},
	{"6200000000000005", "unionpay", "unionpay", "succeeded", "", "", "", false, ""},
	{"4000000000000002", "visa_chargeDeclined", "visa", "requires_payment_method", "card_declined", "generic_decline", declined, false, ""},
	{"", "chargeDeclined", "visa", "requires_payment_method", "card_declined", "generic_decline", declined, false, ""},
	{"4000000000009995", "visa_chargeDeclinedInsufficientFunds", "visa", "requires_payment_method", "card_declined", "insufficient_funds", "Your card has insufficient funds.", false, ""},
	{"", "chargeDeclinedInsufficientFunds", "visa", "requires_payment_method", "card_declined", "insufficient_funds", "Your card has insufficient funds.", false, ""},
	{"4000000000009987", "visa_chargeDeclinedLostCard", "visa", "requires_payment_method", "card_declined", "lost_card", declined, false, ""},
	{"4000000000009979", "visa_chargeDeclinedStolenCard", "visa", "requires_payment_method", "card_declined", "stolen_card", declined, false, ""},
	{"4000000000006975", "visa_chargeDeclinedVelocityLimitExceeded", "visa", "requires_payment_method", "card_declined", "card_velocity_exceeded", "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.", false, ""},
	{"4000000000000069", "chargeDeclinedExpiredCard", "visa", "requires_payment_method", "expired_card", "expired_card", "Your card has expired.", false, ""},
	{"4000000000000127", "chargeDeclinedIncorrectCvc", "visa", "requires_payment_method", "incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect.", false, ""},
	{"4000000000000119", "chargeDeclinedProcessingError", "visa", "requires_payment_method", "processing_error", "processing_error", "An error occurred while processing your card. Try again in a little bit.", false, ""},
	{"4000000000000341", "chargeCustomerFail", "visa", "requires_payment_method", "card_declined", "generic_decline", declined, false, ""},
	{"4100000000000019", "radarBlock", "visa", "requires_payment_method", "card_declined", "fraudulent", declined, false, ""},
	{"4000000000003220", "threeDSecure2Required", "visa", "requires_action", "", "", "", false, "succeeded"},
	{"4000002760003184", "authenticationRequired", "visa", "requires_action", "", "", "", false, "succeeded"},
	{"4000002500003155", "authenticationRequiredOnSetup", "visa", "requires_action", "", "", "", false, "succeeded"},
	{"4000003800000446", "authenticationRequiredSetupForOffSession", "visa", "requires_action", "", "", "", false, "succeeded"},
	{"4000008260003178", "authenticationRequiredChargeDeclinedInsufficientFunds", "visa", "requires_action", "", "insufficient_funds", "", false, "requires_payment_method"},
	{"4000008400001629", "threeDSecureRequiredChargeDeclined", "visa", "requires_action", "", "generic_decline", "", false, "requires_payment_method"},
	{"4000000032200000", "", "visa", "succeeded", "", "", "", false, ""},
	{"4000000000003055", "threeDSecureOptional", "visa", "succeeded", "", "", "", false, ""},
	{"", "amex_threeDSecureNotSupported", "amex", "succeeded", "", "", "", false, ""},
	{"4000000000007726", "pendingRefund", "visa", "succeeded", "", "", "", false, ""},
	{"4000000000005126", "refundFail", "visa", "succeeded", "", "", "", false, ""},
	{"4000000000000259", "createDispute", "visa", "succeeded", "", "", "", false, ""},
}

// shown is what a test of cards looks at.
type shown struct {
	intent
	Next   any `json:"next_action"`
	ThreeD *struct {
		CAVV   *string
		ECI    *int
		Status string
		Result string `json:"three_d_result"`
	} `json:"3ds_status"`
	Last *struct {
		Code, Charge string
		Decline      string `json:"decline_code"`
	} `json:"last_payment_error"`
}

func (c *client) shown(id string) (it shown) {
	c.t.Helper()
	c.into(&it, http.MethodGet, "/v1/payment_intents/"+id, "")
	return it
}

// byNumber is card data in payment_method_data.
func byNumber(number string) string {
	return "&payment_method_data[type]=card&payment_method_data[card][exp_month]=03&payment_method_data[card][exp_year]=2031&payment_method_data[card][cvc]=123&payment_method_data[card][number]=" + number
}

// Each test card of section 9, by its number and by its name.
func TestCards(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	for _, card := range testCards {
		ways := map[string]string{}
		if card.number != "" {
			ways[card.number] = byNumber(card.number)
		}
		if card.token != "" {
			ways[card.token] = "&payment_method=pm_card_" + card.token
		}
		for name, method := range ways {
			t.Run(name, func(t *testing.T) {
				c := newClient(t, s)
				a := c.do(http.MethodPost, "/v1/payment_intents", "amount=100&currency=usd&confirm=true&return_url="+url.QueryEscape("https://shop.test/?a=b")+method, "")
				id := a.ID
				if card.status == "requires_payment_method" {
					e := a.Error
					if a.status != http.StatusPaymentRequired || e.Type != "card_error" || e.Code != card.code || e.Decline != card.decline || e.Message != card.message || e.Intent == nil {
						t.Fatalf("%d %s", a.status, a.body)
					}
					if id = e.Intent.ID; e.Charge == "" || text(e.Intent.Charge) != e.Charge || e.Intent.Method != nil {
						t.Errorf("%s", a.body)
					}
				} else if a.status != http.StatusOK || a.Status != card.status {
					t.Fatalf("%d %s", a.status, a.body)
				}
				if card.then != "" {
					back := c.challenge(a, "approve")
					want := map[string]string{"succeeded": "succeeded", "requires_payment_method": "failed"}[card.then]
					if to := back.Header.Get("Location"); back.StatusCode != http.StatusSeeOther || !strings.Contains(to, "redirect_status="+want) || !strings.Contains(to, "?a=b&") {
						t.Errorf("%d to %s", back.StatusCode, to)
					}
					after := c.shown(id)
					if after.Status != card.then || after.Next != nil || (after.Last != nil) != (card.decline != "") || after.Last != nil && after.Last.Decline != card.decline {
						t.Errorf("%+v", after)
					}
					if after.ThreeD == nil && card.then == "succeeded" || after.ThreeD != nil && (after.ThreeD.Result != "Y" || after.ThreeD.ECI != nil) {
						t.Errorf("3-D Secure came to %+v", after.ThreeD)
					}
				}
				var charge struct {
					Details struct{ Card struct{ Brand string } } `json:"payment_method_details"`
				}
				if c.into(&charge, http.MethodGet, "/v1/charges/"+text(c.shown(id).Charge), ""); charge.Details.Card.Brand != card.brand {
					t.Errorf("a %s", charge.Details.Card.Brand)
				}
			})
		}
	}
}

// The rows of section 9 that say more than how a confirmation ends.
func TestCardDetails(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s)
	confirm := func(more string) answer {
		return c.do(http.MethodPost, "/v1/payment_intents", "amount=100&currency=usd&confirm=true&return_url=https://shop.test/"+more, "")
	}
	t.Run("4242424242424241", func(t *testing.T) {
		a := c.do(http.MethodPost, "/v1/payment_methods", strings.Replace(cardData, "4242424242424242", "4242424242424241", 1), "")
		if a.status != http.StatusPaymentRequired || a.Error.Code != "incorrect_number" || a.Error.Type != "card_error" {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	t.Run("any other number", func(t *testing.T) {
		if a := confirm(byNumber("4485040371536584")); a.Status != "succeeded" {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	t.Run("radarBlock is blocked", func(t *testing.T) {
		a := confirm("&payment_method=pm_card_radarBlock")
		var charge struct {
			Outcome struct {
				Type    string
				Network string `json:"network_status"`
			}
		}
		if c.into(&charge, http.MethodGet, "/v1/charges/"+a.Error.Charge, ""); charge.Outcome.Type != "blocked" || charge.Outcome.Network != "not_sent_to_network" {
			t.Errorf("%+v", charge)
		}
	})
	t.Run("frictionless", func(t *testing.T) {
		if got := c.shown(confirm(byNumber("4000000032200000")).ID); got.ThreeD == nil || text(got.ThreeD.CAVV) == "" || got.ThreeD.ECI == nil || *got.ThreeD.ECI != 5 || got.ThreeD.Status != "COMPLETED" || got.ThreeD.Result != "Y" {
			t.Errorf("%+v", got.ThreeD)
		}
	})
	t.Run("never invoked", func(t *testing.T) {
		a := confirm("&payment_method=pm_card_amex_threeDSecureNotSupported&payment_method_options[card][request_three_d_secure]=any")
		if got := c.shown(a.ID); got.Status != "succeeded" || got.ThreeD != nil {
			t.Errorf("%s", a.body)
		}
	})
	t.Run("on session only", func(t *testing.T) {
		if a := confirm("&off_session=true&payment_method=pm_card_authenticationRequiredSetupForOffSession"); a.Status != "succeeded" {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	t.Run("failed by the payer", func(t *testing.T) {
		a := confirm("&payment_method=pm_card_threeDSecure2Required")
		c.challenge(a, "fail")
		got := c.shown(a.ID)
		if got.Status != "requires_payment_method" || got.Last == nil || got.Last.Code != "payment_intent_authentication_failure" || got.Last.Charge != "" || got.Charge != nil || got.ThreeD.Result != "N" {
			t.Errorf("%+v", got)
		}
	})
	for token, want := range map[string]struct {
		status int
		code   string
		then   string
	}{
		"captureDeclined":     {402, "card_declined", "requires_capture"},
		"captureDeclinedOnce": {402, "card_declined", "requires_capture"},
		"captureExpired":      {400, "charge_expired_for_capture", "canceled"},
		"captureTimeout":      {200, "", "processing"},
		"captureUnknown":      {200, "", "processing"},
	} {
		t.Run(token, func(t *testing.T) {
			s := capstantest.Run(t, inMemory)
			c := newClient(t, s)
			s.Control(t, "PATCH", "/_sandbox/settings", map[string]any{"settings": map[string]any{"intents.processor_patience_ms": 10}}, nil)
			a := c.do(http.MethodPost, "/v1/payment_intents", strings.Replace(aHold, "visa", token, 1), "")
			got := c.capture(a.ID, "", "k")
			if got.status != want.status || got.Error.Code != want.code || c.get(a.ID).Status != want.then {
				t.Fatalf("%d %s", got.status, got.body)
			}
			switch token {
			case "captureDeclined":
				if again := c.capture(a.ID, "", ""); again.Error.Code != "card_declined" {
					t.Errorf("%d %s", again.status, again.body)
				}
			case "captureDeclinedOnce":
				if again := c.capture(a.ID, "", ""); again.Status != "succeeded" {
					t.Errorf("%d %s", again.status, again.body)
				}
			case "captureUnknown":
				s.Advance(t, 2*time.Second)
				if again := c.capture(a.ID, "", "k"); again.Status != "succeeded" || again.header.Get("Idempotent-Replayed") != "true" {
					t.Errorf("%d %s", again.status, again.body)
				}
			case "captureTimeout":
				s.Advance(t, 2*time.Second)
				if again := c.capture(a.ID, "", "k"); again.Status != "processing" || again.header.Get("Idempotent-Replayed") != "" {
					t.Errorf("%d %s", again.status, again.body)
				}
			}
		})
	}
}

// 4000002500003155 asks its payer until it was set up for a customer, and then
// not any more: at once, later, and when he is not there.
func TestCardUntilSetUp(t *testing.T) {
	c := newClient(t, capstantest.Run(t, inMemory))
	customer := c.do(http.MethodPost, "/v1/customers", "", "").ID
	const pay = "amount=100&currency=usd&confirm=true&return_url=https://shop.test/&customer="
	first := c.do(http.MethodPost, "/v1/payment_intents", pay+customer+"&setup_future_usage=off_session&payment_method=pm_card_authenticationRequiredOnSetup", "")
	method := "&payment_method=" + text(first.Method)
	if a := c.do(http.MethodPost, "/v1/payment_intents", pay+customer+method, ""); first.Status != "requires_action" || a.status == http.StatusOK && a.Status != "requires_action" {
		t.Fatalf("%s %s", first.body, a.body)
	}
	if c.challenge(first, "approve"); c.get(first.ID).Status != "succeeded" {
		t.Fatalf("%s", c.get(first.ID).body)
	}
	for _, more := range []string{"", "&off_session=true", "&error_on_requires_action=true"} {
		if a := c.do(http.MethodPost, "/v1/payment_intents", pay+customer+method+more, ""); a.Status != "succeeded" {
			t.Errorf("%q: %d %s", more, a.status, a.body)
		}
	}
	later := c.do(http.MethodPost, "/v1/payment_intents", "amount=100&currency=usd&customer="+customer, "")
	if a := c.do(http.MethodPost, "/v1/payment_intents/"+later.ID+"/confirm", method[1:], ""); a.Status != "succeeded" {
		t.Errorf("%d %s", a.status, a.body)
	}
	c.do(http.MethodPost, "/v1/payment_methods/"+text(first.Method)+"/detach", "", "")
	c.do(http.MethodPost, "/v1/payment_methods/"+text(first.Method)+"/attach", "customer="+customer, "")
	if a := c.do(http.MethodPost, "/v1/payment_intents", pay+customer+method, ""); a.Status != "requires_action" {
		t.Errorf("after it was detached: %d %s", a.status, a.body)
	}
}
