package intents_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/capstan-pay/capstan"
	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/store/faulty"
	"github.com/capstan-pay/capstan/store/memory"
)

// ask is one request of a row.
type ask struct{ method, path, body string }

// row is a row of the table of section 3, with the request that leads to it.
// In texts {id} is the intent, {charge} its charge.
type row struct {
	name    string
	ask     func(s *capstantest.Server, c *client) (of answer, a ask)
	status  int
	code    string
	param   string
	message string // what the text begins with
	kept    bool   // it is the final answer under the key
	intent  string // the status of the intent in the envelope; empty for none
	kind    string // "" is invalid_request_error
	decline string
}

// plainly asks without preparing anything.
func plainly(method, path, body string) func(*capstantest.Server, *client) (answer, ask) {
	return func(*capstantest.Server, *client) (answer, ask) { return answer{}, ask{method, path, body} }
}

// about asks for something of an intent that create makes, after before was
// done to it.
func about(create string, before func(*capstantest.Server, *client, string), path, body string) func(*capstantest.Server, *client) (answer, ask) {
	return func(s *capstantest.Server, c *client) (answer, ask) {
		c.t.Helper()
		a := c.do(http.MethodPost, "/v1/payment_intents", create, "")
		if a.Error.Intent != nil {
			a.intent = *a.Error.Intent
		}
		if a.ID == "" {
			c.t.Fatalf("%d %s", a.status, a.body)
		}
		if before != nil {
			before(s, c, a.ID)
			a.intent = c.get(a.ID).intent
		}
		fill := strings.NewReplacer("{id}", a.ID, "{charge}", text(a.Charge))
		return a, ask{http.MethodPost, fill.Replace(path), fill.Replace(body)}
	}
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

const (
	aHold       = "amount=10000&currency=usd&capture_method=manual&confirm=true&payment_method=pm_card_visa"
	paid        = "amount=10000&currency=usd&confirm=true&payment_method=pm_card_visa"
	bare        = "amount=10000&currency=usd"
	atIntents   = "/v1/payment_intents"
	capture     = atIntents + "/{id}/capture"
	refunds     = "/v1/refunds"
	tooLittle   = "This value must be greater than or equal to 1."
	notPossible = "This PaymentIntent could not be captured because it has "
)

func captured(amount string) func(*capstantest.Server, *client, string) {
	return func(_ *capstantest.Server, c *client, id string) { c.capture(id, "amount_to_capture="+amount, "") }
}

// rows are those of section 3 that one request leads to, in its order.
var rows = []row{
	{name: "required parameter missing", ask: plainly("POST", atIntents, "currency=usd"), status: 400, code: "parameter_missing", param: "amount", message: "Missing required param: amount."},
	{name: "unknown parameter", ask: plainly("POST", atIntents, bare+"&x=1"), status: 400, code: "parameter_unknown", param: "x", message: "Received unknown parameter: x"},
	{name: "not an integer", ask: plainly("POST", atIntents, "amount=ten&currency=usd"), status: 400, code: "parameter_invalid_integer", param: "amount", message: "Invalid integer: ten"},
	{name: "create with amount below 1", ask: plainly("POST", atIntents, "amount=0&currency=usd"), status: 400, code: "parameter_invalid_integer", param: "amount", message: tooLittle},
	{name: "amount over 99999999", ask: plainly("POST", atIntents, "amount=100000000&currency=usd"), status: 400, code: "amount_too_large", param: "amount", message: "Amount must be no more than $999,999.99"},
	{name: "bad enum", ask: plainly("POST", atIntents, bare+"&capture_method=later"), status: 400, param: "capture_method", message: "Invalid capture_method: must be one of automatic, automatic_async, or manual"},
	{name: "unsupported currency", ask: plainly("POST", atIntents, "amount=5&currency=zzz"), status: 400, param: "currency", message: "Invalid currency: zzz. "},
	{name: "metadata over 50 keys", ask: plainly("POST", atIntents, bare+manyKeys()), status: 400, param: "metadata", message: "Metadata can have up to 50 keys."},
	{name: "metadata key over 40", ask: plainly("POST", atIntents, bare+"&metadata["+strings.Repeat("k", 41)+"]=v"), status: 400, param: "metadata", message: "Metadata keys"},
	{name: "metadata value over 500", ask: plainly("POST", atIntents, bare+"&metadata[k]="+strings.Repeat("v", 501)), status: 400, param: "metadata", message: "Metadata values"},
	{name: "intent not found", ask: plainly("POST", atIntents+"/pi_x/capture", ""), status: 404, code: "resource_missing", param: "intent", message: "No such payment_intent: 'pi_x'", kept: true},
	{name: "charge not found", ask: plainly("GET", "/v1/charges/ch_x", ""), status: 404, code: "resource_missing", param: "charge", message: "No such charge: 'ch_x'"},
	{name: "refund not found", ask: plainly("GET", refunds+"/re_x", ""), status: 404, code: "resource_missing", param: "refund", message: "No such refund: 're_x'"},
	{name: "payment method not found", ask: plainly("GET", "/v1/payment_methods/pm_x", ""), status: 404, code: "resource_missing", param: "payment_method", message: "No such PaymentMethod: 'pm_x'"},
	{name: "webhook endpoint not found", ask: plainly("GET", "/v1/webhook_endpoints/we_x", ""), status: 404, code: "resource_missing", param: "webhook_endpoint", message: "No such webhook endpoint: 'we_x'"},
	{name: "event not found", ask: plainly("GET", "/v1/events/evt_x", ""), status: 404, code: "resource_missing", param: "id", message: "No such event: 'evt_x'"},
	{name: "customer in a parameter not found", ask: plainly("POST", atIntents, bare+"&customer=cus_x"), status: 400, code: "resource_missing", param: "customer", message: "No such customer: 'cus_x'", kept: true},
	{name: "payment method in a parameter not found", ask: plainly("POST", atIntents, bare+"&payment_method=pm_x"), status: 400, code: "resource_missing", param: "payment_method", message: "No such PaymentMethod: 'pm_x'", kept: true},
	{name: "charge in a parameter not found", ask: plainly("POST", refunds, "charge=ch_x"), status: 400, code: "resource_missing", param: "charge", message: "No such charge: 'ch_x'", kept: true},
	{name: "capture in another state", ask: about(bare, nil, capture, ""), status: 400, code: "payment_intent_unexpected_state", message: notPossible + "a status of requires_payment_method. Only a PaymentIntent with one of the following statuses may be captured: requires_capture.", kept: true, intent: "requires_payment_method"},
	{name: "capture, fully captured before", ask: about(aHold, captured("10000"), capture, ""), status: 400, code: "payment_intent_unexpected_state", message: notPossible + "already been captured.", kept: true, intent: "succeeded"},
	{name: "capture, partly captured and released before", ask: about(aHold, captured("1"), capture, ""), status: 400, code: "payment_intent_unexpected_state", message: "The remaining amount on this PaymentIntent could not be captured because the remainder of the authorized amount has been released.", kept: true, intent: "succeeded"},
	{name: "capture more than capturable", ask: about(aHold, nil, capture, "amount_to_capture=10001"), status: 400, code: "amount_too_large", message: "The payment could not be captured because the requested capture amount is greater than the amount you can capture for this charge.", kept: true, intent: "requires_capture"},
	{name: "capture 0", ask: about(aHold, nil, capture, "amount_to_capture=0"), status: 400, code: "parameter_invalid_integer", param: "amount", message: tooLittle, kept: true, intent: "requires_capture"},
	{name: "capture negative", ask: about(aHold, nil, capture, "amount_to_capture=-1"), status: 400, param: "amount_to_capture", message: "Invalid non-negative integer", kept: true, intent: "requires_capture"},
	{name: "final_capture=false, not available", ask: about(aHold, nil, capture, "amount_to_capture=1&final_capture=false"), status: 400, param: "final_capture", kept: true, intent: "requires_capture"},
	{name: "cancel, wrong state", ask: about(paid, nil, atIntents+"/{id}/cancel", ""), status: 400, code: "payment_intent_unexpected_state", message: "You cannot cancel this PaymentIntent because it has a status of succeeded. Only a PaymentIntent with one of the following statuses may be canceled: requires_payment_method, requires_capture, requires_confirmation, requires_action, processing.", kept: true, intent: "succeeded"},
	{name: "confirm after success", ask: about(paid, nil, atIntents+"/{id}/confirm", ""), status: 400, code: "payment_intent_unexpected_state", message: "You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed.", kept: true, intent: "succeeded"},
	{name: "confirm, no payment method", ask: about(bare, nil, atIntents+"/{id}/confirm", ""), status: 400, code: "payment_intent_unexpected_state", message: "You cannot confirm this PaymentIntent because it's missing a payment method.", kept: true, intent: "requires_payment_method"},
	{name: "amount change after authorization", ask: about(aHold, nil, atIntents+"/{id}", "amount=5"), status: 400, code: "payment_intent_unexpected_state", param: "amount", message: "This PaymentIntent's amount could not be updated because it has a status of requires_capture. You may only update the amount of a PaymentIntent with one of the following statuses: requires_payment_method, requires_confirmation, requires_action.", kept: true, intent: "requires_capture"},
	{name: "expired hold found at the processor", ask: about(strings.Replace(aHold, "visa", "captureExpired", 1), nil, capture, ""), status: 400, code: "charge_expired_for_capture", message: "Charge {charge} cannot be captured because the charge has expired.", kept: true, intent: "canceled"},
	{name: "charge captured twice", ask: about(paid, nil, "/v1/charges/{charge}/capture", ""), status: 400, code: "charge_already_captured", message: "Charge {charge} has already been captured.", kept: true, intent: "succeeded"},
	{name: "charge of an intent captured by itself", ask: about(aHold, nil, "/v1/charges/{charge}/capture", "amount=1"), status: 400, message: "This charge belongs to the PaymentIntent {id}. Capture the PaymentIntent instead.", kept: true, intent: "requires_capture"},
	{name: "charge that is not there captured", ask: plainly("POST", "/v1/charges/ch_x/capture", ""), status: 404, code: "resource_missing", param: "charge", message: "No such charge: 'ch_x'", kept: true},
	{name: "refund, no charge", ask: about(bare, nil, refunds, "payment_intent={id}"), status: 400, message: "This PaymentIntent ({id}) does not have a successful charge to refund.", kept: true, intent: "requires_payment_method"},
	{name: "refund, the latest charge failed", ask: about(strings.Replace(paid, "visa", "chargeDeclined", 1), nil, refunds, "payment_intent={id}"), status: 400, message: "This PaymentIntent ({id}) does not have a successful charge to refund.", kept: true, intent: "requires_payment_method"},
	{name: "refund, all refunded", ask: about(paid, func(_ *capstantest.Server, c *client, id string) { c.refund("payment_intent="+id, "") }, refunds, "charge={charge}"), status: 400, code: "charge_already_refunded", message: "Charge {charge} has already been refunded.", kept: true, intent: "succeeded"},
	{name: "refund amount below 1", ask: about(paid, nil, refunds, "payment_intent={id}&amount=0"), status: 400, code: "parameter_invalid_integer", param: "amount", message: "Invalid positive integer"},
	{name: "refund too much", ask: about("amount=1500&currency=usd&confirm=true&payment_method=pm_card_visa", nil, refunds, "payment_intent={id}&amount=2000"), status: 400, param: "amount", message: "Refund amount ($20.00) is greater than unrefunded amount on charge ($15.00)", kept: true, intent: "succeeded"},
	{name: "partial refund of an uncaptured charge", ask: about(aHold, nil, refunds, "payment_intent={id}&amount=1"), status: 400, param: "amount", message: "You cannot partially refund an uncaptured charge. Instead, capture the charge for an amount less than the original amount", kept: true, intent: "requires_capture"},
	{name: "refund of nothing", ask: plainly("POST", refunds, "amount=5"), status: 400, code: "parameter_missing", param: "payment_intent"},
	{name: "decline", ask: plainly("POST", atIntents, strings.Replace(paid, "visa", "chargeDeclined", 1)), status: 402, code: "card_declined", message: "Your card was declined.", kept: true, intent: "requires_payment_method", kind: "card_error", decline: "generic_decline"},
	{name: "processor refuses the capture", ask: about(strings.Replace(aHold, "visa", "captureDeclined", 1), nil, capture, ""), status: 402, code: "card_declined", message: "Your card was declined.", kept: true, intent: "requires_capture", kind: "card_error", decline: "generic_decline"},
	{name: "off-session, needs 3-D Secure", ask: plainly("POST", atIntents, strings.Replace(paid, "visa", "authenticationRequired", 1)+"&off_session=true"), status: 402, code: "authentication_required", message: "Your card was declined. This transaction requires authentication.", kept: true, intent: "requires_payment_method", kind: "card_error", decline: "authentication_required"},
	{name: "error_on_requires_action", ask: plainly("POST", atIntents, strings.Replace(paid, "visa", "authenticationRequired", 1)+"&error_on_requires_action=true"), status: 402, code: "authentication_required", message: "This payment required an authentication action to complete, but", kept: true, intent: "requires_payment_method", kind: "card_error", decline: "authentication_required"},
	{name: "non-Luhn number", ask: plainly("POST", "/v1/payment_methods", strings.Replace(cardData, "4242424242424242", "4242424242424241", 1)), status: 402, code: "incorrect_number", param: "card[number]", message: "Your card number is incorrect.", kept: true, kind: "card_error"},
	{name: "unknown route", ask: plainly("POST", "/v1/x", ""), status: 404, message: "Unrecognized request URL (POST: /v1/x)."},
	{name: "same object busy for too long", ask: about(strings.Replace(aHold, "visa", "captureTimeout", 1), func(s *capstantest.Server, c *client, id string) {
		s.Control(c.t, "PATCH", "/_sandbox/settings", map[string]any{"settings": map[string]any{"intents.lock_wait_ms": 1, "intents.processor_patience_ms": 1}}, nil)
		c.capture(id, "", "")
	}, atIntents+"/{id}/cancel", ""), status: 429, code: "lock_timeout"},
	{name: "rate limit", ask: func(s *capstantest.Server, c *client) (answer, ask) {
		s.Control(c.t, "PATCH", "/_sandbox/settings", map[string]any{"settings": map[string]any{"throttle.requests_per_second": 1, "throttle.burst": 1}}, nil)
		return answer{}, ask{"GET", atIntents, ""}
	}, status: 429, code: "rate_limit"},
}

func manyKeys() (keys string) {
	for i := range 51 {
		keys += fmt.Sprintf("&metadata[k%d]=v", i)
	}
	return keys
}

// Every row of the table of section 3: status, type, code, parameter and text;
// the intent as it is after the failure; and whether a repeat under the key is
// told the same again.
func TestErrorTable(t *testing.T) {
	for _, test := range rows {
		t.Run(test.name, func(t *testing.T) {
			s := capstantest.Run(t, inMemory)
			c := newClient(t, s)
			of, it := test.ask(s, c)
			a := c.do(it.method, it.path, it.body, "key")
			if test.code == "rate_limit" {
				a = c.do(it.method, it.path, it.body, "key") // one passes
			}
			kind := test.kind
			if kind == "" {
				kind = "invalid_request_error"
			}
			message := strings.NewReplacer("{id}", of.ID, "{charge}", text(of.Charge)).Replace(test.message)
			e := a.Error
			if a.status != test.status || e.Type != kind || e.Code != test.code || e.Param != test.param || e.Decline != test.decline || !strings.HasPrefix(e.Message, message) {
				t.Fatalf("%s %s: %d %s", it.method, it.path, a.status, a.body)
			}
			if (e.Intent != nil) != (test.intent != "") || e.Intent != nil && e.Intent.Status != test.intent {
				t.Errorf("the intent is not %q: %s", test.intent, a.body)
			}
			if test.code != "" && !strings.Contains(a.body, `"doc_url": "https://stripe.com/docs/error-codes/`+strings.ReplaceAll(test.code, "_", "-")+`"`) {
				t.Errorf("without its page: %s", a.body)
			}
			retry := "false"
			if test.status == http.StatusTooManyRequests {
				retry = "true"
			}
			if got := a.header.Get("Stripe-Should-Retry"); got != retry {
				t.Errorf("Stripe-Should-Retry is %q", got)
			}
			if it.method != http.MethodPost {
				return
			}
			again := c.do(it.method, it.path, it.body, "key")
			if kept := again.header.Get("Idempotent-Replayed") == "true"; kept != test.kept || kept && again.body != a.body {
				t.Errorf("the answer is kept: %v; %s", kept, again.body)
			}
			if test.kept {
				if other := c.do(http.MethodPost, atIntents, "amount=7&currency=usd", "key"); other.Error.Type != "idempotency_error" {
					t.Errorf("the key takes another request: %s", other.body)
				}
			}
		})
	}
}

// The rows of section 3 that take a fault of ours, or two requests at once.
func TestErrorTableFaults(t *testing.T) {
	t.Run("own fault", func(t *testing.T) {
		var broken atomic.Bool
		s := capstantest.Run(t, capstantest.With(func(c *capstan.Config) {
			c.Store = faulty.New(memory.Open(), func(at faulty.Call) (f faulty.Fault) {
				if broken.Load() && at == faulty.Commit {
					f.Err = errors.New("a cable was pulled")
				}
				return f
			})
		}))
		c := newClient(t, s)
		id := c.hold("")
		broken.Store(true)
		a := c.capture(id, "", "key")
		if a.status != http.StatusInternalServerError || a.Error.Type != "api_error" || strings.Contains(a.body, "cable") || a.header.Get("Stripe-Should-Retry") != "" {
			t.Errorf("%d %v %s", a.status, a.header, a.body)
		}
		broken.Store(false)
		if a := c.capture(id, "", "key"); a.Status != "succeeded" {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	t.Run("key in use", func(t *testing.T) {
		var slow atomic.Bool
		held, release := make(chan struct{}, 100), make(chan struct{})
		s := capstantest.Run(t, capstantest.With(func(c *capstan.Config) {
			c.Store = faulty.New(memory.Open(), func(at faulty.Call) faulty.Fault {
				if slow.Load() && at == faulty.Commit {
					held <- struct{}{}
					<-release
				}
				return faulty.Fault{}
			})
		}))
		c := newClient(t, s)
		id := c.hold("")
		slow.Store(true)
		first := make(chan answer)
		go func() { first <- c.capture(id, "", "key") }()
		<-held
		a := c.capture(id, "", "key")
		slow.Store(false)
		close(release)
		if a.status != http.StatusConflict || a.Error.Type != "idempotency_error" || a.Error.Code != "idempotency_key_in_use" || a.header.Get("Stripe-Should-Retry") != "true" {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a := <-first; a.Status != "succeeded" {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}
