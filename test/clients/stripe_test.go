// Package clients_test drives a Capstan server with the official clients of
// the APIs it speaks, as their users have them.
package clients_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v86"

	"github.com/capstan-pay/capstan/capstantest"
)

// newStripe returns a server and stripe-go pointed at it, as its users do: the
// base URL is all that changes.
func newStripe(t *testing.T) (*capstantest.Server, *stripe.Client) {
	t.Helper()
	s := capstantest.Run(t)
	var keys struct {
		Secret string `json:"secret_key"`
	}
	if err := json.Unmarshal(s.Credentials.Intents, &keys); err != nil {
		t.Fatal(err)
	}
	return s, stripeWith(s.URL, keys.Secret)
}

func stripeWith(url, key string) *stripe.Client {
	return stripe.NewClient(key, stripe.WithBackends(stripe.NewBackendsWithConfig(&stripe.BackendConfig{
		URL: stripe.String(url), LeveledLogger: &stripe.LeveledLogger{Level: stripe.LevelNull},
	})))
}

func hold(t *testing.T, c *stripe.Client, card string) *stripe.PaymentIntent {
	t.Helper()
	p, err := c.V1PaymentIntents.Create(t.Context(), &stripe.PaymentIntentCreateParams{
		Amount: stripe.Int64(10000), Currency: stripe.String("usd"), CaptureMethod: stripe.String("manual"), Confirm: stripe.Bool(true),
		PaymentMethod: stripe.String(card), Metadata: map[string]string{"order": "7"},
	})
	if err != nil || p.Status != stripe.PaymentIntentStatusRequiresCapture {
		t.Fatalf("%+v, %v", p, err)
	}
	return p
}

// stripeError is what stripe-go made of an error reply.
func stripeError(t *testing.T, err error) *stripe.Error {
	t.Helper()
	var e *stripe.Error
	if !errors.As(err, &e) {
		t.Fatalf("%T is no error of the API: %v", err, err)
	}
	if e.RequestID == "" {
		t.Error("the error does not name its exchange")
	}
	return e
}

// The life of a hold, step by step.
func TestStripeSteps(t *testing.T) {
	_, c := newStripe(t)
	p, err := c.V1PaymentIntents.Create(t.Context(), &stripe.PaymentIntentCreateParams{
		Amount: stripe.Int64(10000), Currency: stripe.String("usd"), CaptureMethod: stripe.String("manual"),
		Description: stripe.String("Two \"books\" & a pen"), Metadata: map[string]string{"order": "7"},
		AutomaticPaymentMethods: &stripe.PaymentIntentCreateAutomaticPaymentMethodsParams{Enabled: stripe.Bool(true)},
		Shipping: &stripe.ShippingDetailsParams{
			Name: stripe.String("Jo Park"), Address: &stripe.AddressParams{Line1: stripe.String("Gedimino 1"), Country: stripe.String("LT")},
		},
	})
	if err != nil || p.Status != stripe.PaymentIntentStatusRequiresPaymentMethod || p.Description != "Two \"books\" & a pen" || p.Shipping.Address.Country != "LT" {
		t.Fatalf("create: %+v, %v", p, err)
	}
	if p, err = c.V1PaymentIntents.Confirm(t.Context(), p.ID, &stripe.PaymentIntentConfirmParams{PaymentMethod: stripe.String("pm_card_visa")}); err != nil ||
		p.Status != stripe.PaymentIntentStatusRequiresCapture || p.AmountCapturable != 10000 {
		t.Fatalf("confirm: %+v, %v", p, err)
	}
	params := &stripe.PaymentIntentCaptureParams{AmountToCapture: stripe.Int64(8000), Metadata: map[string]string{"invoice": "9"}}
	params.AddExpand("latest_charge.refunds")
	params.AddExpand("payment_method")
	if p, err = c.V1PaymentIntents.Capture(t.Context(), p.ID, params); err != nil || p.Status != stripe.PaymentIntentStatusSucceeded ||
		p.AmountReceived != 8000 || p.Amount != 10000 || p.Metadata["order"] != "7" || p.Metadata["invoice"] != "9" {
		t.Fatalf("capture: %+v, %v", p, err)
	}
	charge := p.LatestCharge
	if !charge.Captured || charge.AmountCaptured != 8000 || charge.AmountRefunded != 2000 || charge.Refunded || charge.Outcome.SellerMessage != "Payment complete." ||
		len(charge.Refunds.Data) != 1 || charge.Refunds.Data[0].Amount != 2000 || charge.PaymentMethodDetails.Card.Last4 != "4242" || charge.BalanceTransaction == nil {
		t.Errorf("charge: %+v", charge)
	}
	if p.PaymentMethod.Card.Brand != stripe.PaymentMethodCardBrandVisa {
		t.Errorf("method: %+v", p.PaymentMethod)
	}
	again, err := c.V1PaymentIntents.Retrieve(t.Context(), p.ID, nil)
	if err != nil || again.Status != stripe.PaymentIntentStatusSucceeded || again.LatestCharge.ID != charge.ID || again.AmountReceived != 8000 {
		t.Errorf("retrieve: %+v, %v", again, err)
	}
	got, err := c.V1Charges.Retrieve(t.Context(), charge.ID, nil)
	if err != nil || got.PaymentIntent.ID != p.ID || got.Status != stripe.ChargeStatusSucceeded {
		t.Errorf("charge: %+v, %v", got, err)
	}
	refund, err := c.V1Refunds.Retrieve(t.Context(), charge.Refunds.Data[0].ID, nil)
	if err != nil || refund.Amount != 2000 || refund.Charge.ID != charge.ID {
		t.Errorf("refund: %+v, %v", refund, err)
	}
}

// The same key twice is one capture, and the second answer says so.
func TestStripeIdempotency(t *testing.T) {
	s, c := newStripe(t)
	p := hold(t, c, "pm_card_visa")
	capture := func(amount int64) (*stripe.PaymentIntent, error) {
		params := &stripe.PaymentIntentCaptureParams{AmountToCapture: stripe.Int64(amount)}
		params.SetIdempotencyKey("one")
		return c.V1PaymentIntents.Capture(t.Context(), p.ID, params)
	}
	first, err := capture(4000)
	if err != nil {
		t.Fatal(err)
	}
	second, err := capture(4000)
	if err != nil || string(first.LastResponse.RawJSON) != string(second.LastResponse.RawJSON) {
		t.Fatalf("%+v, %v", second, err)
	}
	if h := second.LastResponse.Header; h.Get("Idempotent-Replayed") != "true" || h.Get("Original-Request") != first.LastResponse.RequestID {
		t.Errorf("headers: %v", h)
	}
	_, err = capture(4001)
	if e := stripeError(t, err); e.Type != stripe.ErrorTypeIdempotency || e.HTTPStatusCode != 400 {
		t.Errorf("%+v", e)
	}
	if got := s.Balances(t, "USD"); got["merchant"] != 4000 || got["held"] != 0 {
		t.Errorf("books: %v", got)
	}
}

// What stripe-go's users switch on: type, status, code, and what came along.
func TestStripeErrors(t *testing.T) {
	s, c := newStripe(t)
	p := hold(t, c, "pm_card_visa")
	refused := hold(t, c, "pm_card_captureDeclined")
	create := func(card string) error {
		_, err := c.V1PaymentIntents.Create(t.Context(), &stripe.PaymentIntentCreateParams{
			Amount: stripe.Int64(100), Currency: stripe.String("usd"), Confirm: stripe.Bool(true), PaymentMethod: stripe.String(card),
		})
		return err
	}
	capture := func(id string, amount int64) error {
		_, err := c.V1PaymentIntents.Capture(t.Context(), id, &stripe.PaymentIntentCaptureParams{AmountToCapture: stripe.Int64(amount)})
		return err
	}
	for _, test := range []struct {
		name    string
		err     error
		kind    stripe.ErrorType
		status  int
		code    stripe.ErrorCode
		decline stripe.DeclineCode
		intent  stripe.PaymentIntentStatus
	}{
		{"a decline", create("pm_card_visa_chargeDeclinedInsufficientFunds"), stripe.ErrorTypeCard, 402, stripe.ErrorCodeCardDeclined, stripe.DeclineCodeInsufficientFunds, stripe.PaymentIntentStatusRequiresPaymentMethod},
		{"an expired card", create("pm_card_chargeDeclinedExpiredCard"), stripe.ErrorTypeCard, 402, stripe.ErrorCodeExpiredCard, "expired_card", stripe.PaymentIntentStatusRequiresPaymentMethod},
		{"a capture that is refused", capture(refused.ID, 5), stripe.ErrorTypeCard, 402, stripe.ErrorCodeCardDeclined, stripe.DeclineCodeGenericDecline, stripe.PaymentIntentStatusRequiresCapture},
		{"too much", capture(p.ID, 10001), stripe.ErrorTypeInvalidRequest, 400, stripe.ErrorCodeAmountTooLarge, "", stripe.PaymentIntentStatusRequiresCapture},
		{"nothing", capture(p.ID, 0), stripe.ErrorTypeInvalidRequest, 400, stripe.ErrorCodeParameterInvalidInteger, "", stripe.PaymentIntentStatusRequiresCapture},
		{"an unknown intent", capture("pi_x", 1), stripe.ErrorTypeInvalidRequest, 404, stripe.ErrorCodeResourceMissing, "", ""},
		{"an unknown method", create("pm_x"), stripe.ErrorTypeInvalidRequest, 400, stripe.ErrorCodeResourceMissing, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := stripeError(t, test.err)
			if e.Type != test.kind || e.HTTPStatusCode != test.status || e.Code != test.code || e.DeclineCode != test.decline {
				t.Errorf("%+v", e)
			}
			if (e.PaymentIntent != nil) != (test.intent != "") || test.intent != "" && e.PaymentIntent.Status != test.intent {
				t.Errorf("the intent is %+v", e.PaymentIntent)
			}
			if test.kind == stripe.ErrorTypeCard && e.ChargeID == "" {
				t.Error("the charge is not named")
			}
		})
	}
	_, err := stripeWith(s.URL, "sk_test_nobodys0123456789").V1PaymentIntents.Retrieve(t.Context(), p.ID, nil)
	if e := stripeError(t, err); e.HTTPStatusCode != 401 {
		t.Errorf("a strange key: %+v", e)
	}
}

// Several captures of one hold, and a cancellation.
func TestStripeMulticaptureAndCancel(t *testing.T) {
	_, c := newStripe(t)
	p, err := c.V1PaymentIntents.Create(t.Context(), &stripe.PaymentIntentCreateParams{
		Amount: stripe.Int64(10000), Currency: stripe.String("usd"), CaptureMethod: stripe.String("manual"), Confirm: stripe.Bool(true),
		PaymentMethod: stripe.String("pm_card_mastercard"),
		PaymentMethodOptions: &stripe.PaymentIntentCreatePaymentMethodOptionsParams{
			Card: &stripe.PaymentIntentCreatePaymentMethodOptionsCardParams{RequestMulticapture: stripe.String("if_available")},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		amount, left, received int64
		final                  bool
		status                 stripe.PaymentIntentStatus
	}{{2000, 8000, 2000, false, stripe.PaymentIntentStatusRequiresCapture}, {5000, 0, 7000, true, stripe.PaymentIntentStatusSucceeded}} {
		p, err = c.V1PaymentIntents.Capture(t.Context(), p.ID, &stripe.PaymentIntentCaptureParams{AmountToCapture: stripe.Int64(want.amount), FinalCapture: stripe.Bool(want.final)})
		if err != nil || p.Status != want.status || p.AmountCapturable != want.left || p.AmountReceived != want.received {
			t.Fatalf("capture %d: %+v, %v", i, p, err)
		}
	}
	other := hold(t, c, "pm_card_visa")
	canceled, err := c.V1PaymentIntents.Cancel(t.Context(), other.ID, &stripe.PaymentIntentCancelParams{CancellationReason: stripe.String("requested_by_customer")})
	if err != nil || canceled.Status != stripe.PaymentIntentStatusCanceled || canceled.CancellationReason != stripe.PaymentIntentCancellationReasonRequestedByCustomer || canceled.CanceledAt == 0 {
		t.Errorf("%+v, %v", canceled, err)
	}
}

// An intent that another capture waits for is locked: stripe-go comes back by
// itself, and finds what the processor said meanwhile.
func TestStripeWaitsForTheLock(t *testing.T) {
	s, c := newStripe(t)
	s.Control(t, "PATCH", "/_sandbox/settings", map[string]any{"settings": map[string]any{"intents.processor_patience_ms": 10, "intents.lock_wait_ms": 1}}, nil)
	p := hold(t, c, "pm_card_captureUnknown")
	p, err := c.V1PaymentIntents.Capture(t.Context(), p.ID, nil)
	if err != nil || p.Status != stripe.PaymentIntentStatusProcessing {
		t.Fatalf("%+v, %v", p, err)
	}
	go func() {
		time.Sleep(50 * time.Millisecond) // while the client pauses before its second try
		_ = s.AdvanceClock(t.Context(), 2*time.Second)
	}()
	_, err = c.V1PaymentIntents.Cancel(t.Context(), p.ID, nil)
	if e := stripeError(t, err); e.HTTPStatusCode != 400 || e.Code != stripe.ErrorCodePaymentIntentUnexpectedState || e.PaymentIntent.Status != stripe.PaymentIntentStatusSucceeded {
		t.Errorf("%+v", e)
	}
}

// The client is sent to the challenge page and learns where from.
func TestStripeChallenge(t *testing.T) {
	_, c := newStripe(t)
	p, err := c.V1PaymentIntents.Create(t.Context(), &stripe.PaymentIntentCreateParams{
		Amount: stripe.Int64(100), Currency: stripe.String("usd"), Confirm: stripe.Bool(true), PaymentMethod: stripe.String("pm_card_threeDSecure2Required"),
		ReturnURL: stripe.String("https://shop.test/back"),
	})
	if err != nil || p.Status != stripe.PaymentIntentStatusRequiresAction || p.NextAction.Type != stripe.PaymentIntentNextActionTypeRedirectToURL ||
		p.NextAction.RedirectToURL.ReturnURL != "https://shop.test/back" || p.NextAction.RedirectToURL.URL == "" {
		t.Errorf("%+v, %v", p, err)
	}
}
