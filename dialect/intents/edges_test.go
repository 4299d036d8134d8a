package intents_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
)

// A refund of a hold of which nobody knows what was captured waits for that, as
// captures and cancellations do (section 3), and uses no key up.
func TestRefundWhileCaptureIsUnknown(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s)
	s.Control(t, "PATCH", "/_sandbox/settings", map[string]any{"settings": map[string]any{"intents.lock_wait_ms": 20, "intents.processor_patience_ms": 1}}, nil)
	for _, body := range []string{"", "&amount=100"} {
		a := c.do(http.MethodPost, "/v1/payment_intents", strings.Replace(aHold, "visa", "captureUnknown", 1), "")
		if got := c.capture(a.ID, "amount_to_capture=700", ""); got.Status != "processing" {
			t.Fatalf("%d %s", got.status, got.body)
		}
		key := "key" + body
		refund := c.do(http.MethodPost, "/v1/refunds", "payment_intent="+a.ID+body, key)
		if refund.status != http.StatusTooManyRequests || refund.Error.Code != "lock_timeout" || refund.header.Get("Stripe-Should-Retry") != "true" {
			t.Errorf("%d %s", refund.status, refund.body)
		}
		s.Advance(t, 2*time.Second)
		if p := c.get(a.ID); p.Status != "succeeded" {
			t.Fatalf("%s", p.body)
		}
		if refund = c.do(http.MethodPost, "/v1/refunds", "payment_intent="+a.ID+body, key); refund.status != http.StatusOK {
			t.Errorf("%d %s", refund.status, refund.body)
		}
	}
}

// A publishable key is in everybody's hands: it sees no answer of the secret
// key, and uses up none of its idempotency keys.
func TestKeysOfPublishableKeys(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s)
	public := &client{t: t, url: s.URL, key: keysOf(s).Publishable}
	a := c.do(http.MethodPost, "/v1/payment_intents", bare+"&payment_method=pm_card_visa&metadata[secret]=yes", "")
	secret := a.body[strings.Index(a.body, a.ID+"_secret_"):]
	body := "client_secret=" + secret[:strings.Index(secret, `"`)]
	if got := c.do(http.MethodPost, "/v1/payment_intents/"+a.ID+"/confirm", body, "order"); got.Status != "succeeded" {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if got := public.do(http.MethodPost, "/v1/payment_intents/"+a.ID+"/confirm", body, "order"); strings.Contains(got.body, "metadata") || got.header.Get("Idempotent-Replayed") != "" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := public.do(http.MethodPost, "/v1/payment_methods", storedCard, "order-8"); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if got := c.do(http.MethodPost, "/v1/payment_intents", bare, "order-8"); got.status != http.StatusOK {
		t.Errorf("the key is used up: %d %s", got.status, got.body)
	}
}

// A card number that is sent where none belongs gets into no error text, and
// not into the database.
func TestCardNumbersElsewhere(t *testing.T) {
	s := capstantest.Run(t)
	c := newClient(t, s)
	const number, grouped = "4929907390318794", "4929-9073-9031-8794"
	const card = "&payment_method_data[type]=card&payment_method_data[card][exp_month]=12&payment_method_data[card][exp_year]=2030&payment_method_data[card][number]=" + number
	var said strings.Builder
	for i, ask := range []struct{ path, body string }{
		{"payment_intents/" + number + "/capture", ""},
		{"payment_intents/" + number, "description=x"},
		{"payment_intents", bare + "&payment_method=" + number},
		{"payment_intents", bare + "&payment_method=" + url.QueryEscape("4929 9073 9031 8794")},
		{"payment_intents", bare + "&customer=" + grouped},
		{"payment_intents", "amount=5&currency=" + number},
		{"payment_intents", bare + "&confirm=" + number},
		{"payment_intents", bare + "&" + number + "=1"},
		{"payment_intents", bare + "&payment_method_types[]=x-" + number},
		{"payment_intents", bare + card + "&description=card+" + number},
		{"payment_intents", bare + card + "&metadata[card]=" + grouped},
		{"payment_intents", bare + card + "&metadata[" + number + "]=x"},
		{"payment_methods", strings.Replace(storedCard, "4242424242424242", number, 1) + "&billing_details[name]=" + number},
		{"customers/" + number, "name=Jo"},
		{"charges/" + number + "/capture", ""},
		{"refunds", "charge=" + number},
		{number, ""},
	} {
		a := c.do(http.MethodPost, "/v1/"+ask.path, ask.body, fmt.Sprint("key", i))
		if a.status < 400 || a.status > 404 {
			t.Errorf("%s %s: %d %s", ask.path, ask.body, a.status, a.body)
		}
		said.WriteString(a.body)
	}
	said.Write(s.Stored(t))
	for _, text := range []string{number, grouped, "4929 9073 9031 8794"} {
		if at := strings.Index(said.String(), text); at >= 0 {
			t.Errorf("%s got out: %q", text, said.String()[max(0, at-80):at+80])
		}
	}
}

// Metadata has a bound, whatever adds to it.
func TestMetadataOfCaptures(t *testing.T) {
	c := newClient(t, capstantest.Run(t, inMemory))
	id := c.hold(manyKeys()[:strings.LastIndex(manyKeys(), "&")] + wishes + "incremental_authorization]=if_available")
	for path, body := range map[string]string{"capture": "", "increment_authorization": "&amount=20000"} {
		a := c.do(http.MethodPost, "/v1/payment_intents/"+id+"/"+path, "metadata[more]=1"+body, path)
		if a.status != http.StatusBadRequest || a.Error.Param != "metadata" || a.Error.Intent == nil || a.Error.Intent.Status != "requires_capture" {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	a := c.capture(id, "metadata[k1]=&metadata[more]=1", "capture")
	if a.Status != "succeeded" || a.Metadata["more"] != "1" || len(a.Metadata) != 50 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// Whoever answers twice gets to where the first answer led; what a return_url
// has in its query is escaped.
func TestChallengeAnsweredTwice(t *testing.T) {
	c := newClient(t, capstantest.Run(t, inMemory))
	for _, test := range []struct{ more, first, second, status string }{
		{"", "approve", "approve", "succeeded"},
		{"", "approve", "fail", "succeeded"},
		{"", "fail", "approve", "failed"},
		{"&confirmation_method=manual", "approve", "approve", "succeeded"},
	} {
		a := c.do(http.MethodPost, "/v1/payment_intents", strings.Replace(paid, "visa", "threeDSecure2Required", 1)+test.more+"&return_url="+url.QueryEscape(`https://shop.test/back?q=é "<>#part`), "")
		first := c.challenge(a, test.first).Header.Get("Location")
		if !strings.HasPrefix(first, "https://shop.test/back?q=%C3%A9%20%22%3C%3E&payment_intent=") || !strings.HasSuffix(first, "redirect_status="+test.status+"#part") {
			t.Errorf("%+v leads to %s", test, first)
		}
		before := c.get(a.ID).body
		if again := c.challenge(a, test.second); again.StatusCode != http.StatusSeeOther || again.Header.Get("Location") != first {
			t.Errorf("%+v leads to %d %s", test, again.StatusCode, again.Header.Get("Location"))
		}
		if c.get(a.ID).body != before {
			t.Errorf("%+v: the second answer has changed it", test)
		}
	}
}

// A hold that was asked for with multicapture may be captured fifty times, and
// stays as long as no capture is final.
func TestFiftyCaptures(t *testing.T) {
	c := newClient(t, capstantest.Run(t, inMemory))
	id := c.hold(wishes + "multicapture]=if_available")
	for i := range 50 {
		if a := c.capture(id, "amount_to_capture=1&final_capture=false", ""); a.Status != "requires_capture" || a.Received != int64(i+1) {
			t.Fatalf("capture %d: %d %s", i+1, a.status, a.body)
		}
	}
	for _, body := range []string{"amount_to_capture=1&final_capture=false", "amount_to_capture=1", ""} {
		a := c.capture(id, body, "")
		if a.status != http.StatusBadRequest || a.Error.Code != "payment_intent_unexpected_state" || !strings.Contains(a.Error.Message, "50 times") || a.Error.Intent.Received != 50 {
			t.Errorf("%q: %d %s", body, a.status, a.body)
		}
	}
	if a := c.do(http.MethodPost, "/v1/payment_intents/"+id+"/cancel", "", ""); a.Status != "succeeded" || a.Received != 50 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// The deadline of a hold on a test clock is shown in that clock's time.
func TestCaptureBeforeOnTestClock(t *testing.T) {
	c := newClient(t, capstantest.Run(t, inMemory))
	for _, frozen := range []int64{1_500_000_000, 2_000_000_000} {
		clock := c.do(http.MethodPost, "/v1/test_helpers/test_clocks", fmt.Sprintf("frozen_time=%d", frozen), "").ID
		customer := c.do(http.MethodPost, "/v1/customers", "test_clock="+clock, "").ID
		a := c.do(http.MethodPost, "/v1/payment_intents", aHold+"&customer="+customer, "")
		var charge struct {
			Details struct {
				Card struct {
					Before int64 `json:"capture_before"`
				}
			} `json:"payment_method_details"`
		}
		if c.into(&charge, http.MethodGet, "/v1/charges/"+text(a.Charge), ""); charge.Details.Card.Before != frozen+7*24*3600 {
			t.Errorf("until %d on a clock that shows %d", charge.Details.Card.Before, frozen)
		}
	}
}

// A charge that was captured above its amount is refunded when all of it is.
func TestRefundOfOvercapture(t *testing.T) {
	s := capstantest.Run(t, inMemory)
	c := newClient(t, s)
	s.Control(t, "PATCH", "/_sandbox/settings", map[string]any{"settings": map[string]any{"intents.overcapture": 20}}, nil)
	id := c.hold(wishes + "overcapture]=if_available")
	a := c.capture(id, "amount_to_capture=12000", "")
	for _, step := range []struct {
		amount   string
		refunded bool
	}{{"10000", false}, {"2000", true}} {
		c.refund("payment_intent="+id+"&amount="+step.amount, "")
		var charge struct{ Refunded bool }
		if c.into(&charge, http.MethodGet, "/v1/charges/"+text(a.Charge), ""); charge.Refunded != step.refunded {
			t.Errorf("after %s: %v", step.amount, charge.Refunded)
		}
	}
}

// A search for a customer goes by the id, however it is joined.
func TestSearchByCustomer(t *testing.T) {
	c := newClient(t, capstantest.Run(t, inMemory))
	customer := c.do(http.MethodPost, "/v1/customers", "", "").ID
	id := c.do(http.MethodPost, "/v1/payment_intents", bare+"&customer="+customer, "").ID
	for query, want := range map[string][]string{
		"customer:'" + customer + "'":                                       {id},
		"customer:'" + customer + "' OR amount:1":                           {id},
		"customer:'" + strings.ToLower(customer) + "'":                      nil,
		"customer:'" + strings.ToLower(customer) + "' OR amount:1":          nil,
		"customer~'" + strings.ToLower(customer)[:8] + "' AND amount:10000": {id},
	} {
		l := c.list("/v1/payment_intents/search?query=" + url.QueryEscape(query))
		if got := l.ids(); !slices.Equal(got, want) {
			t.Errorf("%s: %v", query, got)
		}
	}
}

// No call takes a path in expand that its object does not have (section 10).
func TestUnknownExpansions(t *testing.T) {
	c := newClient(t, capstantest.Run(t, inMemory))
	made := func(path, body string) string { return path + "/" + c.do(http.MethodPost, "/v1/"+path, body, "").ID }
	intent := c.do(http.MethodPost, "/v1/payment_intents", paid, "")
	customer, method := made("customers", ""), made("payment_methods", storedCard)
	clock, endpoint := made("test_helpers/test_clocks", "frozen_time=1800000000"), made("webhook_endpoints", "url=https://shop.test/hook&enabled_events[]=*")
	refund := made("refunds", "payment_intent="+intent.ID+"&amount=1")
	c.do(http.MethodPost, "/v1/payment_intents", bare, "")
	told := c.list("/v1/events")
	event := "events/" + told.ids()[0]
	for _, ask := range []struct{ method, path, body string }{
		{"GET", "payment_intents", ""}, {"GET", "payment_intents/" + intent.ID, ""}, {"GET", "payment_intents/search?query=amount>1&", ""},
		{"POST", "payment_intents", bare + "&"}, {"POST", "payment_intents/" + intent.ID, "description=x&"}, {"POST", "payment_intents/" + intent.ID + "/confirm", ""},
		{"POST", "payment_intents/" + intent.ID + "/capture", ""}, {"POST", "payment_intents/" + intent.ID + "/cancel", ""},
		{"POST", "payment_intents/" + intent.ID + "/increment_authorization", "amount=5&"},
		{"GET", "charges", ""}, {"GET", "charges/" + text(intent.Charge), ""}, {"POST", "charges/" + text(intent.Charge) + "/capture", ""},
		{"GET", "refunds", ""}, {"GET", refund, ""}, {"POST", "refunds", "payment_intent=" + intent.ID + "&"},
		{"GET", "payment_methods", ""}, {"GET", method, ""}, {"POST", method, ""}, {"POST", "payment_methods", storedCard + "&"},
		{"POST", method + "/attach", "customer=cus_x&"}, {"POST", method + "/detach", ""},
		{"GET", "customers", ""}, {"GET", customer, ""}, {"POST", customer, ""}, {"POST", "customers", ""},
		{"GET", "events", ""}, {"GET", event, ""},
		{"GET", "webhook_endpoints", ""}, {"GET", endpoint, ""}, {"POST", endpoint, ""}, {"POST", endpoint + "/roll_secret", ""},
		{"POST", "webhook_endpoints", "url=https://shop.test/hook&enabled_events[]=*&"},
		{"GET", "test_helpers/test_clocks", ""}, {"GET", clock, ""}, {"POST", clock + "/advance", "frozen_time=1800000001&"}, {"POST", "test_helpers/test_clocks", "frozen_time=1800000000&"},
	} {
		path, query, _ := strings.Cut(ask.path, "?")
		body := ask.body + "expand[]=nothing"
		if ask.method == http.MethodGet {
			path, body = path+"?"+query+body, ""
		}
		if a := c.do(ask.method, "/v1/"+path, body, ""); a.status != http.StatusBadRequest || a.Error.Param != "expand" {
			t.Errorf("%s %s: %d %s", ask.method, path, a.status, a.body)
		}
	}
}

// The empty text unsets what may be null, numbers included (section 1).
func TestUnsetNumbers(t *testing.T) {
	c := newClient(t, capstantest.Run(t, inMemory))
	a := c.do(http.MethodPost, "/v1/payment_intents", bare+"&quantity=3&application_fee_amount=100", "")
	for _, want := range []string{`"quantity": 3`, `"application_fee_amount": 100`} {
		if !strings.Contains(a.body, want) {
			t.Errorf("no %s in %s", want, a.body)
		}
	}
	a = c.do(http.MethodPost, "/v1/payment_intents/"+a.ID, "quantity=&application_fee_amount=", "")
	for _, want := range []string{`"quantity": null`, `"application_fee_amount": null`} {
		if !strings.Contains(a.body, want) {
			t.Errorf("no %s in %s", want, a.body)
		}
	}
}

// Options of a payment method are shown once they were sent, also with nothing
// in them, and stay when others are added (section 5, member 17).
func TestEmptyOptions(t *testing.T) {
	c := newClient(t, capstantest.Run(t, inMemory))
	a := c.send(http.MethodPost, "/v1/payment_intents", `{"amount":5,"currency":"usd","payment_method_options":{"sepa_debit":{},"card":{}}}`)
	b := c.do(http.MethodPost, "/v1/payment_intents/"+a.ID, "payment_method_options[pix][tax_id]=7", "")
	for body, want := range map[string][]string{a.body: {`"card": {`, `"sepa_debit": {}`}, b.body: {`"card": {`, `"sepa_debit": {}`, `"tax_id": "7"`}} {
		for _, part := range want {
			if !strings.Contains(body, part) {
				t.Errorf("no %s in %s", part, body)
			}
		}
	}
	if a := c.do(http.MethodPost, "/v1/payment_intents", bare+"&payment_method_options[card]=x", ""); a.Error.Param != "payment_method_options[card]" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// Any text is kept and given back as it is, on every store.
func TestAnyText(t *testing.T) {
	c := newClient(t, capstantest.Run(t))
	const odd = "a\x00b\u2028\ufffd\U0001F4B3\"\\<>&'"
	q := url.QueryEscape(odd)
	customer := c.do(http.MethodPost, "/v1/customers", "name="+q+"&metadata["+q+"]="+q+"&address[city]="+q, "customer "+q)
	for name, a := range map[string]answer{
		"customer": customer,
		"intent":   c.do(http.MethodPost, "/v1/payment_intents", bare+"&description="+q+"&metadata["+q+"]="+q+"&merchant_order_id="+q+"&shipping[name]="+q+"&customer="+customer.ID, "intent "+q),
		"endpoint": c.do(http.MethodPost, "/v1/webhook_endpoints", "url=https://shop.test/hook&enabled_events[]=*&description="+q+"&metadata["+q+"]="+q, "endpoint "+q),
		"method":   c.do(http.MethodPost, "/v1/payment_methods", storedCard+"&billing_details[name]="+q+"&metadata["+q+"]="+q+"&card[name]="+q, "method "+q),
		"clock":    c.do(http.MethodPost, "/v1/test_helpers/test_clocks", "frozen_time=1800000000&name="+q, "clock "+q),
	} {
		if a.status != http.StatusOK || name != "clock" && a.Metadata[odd] != odd {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	found := c.list("/v1/payment_intents/search?query=" + url.QueryEscape(`metadata['`+strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(odd)+`']~"`+"b\u2028\ufffd"+`"`))
	if len(found.ids()) != 1 {
		t.Errorf("%+v", found)
	}
	for _, path := range []string{"payment_intents/", "customers/", "charges/", "refunds/", "payment_methods/", "events/", "webhook_endpoints/", "test_helpers/test_clocks/"} {
		if a := c.do(http.MethodGet, "/v1/"+path+url.PathEscape(odd), "", ""); a.status != http.StatusNotFound || !strings.Contains(a.Error.Message, odd) {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
		if a := c.do(http.MethodGet, "/v1/"+strings.TrimSuffix(path, "/")+"?starting_after="+q, "", ""); a.status != http.StatusBadRequest || a.Error.Param != "starting_after" {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	for _, body := range []string{"payment_method=" + q, "customer=" + q, "currency=" + q, "capture_method=" + q, "confirm=" + q, q + "=1", "expand[]=" + q, "payment_method_types[]=" + q} {
		if a := c.do(http.MethodPost, "/v1/payment_intents", bare+"&"+body, "odd "+body); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
}

// Another currency leaves the amount as the wire has it; an amount that is
// beyond all is too large in every currency; and the state is told first.
func TestUnitsOfCurrencies(t *testing.T) {
	c := newClient(t, capstantest.Run(t, inMemory))
	for _, test := range []struct {
		from, to string
		ok       bool
	}{
		{"amount=15000&currency=usd", "isk", true}, {"amount=150&currency=usd", "isk", false}, {"amount=15000&currency=isk", "usd", true},
		{"amount=99999999&currency=mga", "usd", true}, {"amount=99999999&currency=usd", "mga", true}, {"amount=7&currency=usd", "jpy", true},
	} {
		a := c.do(http.MethodPost, "/v1/payment_intents", test.from, "")
		b := c.do(http.MethodPost, "/v1/payment_intents/"+a.ID, "currency="+test.to, "")
		if (b.status == http.StatusOK) != test.ok || test.ok && (b.Amount != a.Amount || b.Currency != test.to) {
			t.Errorf("%+v: %d %s", test, b.status, b.body)
		}
	}
	for currency, most := range map[string]string{"usd": "9223372036854775807", "jpy": "9223372036854775807", "mga": "9223372036854775807", "isk": "9223372036854775800"} {
		a := c.do(http.MethodPost, "/v1/payment_intents", strings.Replace(aHold, "usd", currency, 1), "")
		if got := c.capture(a.ID, "amount_to_capture="+most, ""); got.Error.Code != "amount_too_large" {
			t.Errorf("%s: %d %s", currency, got.status, got.body)
		}
		if got := c.capture(a.ID, "", ""); got.Received != 10000 {
			t.Errorf("%s: %d %s", currency, got.status, got.body)
		}
		if _, got := c.refund("payment_intent="+a.ID+"&amount="+most, ""); got.status != http.StatusBadRequest || !strings.HasPrefix(got.Error.Message, "Refund amount (") {
			t.Errorf("%s: %d %s", currency, got.status, got.body)
		}
	}
	a := c.do(http.MethodPost, "/v1/payment_intents", strings.Replace(aHold, "usd", "isk", 1), "")
	for _, step := range [][2]string{{"requires_capture", "Invalid amount: amounts in isk must be a multiple of 100."}, {"succeeded", "This PaymentIntent could not be captured"}} {
		want, message := step[0], step[1]
		if want == "succeeded" {
			c.capture(a.ID, "", "")
		}
		got := c.capture(a.ID, "amount_to_capture=150", want)
		if got.status != http.StatusBadRequest || !strings.HasPrefix(got.Error.Message, message) || got.Error.Intent == nil {
			t.Errorf("%s: %d %s", want, got.status, got.body)
		}
		if again := c.capture(a.ID, "amount_to_capture=150", want); again.body != got.body || again.header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("%s: %d %s", want, again.status, again.body)
		}
	}
}
