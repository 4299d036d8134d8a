package clients_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stripe/stripe-mock/embedded"

	"github.com/capstan-pay/capstan/capstantest"
)

// The OpenAPI document that stripe-mock carries is the oracle here: what it
// says of an object has to be true of ours, as far as both have a member, and a
// parameter that it does not know is refused.

// schema is a part of the document.
type schema struct {
	Ref        string             `json:"$ref"`
	Type       string             `json:"type"`
	Nullable   bool               `json:"nullable"`
	Enum       []any              `json:"enum"`
	Properties map[string]*schema `json:"properties"`
	Required   []string           `json:"required"`
	Items      *schema            `json:"items"`
	AnyOf      []*schema          `json:"anyOf"`
	Extra      json.RawMessage    `json:"additionalProperties"`
	MaxLength  int                `json:"maxLength"`
}

type operation struct {
	Parameters []struct {
		Name, In string
	}
	RequestBody struct {
		Content map[string]struct{ Schema *schema }
	}
	Responses map[string]struct {
		Content map[string]struct{ Schema *schema }
	}
}

type document struct {
	Paths      map[string]map[string]json.RawMessage
	Components struct{ Schemas map[string]*schema }
}

func readDocument(t *testing.T) *document {
	t.Helper()
	d := &document{}
	if err := json.Unmarshal(embedded.OpenAPISpec, d); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *document) operation(t *testing.T, method, path string) (o operation) {
	t.Helper()
	raw, ok := d.Paths[path][strings.ToLower(method)]
	if !ok {
		t.Fatalf("the document has no %s %s", method, path)
	}
	if err := json.Unmarshal(raw, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// takes are the names of the parameters of an operation.
func (o *operation) takes() map[string]bool {
	names := map[string]bool{}
	for _, p := range o.Parameters {
		if p.In == "query" {
			names[p.Name] = true
		}
	}
	for _, c := range o.RequestBody.Content {
		for name := range c.Schema.Properties {
			names[name] = true
		}
	}
	return names
}

// check lists where a value is not as a schema says. Members that the schema
// does not have are not looked at.
func (d *document) check(at string, s *schema, value any) (wrong []string) {
	if s.Ref != "" {
		return d.check(at, d.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")], value)
	}
	if value == nil {
		if s.Nullable {
			return nil
		}
		return []string{at + " is null"}
	}
	if len(s.AnyOf) > 0 {
		for _, one := range s.AnyOf {
			w := d.check(at, one, value)
			if len(w) == 0 {
				return nil
			}
			if misfit := strings.HasPrefix(w[0], at+" is a "); wrong == nil || !misfit && (strings.HasPrefix(wrong[0], at+" is a ") || len(w) < len(wrong)) {
				wrong = w
			}
		}
		return wrong
	}
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, value) && !slices.Contains(s.Enum, any("")) {
		wrong = append(wrong, fmt.Sprintf("%s is %v", at, value))
	}
	kind := map[bool]string{}
	switch v := value.(type) {
	case string:
		kind[true] = "string"
		if s.MaxLength > 0 && len(v) > s.MaxLength {
			wrong = append(wrong, fmt.Sprintf("%s has %d characters", at, len(v)))
		}
	case bool:
		kind[true] = "boolean"
	case float64:
		if kind[true] = "number"; v == float64(int64(v)) && s.Type == "integer" {
			kind[true] = "integer"
		}
	case []any:
		kind[true] = "array"
		for i, item := range v {
			if s.Items != nil {
				wrong = append(wrong, d.check(fmt.Sprintf("%s[%d]", at, i), s.Items, item)...)
			}
		}
	case map[string]any:
		kind[true] = "object"
		for _, name := range s.Required {
			if _, has := v[name]; !has {
				wrong = append(wrong, at+"."+name+" is missing")
			}
		}
		var each schema
		if len(s.Extra) > 0 && s.Extra[0] == '{' {
			if err := json.Unmarshal(s.Extra, &each); err != nil {
				return append(wrong, err.Error())
			}
		}
		for name, member := range v {
			switch known := s.Properties[name]; {
			case known != nil:
				wrong = append(wrong, d.check(at+"."+name, known, member)...)
			case each.Type != "":
				wrong = append(wrong, d.check(at+"."+name, &each, member)...)
			}
		}
	}
	if s.Type != "" && s.Type != kind[true] {
		wrong = append(wrong, fmt.Sprintf("%s is a %s, not a %s", at, kind[true], s.Type))
	}
	return wrong
}

// rig asks a server and knows the document.
type rig struct {
	*testing.T
	doc  *document
	url  string
	keys struct {
		Secret string `json:"secret_key"`
	}
}

func newRig(t *testing.T) *rig {
	s := capstantest.Run(t)
	r := &rig{T: t, doc: readDocument(t), url: s.URL}
	if err := json.Unmarshal(s.Credentials.Intents, &r.keys); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) ask(method, path, form string) (int, map[string]any) {
	r.Helper()
	request, err := http.NewRequestWithContext(r.Context(), method, r.url+path, strings.NewReader(form))
	if err != nil {
		r.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+r.keys.Secret)
	if form != "" {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		r.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		r.Fatal(err)
	}
	var object map[string]any
	if err := json.Unmarshal(text, &object); err != nil {
		r.Fatalf("%s %s: %v: %s", method, path, err, text)
	}
	return answer.StatusCode, object
}

// is asks, and holds the answer against the schema of the operation.
func (r *rig) is(method, path, operation, form string) map[string]any {
	r.Helper()
	status, object := r.ask(method, path, form)
	o := r.doc.operation(r.T, method, operation)
	answer := "200"
	if status != http.StatusOK {
		answer = "default"
	}
	for _, wrong := range r.doc.check("", o.Responses[answer].Content["application/json"].Schema, object) {
		if !slices.ContainsFunc(ours, func(known string) bool { return strings.HasSuffix(wrong, known) }) {
			r.Errorf("%s %s %s: %s", method, operation, form, wrong)
		}
	}
	return object
}

// ours are the places where the seed or WooshPay is followed and not Stripe
// (docs/dialects/intents.md).
var ours = []string{
	".payment_method_options.card.request_three_d_secure is any", // the seed's own word
	".payment_method_options.card.setup_future_usage is null",    // all of the seed's members are always there
	".payment_method_options.card.capture_method is null",
}

func text(object map[string]any, name string) string {
	s, _ := object[name].(string)
	return s
}

// Objects in every state are what the document says they are.
func TestObjectsAgainstTheDocument(t *testing.T) {
	r := newRig(t)
	const intents, one = "/v1/payment_intents", "/v1/payment_intents/{intent}"
	customer := r.is("POST", "/v1/customers", "/v1/customers", "email=jo@example.com&address[city]=Vilnius&metadata[a]=b")
	id := text(customer, "id")
	r.is("GET", "/v1/customers/"+id, "/v1/customers/{customer}", "")
	r.is("POST", "/v1/customers/"+id, "/v1/customers/{customer}", "name=Jo")
	r.is("GET", "/v1/customers", "/v1/customers", "")
	method := r.is("POST", "/v1/payment_methods", "/v1/payment_methods", "type=card&card[number]=4242424242424242&card[exp_month]=3&card[exp_year]=2030&card[cvc]=123")
	path := "/v1/payment_methods/" + text(method, "id")
	r.is("POST", path+"/attach", "/v1/payment_methods/{payment_method}/attach", "customer="+id)
	r.is("GET", path, "/v1/payment_methods/{payment_method}", "")
	r.is("GET", "/v1/payment_methods?customer="+id, "/v1/payment_methods", "")
	r.is("POST", path+"/detach", "/v1/payment_methods/{payment_method}/detach", "")
	endpoint := r.is("POST", "/v1/webhook_endpoints", "/v1/webhook_endpoints", "url=http://127.0.0.1:9/&enabled_events[]=*")
	r.is("GET", "/v1/webhook_endpoints/"+text(endpoint, "id"), "/v1/webhook_endpoints/{webhook_endpoint}", "")
	r.is("POST", "/v1/webhook_endpoints/"+text(endpoint, "id"), "/v1/webhook_endpoints/{webhook_endpoint}", "disabled=false")
	clock := r.is("POST", "/v1/test_helpers/test_clocks", "/v1/test_helpers/test_clocks", "frozen_time=1800000000&name=x")
	r.is("POST", "/v1/test_helpers/test_clocks/"+text(clock, "id")+"/advance", "/v1/test_helpers/test_clocks/{test_clock}/advance", "frozen_time=1800000001")

	const card = "&confirm=true&payment_method=pm_card_"
	const amount = "amount=10000&currency=usd"
	expand := "&expand[]=latest_charge.refunds&expand[]=payment_method&expand[]=latest_charge.balance_transaction"
	for _, form := range []string{
		amount, amount + "&payment_method=pm_card_visa", amount + card + "visa" + expand, amount + "&capture_method=manual" + card + "visa" + expand,
		amount + card + "chargeDeclined", amount + card + "radarBlock", amount + card + "threeDSecure2Required&return_url=https://shop.test/",
		amount + "&payment_method_options[card][request_three_d_secure]=any&return_url=https://shop.test/" + card + "visa",
		amount + "&shipping[name]=Jo&shipping[address][city]=Vilnius&receipt_email=jo@example.com&statement_descriptor=SHOP&customer=" + id,
		amount + "&automatic_payment_methods[enabled]=true&setup_future_usage=off_session" + card + "visa&customer=" + id,
		amount + "&capture_method=manual&payment_method_options[card][request_multicapture]=if_available" + card + "amex" + expand,
		amount + "&off_session=true" + card + "authenticationRequired", "amount=0&currency=usd", "amount=5", "amount=5&currency=usd&x=1",
	} {
		r.is("POST", intents, intents, form)
	}
	hold := func(more string) string {
		return text(r.is("POST", intents, intents, amount+"&capture_method=manual"+card+"visa"+more), "id")
	}
	p := hold("")
	r.is("POST", intents+"/"+p+"/capture", one+"/capture", "amount_to_capture=8000"+expand)
	r.is("POST", intents+"/"+p+"/capture", one+"/capture", "")
	charge := text(r.is("GET", intents+"/"+p, one, ""), "latest_charge")
	r.is("GET", "/v1/charges/"+charge, "/v1/charges/{charge}", "")
	r.is("POST", "/v1/refunds", "/v1/refunds", "payment_intent="+p+"&amount=500&metadata[a]=b")
	r.is("GET", "/v1/refunds?payment_intent="+p, "/v1/refunds", "")
	r.is("POST", intents+"/"+hold("")+"/cancel", one+"/cancel", "cancellation_reason=duplicate")
	r.is("POST", intents+"/"+hold(""), one, "description=x&metadata[a]=b")
	r.is("POST", "/v1/refunds", "/v1/refunds", "charge=ch_x")
	r.is("GET", "/v1/charges", "/v1/charges", "")
	r.is("GET", intents+"?expand[]=data.latest_charge", intents, "")
	r.is("GET", intents+"/search?query="+url.QueryEscape("amount>1"), intents+"/search", "")
	list := r.is("GET", "/v1/events", "/v1/events", "")
	events, _ := list["data"].([]any)
	if len(events) < 10 {
		t.Errorf("%d events", len(events))
	}
	for _, it := range events {
		event, _ := it.(map[string]any)
		data, _ := event["data"].(map[string]any)
		object, _ := data["object"].(map[string]any)
		s := r.doc.Components.Schemas[text(object, "object")]
		if s == nil {
			t.Fatalf("an event of %v", object["object"])
		}
		for _, wrong := range r.doc.check(text(event, "type"), s, object) {
			if !slices.ContainsFunc(ours, func(known string) bool { return strings.HasSuffix(wrong, known) }) {
				t.Errorf("event %s", wrong)
			}
		}
	}
}

// beyond are parameters that we take and the document does not have, by
// operation: WooshPay's, the seed's, and older or newer ones of Stripe.
var beyond = map[string]string{
	"POST /v1/payment_intents":                  "allowed_payment_method_types",
	"POST /v1/payment_intents/{intent}":         "",
	"POST /v1/payment_intents/{intent}/confirm": "",
}

// A parameter of any call that the document does not give to this one is
// refused by it, and one that it gives is not unknown.
func TestParametersAgainstTheDocument(t *testing.T) {
	r := newRig(t)
	_, made := r.ask("POST", "/v1/payment_intents", "amount=5&currency=usd&confirm=true&payment_method=pm_card_visa")
	_, customer := r.ask("POST", "/v1/customers", "")
	_, method := r.ask("POST", "/v1/payment_methods/pm_card_visa/attach", "customer="+text(customer, "id"))
	_, endpoint := r.ask("POST", "/v1/webhook_endpoints", "url=http://127.0.0.1:9/&enabled_events[]=*")
	_, refund := r.ask("POST", "/v1/refunds", "payment_intent="+text(made, "id")+"&amount=1")
	_, clock := r.ask("POST", "/v1/test_helpers/test_clocks", "frozen_time=1800000000")
	_, events := r.ask("GET", "/v1/events", "")
	told, _ := events["data"].([]any)
	event, _ := told[0].(map[string]any)
	fill := strings.NewReplacer("{refund}", text(refund, "id"), "{test_clock}", text(clock, "id"), "{id}", text(event, "id"), "{intent}", text(made, "id"), "{charge}", text(made, "latest_charge"), "{customer}", text(customer, "id"),
		"{payment_method}", text(method, "id"), "{webhook_endpoint}", text(endpoint, "id"))
	calls := []string{
		"POST /v1/payment_intents", "GET /v1/payment_intents", "GET /v1/payment_intents/search", "GET /v1/payment_intents/{intent}",
		"POST /v1/payment_intents/{intent}", "POST /v1/payment_intents/{intent}/confirm", "POST /v1/payment_intents/{intent}/capture",
		"POST /v1/payment_intents/{intent}/cancel", "GET /v1/charges", "GET /v1/charges/{charge}", "POST /v1/refunds", "GET /v1/refunds",
		"POST /v1/payment_methods", "GET /v1/payment_methods", "GET /v1/payment_methods/{payment_method}", "POST /v1/payment_methods/{payment_method}",
		"POST /v1/payment_methods/{payment_method}/attach", "POST /v1/payment_methods/{payment_method}/detach", "POST /v1/customers",
		"GET /v1/customers", "GET /v1/customers/{customer}", "POST /v1/customers/{customer}", "GET /v1/events", "POST /v1/webhook_endpoints",
		"GET /v1/webhook_endpoints", "GET /v1/webhook_endpoints/{webhook_endpoint}", "POST /v1/webhook_endpoints/{webhook_endpoint}",
		"POST /v1/payment_intents/{intent}/increment_authorization", "POST /v1/charges/{charge}/capture", "GET /v1/refunds/{refund}", "GET /v1/events/{id}",
		"POST /v1/test_helpers/test_clocks", "GET /v1/test_helpers/test_clocks", "GET /v1/test_helpers/test_clocks/{test_clock}",
		"POST /v1/test_helpers/test_clocks/{test_clock}/advance",
	}
	all := map[string]bool{"amount_to_captur": true, "nothing": true}
	for _, call := range calls {
		m, path, _ := strings.Cut(call, " ")
		o := r.doc.operation(t, m, path)
		maps.Copy(all, o.takes())
	}
	for _, call := range calls {
		m, path, _ := strings.Cut(call, " ")
		o := r.doc.operation(t, m, path)
		takes := o.takes()
		for name := range all {
			target, form := fill.Replace(path), name+"=x"
			if m == "GET" {
				target, form = target+"?"+form, ""
			}
			_, answer := r.ask(m, target, form)
			e, _ := answer["error"].(map[string]any)
			refused := text(e, "code") == "parameter_unknown" && text(e, "param") == name
			if !takes[name] && !refused && !slices.Contains(strings.Fields(beyond[call]), name) {
				t.Errorf("%s takes %s: %v", call, name, e)
			}
			if kind := r.doc.Components.Schemas["payment_method"].Properties[name]; kind != nil && call == "POST /v1/payment_methods" && len(kind.Ref) > 0 && name != "card" {
				continue // other kinds of payment method
			}
			if takes[name] && refused && !slices.Contains(strings.Fields(without[call]), name) {
				t.Errorf("%s refuses %s", call, name)
			}
		}
	}
}

// without are parameters of Stripe's that have no meaning here and are refused
// as unknown, rather than taken and forgotten.
var without = map[string]string{
	"POST /v1/payment_intents":                                  "confirmation_token customer_account",
	"GET /v1/payment_intents":                                   "customer_account",
	"POST /v1/payment_intents/{intent}":                         "customer_account",
	"POST /v1/payment_intents/{intent}/confirm":                 "confirmation_token amount_to_confirm",
	"GET /v1/charges":                                           "transfer_group",
	"POST /v1/payment_intents/{intent}/increment_authorization": "application_fee_amount description",
	"POST /v1/refunds":                                          "customer currency",
	"POST /v1/payment_methods":                                  "payment_method",
	"GET /v1/payment_methods":                                   "customer_account",
	"POST /v1/payment_methods/{payment_method}":                 "us_bank_account card payto",
	"POST /v1/payment_methods/{payment_method}/attach":          "customer_account",
	"POST /v1/customers":                                        invoicing + " tax_id_data payment_method",
	"POST /v1/customers/{customer}":                             invoicing + " bank_account card default_source default_bank_account default_alipay_account default_card",
	"POST /v1/test_helpers/test_clocks":                         "customer",
}

// invoicing is what customers have for invoices, which are not here.
const invoicing = "business_name preferred_locales tax individual_name balance invoice_prefix tax_exempt invoice_settings source cash_balance shipping next_invoice_sequence"
