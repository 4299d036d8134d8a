package begateway

import "github.com/capstan-pay/capstan/payment"

// credit answers POST /transactions/credits, and /transactions/payouts, which
// is the same (section 6.4): money goes from the shop to the card that a token
// stands for. Nothing that was paid before bounds it.
func (d *Dialect) credit(c *call) answered {
	doc, ok := readDocument(c.body)
	if !ok {
		return answered{problem: fails(base, textBadJSON)}
	}
	in, wrong := d.readCredit(c, doc.member("request"))
	switch {
	case in.fault != nil:
		return answered{err: in.fault}
	case len(wrong) > 0:
		return answered{problem: invalid(wrong)}
	}
	out, err := d.Engine.Do(c.Context(), payment.Request{
		Tenant: c.shop.merchant.Tenant, Merchant: c.shop.merchant.ID, Patience: c.patience,
		Command: payment.Create{
			Intake:  in.intake,
			Attempt: &payment.Attempt{Payout: true, Secret: in.secret, Asked: payment.Asked{Dialect: Name, Reference: in.intake.Reference}},
		},
	})
	switch {
	case err != nil:
		return answered{err: err}
	case out.Refusal != nil:
		return answered{problem: refused(authorizeOperation, out.Refusal, nil)}
	}
	return d.show(c, out.Payment, transaction{payment: out.Payment.ID}, c.shop.form())
}

func (d *Dialect) readCredit(c *call, request value) (in intakeRequest, wrong faults) {
	fields := map[string]value{}
	request.members(func(name string, v value) { fields[name] = v })
	d.readBasics(fields, &in.intake, &wrong)
	if token := fields["credit_card"].member("token"); token.blank() {
		wrong.add(cardToken, textBlank)
	} else {
		d.readStored(c.Context(), c.shop, token.text(), &in, &wrong)
	}
	in.intake.Method.Kind = payment.PayeeCard
	kept := intakeDetails{Version: 1, Language: readLanguage(fields["language"]), NotificationURL: readURL(fields, notificationURL, &wrong)}
	in.intake.Details = kept.encode()
	if in.leaks() {
		wrong.add(base, textNotProcessable)
	}
	return in, wrong
}
