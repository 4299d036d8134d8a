package intents

import (
	"slices"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/payment"
)

// apply makes the intake that an intent has after the changes. What stands in
// the way is left in c.late, or is a refusal.
func (c *changes) apply(v *view, a *account) (payment.Intake, *payment.Refusal) {
	in, now := v.p.Intake, v.details
	if v.asked() && (c.amount != nil || c.currency != "" || c.fee != nil || c.card != nil || c.detach) {
		return in, payment.Refuse(payment.NotCreated)
	}
	amount, fee := v.scale.wire(in.Amount), v.scale.wire(in.Fee)
	if c.currency != "" { // of the same amount, as the wire has it
		in.Currency = c.currency
	}
	if c.amount != nil {
		amount = *c.amount
	}
	if c.fee != nil {
		fee = *c.fee
	}
	var ok, okFee bool
	units := scaleOf(in.Currency)
	in.Amount, ok = units.minor(amount)
	in.Fee, okFee = units.minor(fee)
	if !ok || !okFee {
		return in, payment.Refuse(payment.CurrencyMismatch)
	}
	for _, it := range []struct {
		from *string
		to   *string
	}{{c.description, &in.Description}, {c.email, &in.Email}, {c.order, &in.Reference}} {
		if it.from != nil {
			*it.to = *it.from
		}
	}
	v.captures(func(asked *details) { // what captures set becomes part of the intent's own document
		now[fieldMetadata] = mergeMetadata(now[fieldMetadata], asked[fieldMetadata])
		for _, f := range []field{fieldStatement, fieldStatementSuffix} {
			if asked[f] != nil {
				now[f] = asked[f]
			}
		}
	})
	for f := range c.set {
		if c.set[f] {
			now[f] = c.fields[f]
		}
	}
	now[fieldMetadata], c.late = addMetadata(now[fieldMetadata], c.metadata)
	if refusal := c.applyMethod(v, &in, &now); refusal != nil {
		return in, refusal
	}
	options := append(readOptions(now[fieldOptions]), c.options...)
	if c.options != nil || c.typed {
		now[fieldOptions] = renderOptions(options, typesOf(now[fieldTypes]))
	}
	c.applyCapture(v, a, &in, &now, options)
	if n := settledOperations(v.p, termsDiffer(&v.p.Intake, &in)); n > 0 {
		now.setNumber(fieldSeen, n)
	}
	if types := typesOf(now[fieldTypes]); in.Method.Kind == payment.CardMethod && len(types) > 0 && !slices.Contains(types, "card") {
		c.late = invalid("payment_method", "The PaymentMethod provided (card) is not allowed for this PaymentIntent. Please attach a PaymentMethod of one of the following types: "+strings.Join(types, ", ")+".")
	}
	customer, of := now.text(fieldCustomer), now.text(fieldStoredOf)
	if of != "" && of != customer && c.late == nil && (c.card != nil || c.set[fieldCustomer]) {
		c.late = invalid("payment_method", "The payment method you provided is attached to a customer. To use it, provide that customer in the customer parameter of the PaymentIntent.")
	}
	if c.late != nil {
		return in, payment.Refuse(payment.NotFound)
	}
	in.Labels = now.labels()
	in.Details = now.document()
	return in, nil
}

// applyMethod sets the payment method. One that was declined is not attached
// any more when the intent is changed in any way.
func (c *changes) applyMethod(v *view, in *payment.Intake, now *details) *payment.Refusal {
	if c.named != "" && (!v.hasMethod() || c.names.Payment != v.p.ID || c.names.Operation != v.method().number) {
		return payment.Refuse(payment.NotFound)
	}
	if v.failed != nil || c.detach {
		v.retire(now)
		now.setNumber(fieldMethod, v.method().number)
		now[fieldBilling], in.Method = nil, payment.Method{}
		now[fieldStored], now[fieldStoredOf] = nil, nil
	}
	if c.card == nil {
		return nil
	}
	if now[fieldMethod] != nil || in.Method.Kind != payment.NoMethod {
		now.setNumber(fieldMethod, now.number(fieldMethod, 1)+1)
	}
	in.Method, now[fieldBilling] = c.card.method, c.card.billing
	now[fieldAuthenticated], now[fieldStored], now[fieldStoredOf] = nil, nil, nil
	if c.card.stored != "" {
		now.setText(fieldStored, c.card.stored)
	}
	if c.card.customer != "" {
		now.setText(fieldStoredOf, c.card.customer)
	}
	return nil
}

// termsDiffer tells whether a change touches what the payer was asked for: then
// he is not waited for any more.
func termsDiffer(was, now *payment.Intake) bool {
	return was.Amount != now.Amount || was.Currency != now.Currency || was.Fee != now.Fee || was.Method != now.Method || was.Policy != now.Policy
}

// settledOperations is how many of the first operations are over, or will be
// when an update ends the wait for the payer.
func settledOperations(p *payment.Payment, ends bool) int {
	for i := range p.Operations {
		switch p.Operations[i].Status {
		case payment.OpPending:
			return i
		case payment.OpAwaiting:
			if !ends {
				return i
			}
		}
	}
	return len(p.Operations)
}

// applyCapture sets what follows from the capture method and the card's
// options. Once there is a hold its terms do not change any more.
func (c *changes) applyCapture(v *view, a *account, in *payment.Intake, now *details, options []param) {
	if v.p.Status != payment.None && c.capture == "" && c.options == nil && c.card == nil {
		return
	}
	if v.asked() {
		return
	}
	if c.confirmation == "manual" {
		now.setText(fieldConfirmation, "manual")
	}
	word := c.capture
	if word == "" {
		word = v.word(fieldCaptureMethod, "")
	}
	if word == "" {
		word = "automatic"
		if v.p.Status != payment.None && !in.Policy.AutoCapture {
			word = "manual"
		}
	}
	effective := word
	if over := option(options, "card[capture_method]"); over != "" {
		effective = over
	}
	in.Policy = a.policy(effective != "manual", options, in.Method)
	now[fieldCaptureMethod] = nil
	if word != effective || word == "automatic_async" {
		now.setText(fieldCaptureMethod, word)
	}
}

// policy is what a hold of this account permits (sections 7 and 12).
func (a *account) policy(automatic bool, options []param, m payment.Method) payment.Policy {
	p := payment.Policy{HoldFor: a.window, FromCreation: true, AutoCapture: automatic, MaxCaptures: 1, RetryDeclined: true}
	if automatic {
		return p
	}
	if option(options, "card[request_extended_authorization]") == "if_available" && extends(m) {
		p.HoldFor = max(p.HoldFor, extendedHold)
	}
	if option(options, "card[request_multicapture]") == "if_available" {
		p.MaxCaptures = multicaptures + 1 // the core's last one would close the hold
	}
	if option(options, "card[request_overcapture]") == "if_available" && a.over > 100 {
		p.OverCapture = a.over
	}
	return p
}

// extendedHold is how long a hold lives that was asked for with
// request_extended_authorization, from the creation of the intent.
const extendedHold = 30 * 24 * time.Hour

// extends tells whether the network of a card lets holds live longer.
func extends(m payment.Method) bool {
	switch m.Brand {
	case "visa", "mastercard", "amex", "discover":
		return m.Kind == payment.CardMethod
	}
	return false
}

// extendedStatus says whether the hold lives longer than others.
func extendedStatus(v *view) string {
	if v.wishes("extended_authorization") && !v.p.Policy.AutoCapture && extends(v.p.Method) {
		return "enabled"
	}
	return "disabled"
}

// multicaptures is how many captures a hold may have that was asked for with
// request_multicapture.
const multicaptures = 50

func typesOf(document []byte) []string {
	if document == nil {
		return nil
	}
	var all params
	s := scanner{text: string(document), params: &all}
	s.value("", 1)
	types := make([]string, 0, len(all.list))
	for _, it := range all.list {
		types = append(types, it.value)
	}
	return types
}

// labels are those by which an intent is found again.
func (d *details) labels() (all []payment.Label) {
	if customer := d.text(fieldCustomer); customer != "" {
		all = append(all, customerLabel(customer))
		if stored := d.text(fieldStored); stored != "" && d.setsUp() {
			all = append(all, setupLabel(stored))
		}
	}
	if clock := d.text(fieldClock); clock != "" {
		all = append(all, clockLabel(clock))
	}
	return all
}
