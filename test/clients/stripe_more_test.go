package clients_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/stripe/stripe-go/v86"
	"github.com/stripe/stripe-go/v86/webhook"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/clock"
)

// Refunds: a part, the rest, and one too many.
func TestStripeRefund(t *testing.T) {
	s, c := newStripe(t)
	p := hold(t, c, "pm_card_visa")
	if _, err := c.V1PaymentIntents.Capture(t.Context(), p.ID, nil); err != nil {
		t.Fatal(err)
	}
	r, err := c.V1Refunds.Create(t.Context(), &stripe.RefundCreateParams{
		PaymentIntent: stripe.String(p.ID), Amount: stripe.Int64(4000), Reason: stripe.String("requested_by_customer"), Metadata: map[string]string{"why": "broken"},
	})
	if err != nil || r.Status != stripe.RefundStatusSucceeded || r.Amount != 4000 || r.Metadata["why"] != "broken" || r.PaymentIntent.ID != p.ID {
		t.Fatalf("%+v, %v", r, err)
	}
	if r, err = c.V1Refunds.Create(t.Context(), &stripe.RefundCreateParams{Charge: stripe.String(r.Charge.ID)}); err != nil || r.Amount != 6000 {
		t.Fatalf("%+v, %v", r, err)
	}
	_, err = c.V1Refunds.Create(t.Context(), &stripe.RefundCreateParams{PaymentIntent: stripe.String(p.ID)})
	if e := stripeError(t, err); e.Code != stripe.ErrorCodeChargeAlreadyRefunded || e.Type != stripe.ErrorTypeInvalidRequest {
		t.Errorf("%+v", e)
	}
	count := 0
	for _, err := range c.V1Refunds.List(t.Context(), &stripe.RefundListParams{PaymentIntent: stripe.String(p.ID)}).All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		count++
	}
	if got := s.Balances(t, "USD"); count != 2 || got["merchant"] != 0 {
		t.Errorf("%d refunds, books %v", count, got)
	}
}

// The SDK walks lists and searches by itself, page after page.
func TestStripePages(t *testing.T) {
	_, c := newStripe(t)
	var want []string
	for i := range 7 {
		p, err := c.V1PaymentIntents.Create(t.Context(), &stripe.PaymentIntentCreateParams{
			Amount: stripe.Int64(int64(100 + i)), Currency: stripe.String("usd"), Metadata: map[string]string{"half": fmt.Sprint(i % 2)},
		})
		if err != nil {
			t.Fatal(err)
		}
		want = append([]string{p.ID}, want...)
	}
	list := &stripe.PaymentIntentListParams{}
	list.Limit = stripe.Int64(3)
	var got []string
	for p, err := range c.V1PaymentIntents.List(t.Context(), list).All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, p.ID)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("listed %v, want %v", got, want)
	}
	search := &stripe.PaymentIntentSearchParams{}
	search.Query, search.Limit = "metadata['half']:'1' AND amount>100", stripe.Int64(2)
	got = nil
	for p, err := range c.V1PaymentIntents.Search(t.Context(), search).All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, p.ID)
	}
	if want := []string{want[1], want[3], want[5]}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("found %v, want %v", got, want)
	}
}

// A capture whose answer is lost on the way is sent again by the SDK under its
// own key, and happens once.
func TestStripeRetriesALostAnswer(t *testing.T) {
	s, c := newStripe(t)
	p := hold(t, c, "pm_card_visa")
	var keys struct {
		Secret string `json:"secret_key"`
	}
	if err := json.Unmarshal(s.Credentials.Intents, &keys); err != nil {
		t.Fatal(err)
	}
	l := newLeaky(t, s.URL, "/capture")
	got, err := stripeWith(l.URL, keys.Secret).V1PaymentIntents.Capture(t.Context(), p.ID, &stripe.PaymentIntentCaptureParams{AmountToCapture: stripe.Int64(2500)})
	if err != nil || got.AmountReceived != 2500 || got.LastResponse.Header.Get("Idempotent-Replayed") != "true" || l.asked.Load() != 2 {
		t.Fatalf("%+v, %v after %d requests", got, err, l.asked.Load())
	}
	if got := s.Balances(t, "USD"); got["merchant"] != 2500 || got["held"] != 0 {
		t.Errorf("books: %v", got)
	}
}

// What an endpoint gets passes the SDK's own verifier, and nothing else does.
func TestStripeWebhooks(t *testing.T) {
	s := capstantest.Run(t, capstantest.At(clock.System{}))
	sink := capstantest.NewSink(t)
	var keys struct {
		Secret string `json:"secret_key"`
	}
	if err := json.Unmarshal(s.Credentials.Intents, &keys); err != nil {
		t.Fatal(err)
	}
	c := stripeWith(s.URL, keys.Secret)
	endpoint, err := c.V1WebhookEndpoints.Create(t.Context(), &stripe.WebhookEndpointCreateParams{
		URL: stripe.String(sink.URL + "/hook"), EnabledEvents: []*string{stripe.String("payment_intent.succeeded"), stripe.String("charge.captured")},
	})
	if err != nil || endpoint.Secret == "" {
		t.Fatalf("%+v, %v", endpoint, err)
	}
	p := hold(t, c, "pm_card_visa")
	if _, err := c.V1PaymentIntents.Capture(t.Context(), p.ID, &stripe.PaymentIntentCaptureParams{AmountToCapture: stripe.Int64(9000)}); err != nil {
		t.Fatal(err)
	}
	types := map[stripe.EventType]bool{}
	for _, m := range sink.Wait(t, 2) {
		event, err := webhook.ConstructEvent(m.Body, m.Header.Get("Stripe-Signature"), endpoint.Secret)
		if err != nil {
			t.Fatal(err)
		}
		types[event.Type] = true
		if event.Type == stripe.EventTypePaymentIntentSucceeded {
			var got stripe.PaymentIntent
			if err := json.Unmarshal(event.Data.Raw, &got); err != nil || got.ID != p.ID || got.AmountReceived != 9000 {
				t.Errorf("%+v, %v", got, err)
			}
		}
		if _, err := webhook.ConstructEvent(append([]byte{' '}, m.Body...), m.Header.Get("Stripe-Signature"), endpoint.Secret); err == nil {
			t.Error("a body that was changed passes")
		}
		if _, err := webhook.ConstructEvent(m.Body, m.Header.Get("Stripe-Signature"), "whsec_other"); err == nil {
			t.Error("another secret passes")
		}
		kept, err := c.V1Events.Retrieve(t.Context(), event.ID, nil)
		if err != nil || kept.Type != event.Type || kept.Created != event.Created {
			t.Errorf("%+v, %v", kept, err)
		}
	}
	if !types[stripe.EventTypePaymentIntentSucceeded] || !types[stripe.EventTypeChargeCaptured] {
		t.Errorf("told of %v", types)
	}
	if got, err := c.V1WebhookEndpoints.Delete(t.Context(), endpoint.ID, nil); err != nil || !got.Deleted {
		t.Errorf("%+v, %v", got, err)
	}
}

// A customer with a stored card pays without being there.
func TestStripeCustomer(t *testing.T) {
	_, c := newStripe(t)
	customer, err := c.V1Customers.Create(t.Context(), &stripe.CustomerCreateParams{Email: stripe.String("jo@example.com"), Name: stripe.String("Jo Park")})
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.V1PaymentMethods.Attach(t.Context(), "pm_card_mastercard", &stripe.PaymentMethodAttachParams{Customer: stripe.String(customer.ID)})
	if err != nil || m.Customer.ID != customer.ID {
		t.Fatalf("%+v, %v", m, err)
	}
	p, err := c.V1PaymentIntents.Create(t.Context(), &stripe.PaymentIntentCreateParams{
		Amount: stripe.Int64(100), Currency: stripe.String("usd"), Customer: stripe.String(customer.ID), PaymentMethod: stripe.String(m.ID),
		Confirm: stripe.Bool(true), OffSession: stripe.Bool(true),
	})
	if err != nil || p.Status != stripe.PaymentIntentStatusSucceeded || p.Customer.ID != customer.ID || p.PaymentMethod.ID != m.ID {
		t.Fatalf("%+v, %v", p, err)
	}
	list := &stripe.PaymentMethodListParams{Customer: stripe.String(customer.ID), Type: stripe.String("card")}
	count := 0
	for got, err := range c.V1PaymentMethods.List(t.Context(), list).All(t.Context()) {
		if err != nil || got.ID != m.ID || got.Card.Last4 != "4444" {
			t.Fatalf("%+v, %v", got, err)
		}
		count++
	}
	if count != 1 {
		t.Errorf("%d methods", count)
	}
	if got, err := c.V1Customers.Delete(t.Context(), customer.ID, nil); err != nil || !got.Deleted {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = c.V1Customers.Retrieve(t.Context(), customer.ID, nil)
	if e := stripeError(t, err); e.HTTPStatusCode != http.StatusNotFound {
		t.Errorf("%+v", e)
	}
}
