package intents

import (
	"context"
	"net/http"

	"github.com/capstan-pay/capstan/payment"
)

// create answers POST /v1/payment_intents.
func (x *exchange) create(ctx context.Context) *problem {
	var c changes
	p := &x.params
	c.common(x)
	c.confirmation, _ = p.enum("confirmation_method", "automatic", "manual")
	c.readAutomatic(p)
	c.readReturnURL(p)
	c.string(p, fieldOnBehalfOf, "on_behalf_of", 255)
	confirm, _ := p.boolean("confirm")
	absent := x.readAbsence()
	p.ignore("mandate", "mandate_data", "use_stripe_sdk", "radar_options")
	unknown := c.readCustomer(x)
	s, _ := x.expand(intentPaths)
	if c.amount == nil && !p.has("amount") {
		p.fail(missingParam("amount"))
	} else if c.currency == "" && !p.has("currency") {
		p.fail(missingParam("currency"))
	}
	n := x.note(s)
	if bad := p.problem(); bad != nil {
		return x.reject(ctx, &n, bad)
	}
	switch {
	case unknown != "":
		return x.settle(ctx, &n, missing(http.StatusBadRequest, "customer", "customer", unknown))
	case c.named != "":
		return x.settle(ctx, &n, missing(http.StatusBadRequest, "payment_method", "PaymentMethod", c.named))
	case confirm && c.card == nil:
		return x.settle(ctx, &n, &problem{status: http.StatusBadRequest, code: "payment_intent_unexpected_state", message: missingMethodText})
	}

	if problem := x.storeCard(&c, !confirm || c.setsUp(nil)); problem != nil {
		return problem
	}
	blank := view{p: &payment.Payment{}}
	intake, refusal := c.apply(&blank, x.account)
	switch {
	case c.late != nil:
		c.late.unkept = true
		return x.settle(ctx, &n, c.late)
	case refusal != nil:
		return wrongMultiple("amount", c.currency)
	}
	intake.Dialect, intake.Test = Name, x.account.test
	command := payment.Create{Intake: intake}
	if confirm {
		attempt := x.attempt(intake.Method, absent, c.options)
		attempt.Secret = c.card.secret
		command.Attempt = &attempt
	}
	return x.submit(ctx, &n, payment.Request{Command: command, Documents: c.papers()})
}

// reject replies with what is wrong with the parameters. The corrected request
// may use the same key, unless it was the card or an object that was wrong
// (section 3).
func (x *exchange) reject(ctx context.Context, n *note, bad *problem) *problem {
	if bad.status == http.StatusPaymentRequired || bad.code == "resource_missing" {
		return x.settle(ctx, n, bad)
	}
	return bad
}

func (c *changes) readAutomatic(p *params) {
	if !p.has("automatic_payment_methods") {
		return
	}
	p.object("automatic_payment_methods")
	enabled, _ := p.boolean("automatic_payment_methods[enabled]")
	redirects, sent := p.enum("automatic_payment_methods[allow_redirects]", "always", "never")
	if !sent {
		redirects = "always"
	}
	raw := `{"allow_redirects":"` + redirects + `","enabled":false}`
	if enabled {
		raw = `{"allow_redirects":"` + redirects + `","enabled":true}`
	}
	c.put(fieldAutomatic, []byte(raw))
}

// readAbsence reads why an attempt may not wait for the payer; empty if it may.
func (x *exchange) readAbsence() string {
	p := &x.params
	absent := ""
	for _, name := range []string{"off_session", "off-session"} { // WooshPay spells it with a hyphen
		if it := p.find(name); it != nil && (it.value == "one_off" || it.value == "recurring") {
			absent = "off_session"
		} else if off, _ := p.boolean(name); off {
			absent = "off_session"
		}
	}
	if stop, _ := p.boolean("error_on_requires_action"); stop && absent == "" {
		absent = "error_on_requires_action"
	}
	return absent
}

// attempt is how the authorization of a card is asked for, with the options
// that the intent has and those that the request brings.
func (x *exchange) attempt(m payment.Method, absent string, options ...[]param) payment.Attempt {
	a := payment.Attempt{PayerAbsent: absent != "", Asked: payment.Asked{Dialect: Name, Labels: []payment.Label{chargeLabel}}}
	for _, list := range options {
		if wish := option(list, "card[request_three_d_secure]"); wish != "" {
			a.Challenge = wish == "any" || wish == "challenge"
		}
	}
	var asked details
	if x.json {
		asked.setText(fieldFlavour, "json")
	}
	if absent != "" {
		asked.setText(fieldAbsent, absent)
	}
	if a.Challenge || m.Simulate != "" { // there may be a challenge, and the page is ours
		asked.setText(fieldBase, x.d.PublicURL)
	}
	a.Details = asked.orNil()
	return a
}
