package intents

import (
	"strconv"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/payment"
)

// appendCharge appends the Charge object of an attempt (section 10).
func (d *Dialect) appendCharge(b []byte, v *view, op *payment.Operation, s shape) []byte {
	p, m := v.p, v.methodOf(op)
	amount, captured, refunded := p.Amount, int64(0), int64(0)
	if approved(op) {
		amount, captured = p.Authorized, p.Captured
		refunded = v.released() + p.Refunded + p.InFlight(payment.OpRefund)
	}
	integer := func(name string, minor int64) {
		b = strconv.AppendInt(appendMember(b, name), v.scale.wire(minor), 10)
	}
	text := func(name, value string) { b = dialect.AppendStringOrNull(appendMember(b, name), value) }
	flag := func(name string, on bool) { b = dialect.AppendBool(appendMember(b, name), on) }
	null := func(names ...string) {
		for _, name := range names {
			b = append(appendMember(b, name), "null"...)
		}
	}

	b = d.appendChargeID(append(b, "{\n  \"id\": \""...), p.ID, op.Number)
	b = append(b, "\",\n  \"object\": \"charge\""...)
	integer("amount", amount)
	integer("amount_captured", captured)
	integer("amount_refunded", refunded)
	null("application", "application_fee")
	b = v.appendFee(appendMember(b, "application_fee_amount"))
	b = d.appendBalanceMember(appendMember(b, "balance_transaction"), v, op, s)
	b = appendBilling(appendMember(b, "billing_details"), m)
	null("calculated_statement_descriptor")
	flag("captured", captured > 0)
	b = strconv.AppendInt(appendMember(b, "created"), op.At.Unix(), 10)
	b = append(appendLower(append(appendMember(b, "currency"), '"'), p.Currency), '"')
	b = v.member(b, "customer", fieldCustomer, "null")
	text("description", p.Description)
	flag("disputed", false)
	null("failure_balance_transaction")
	if op.Status == payment.OpFailed {
		why := declineOf(op)
		text("failure_code", why.code)
		text("failure_message", why.message)
	} else {
		null("failure_code", "failure_message")
	}
	b = append(b, ",\n  \"fraud_details\": {}"...)
	flag("livemode", d.live(p))
	b = v.appendMetadata(appendMember(b, "metadata"))
	b = v.member(b, "on_behalf_of", fieldOnBehalfOf, "null")
	b = appendOutcome(appendMember(b, "outcome"), op)
	flag("paid", approved(op))
	b = d.appendIntentMember(appendMember(b, "payment_intent"), v, s)
	b = append(d.appendMethodRef(append(appendMember(b, "payment_method"), '"'), v, m), '"')
	b = d.appendMethodDetails(appendMember(b, "payment_method_details"), v, op, m)
	text("receipt_email", p.Email)
	null("receipt_number", "receipt_url")
	flag("refunded", approved(op) && refunded > 0 && refunded == max(amount, captured))
	if s&expandRefunds != 0 {
		b = d.appendRefundList(appendMember(b, "refunds"), v, op)
	}
	null("review")
	b = v.member(b, "shipping", fieldShipping, "null")
	null("source_transfer")
	b = v.patched(b, "statement_descriptor", fieldStatement)
	b = v.patched(b, "statement_descriptor_suffix", fieldStatementSuffix)
	text("status", chargeStatus(op))
	b = v.member(b, "transfer_data", fieldTransferData, "null")
	b = v.member(b, "transfer_group", fieldTransferGroup, "null")
	return append(b, "\n}"...)
}

// appendMember appends the name of a member on a line of its own.
func appendMember(b []byte, name string) []byte {
	return append(append(append(b, ",\n  \""...), name...), `": `...)
}

func approved(op *payment.Operation) bool { return op.Status == payment.OpApproved }

func chargeStatus(op *payment.Operation) string {
	switch op.Status {
	case payment.OpApproved:
		return "succeeded"
	case payment.OpPending:
		return "pending"
	}
	return "failed"
}

// appendOutcome appends what the network said, null while it has not.
func appendOutcome(b []byte, op *payment.Operation) []byte {
	switch op.Status {
	case payment.OpApproved:
		return append(b, `{
    "network_status": "approved_by_network",
    "reason": null,
    "risk_level": "normal",
    "risk_score": 0,
    "seller_message": "Payment complete.",
    "type": "authorized"
  }`...)
	case payment.OpPending:
		return append(b, "null"...)
	}
	why := declineOf(op)
	network, level, message, kind := "declined_by_network", "normal", "The bank did not return any further details with this decline.", "issuer_declined"
	if why.blocked {
		network, level, message, kind = "not_sent_to_network", "highest", "The charge was blocked before it was sent to the bank.", "blocked"
	} else if why.issuer != "" && why.issuer != "generic_decline" {
		message = "The bank returned the decline code `" + why.issuer + "`."
	}
	b = dialect.AppendString(append(b, "{\n    \"network_status\": "...), network)
	b = dialect.AppendStringOrNull(append(b, ",\n    \"reason\": "...), why.issuer)
	b = dialect.AppendString(append(b, ",\n    \"risk_level\": "...), level)
	b = dialect.AppendString(append(b, ",\n    \"risk_score\": 0,\n    \"seller_message\": "...), message)
	b = dialect.AppendString(append(b, ",\n    \"type\": "...), kind)
	return append(b, "\n  }"...)
}

// appendMethodDetails appends what the charge knows of its card.
func (d *Dialect) appendMethodDetails(b []byte, v *view, op *payment.Operation, m method) []byte {
	p, c := v.p, m.card
	if c.Kind != payment.CardMethod {
		return append(b, "null"...)
	}
	member := func(name string) { b = append(append(append(b, ",\n      \""...), name...), `": `...) }
	text := func(name, value string) { member(name); b = dialect.AppendStringOrNull(b, value) }
	status := func(name, value string) {
		member(name)
		b = append(dialect.AppendString(append(b, "{\n        \"status\": "...), value), "\n      }"...)
	}
	integer := func(name string, n int64) { member(name); b = strconv.AppendInt(b, n, 10) }

	b = append(b, "{\n    \"card\": {\n      \"amount_authorized\": "...)
	if approved(op) {
		b = strconv.AppendInt(b, v.scale.wire(p.Authorized), 10)
	} else {
		b = append(b, "null"...)
	}
	text("authorization_code", op.Answer.AuthCode)
	text("brand", c.Brand)
	if approved(op) && p.Status == payment.Authorized && !p.Policy.AutoCapture {
		before := p.ExpiresAt.Unix()
		if v.details[fieldClock] != nil {
			before = v.clockDeadline()
		}
		integer("capture_before", before)
	}
	member("checks")
	b = append(b, "{\n        \"address_line1_check\": null,\n        \"address_postal_code_check\": null,\n        \"cvc_check\": "...)
	b = append(append(b, cvcCheck(op)...), "\n      }"...)
	text("country", c.Country)
	integer("exp_month", int64(c.ExpMonth))
	integer("exp_year", int64(c.ExpYear))
	status("extended_authorization", extendedStatus(v))
	text("fingerprint", fingerprint(c))
	text("funding", c.Funding)
	status("incremental_authorization", available(v.incremental()))
	text("installments", "")
	text("last4", c.Last4)
	text("mandate", "")
	status("multicapture", available(p.Policy.MaxCaptures != 1 && !p.Policy.AutoCapture))
	text("network", c.Brand)
	member("network_token")
	b = append(b, "{\n        \"used\": false\n      }"...)
	text("network_transaction_id", op.Answer.Reference)
	over := v.overCapture()
	member("overcapture")
	b = append(b, "{\n        \"maximum_amount_capturable\": "...)
	b = strconv.AppendInt(b, v.scale.wire(over), 10)
	b = dialect.AppendString(append(b, ",\n        \"status\": "...), available(over > p.Amount))
	b = append(b, "\n      }"...)
	text("regulated_status", "")
	member("three_d_secure")
	b = appendChargeThreeDS(b, op)
	return append(b, ",\n      \"wallet\": null\n    },\n    \"type\": \"card\"\n  }"...)
}

// overCapture is the most that may be captured of the intent in all, in minor
// units. Only what this dialect granted counts (section 12).
func (v *view) overCapture() int64 {
	base := v.p.Amount
	if v.p.Authorized > 0 {
		base = v.p.Authorized
	}
	if v.p.Dialect != Name || v.p.Policy.OverCapture <= 100 {
		return base
	}
	return base * v.p.Policy.OverCapture / 100 // eight digits and a percentage: no overflow
}

func available(yes bool) string {
	if yes {
		return "available"
	}
	return "unavailable"
}

func cvcCheck(op *payment.Operation) string {
	switch {
	case op.Status == payment.OpApproved:
		return `"pass"`
	case op.Status == payment.OpFailed && op.Answer.Reason == payment.IncorrectCVC:
		return `"fail"`
	}
	return "null"
}

// appendChargeThreeDS appends what the charge knows of 3-D Secure, null
// without it.
func appendChargeThreeDS(b []byte, op *payment.Operation) []byte {
	got := op.Answer.Authentication()
	if got == nil {
		return append(b, "null"...)
	}
	result := map[string]string{"Y": "authenticated", "A": "attempt_acknowledged", "N": "failed", "R": "failed"}[got.Result]
	if result == "" {
		result = "not_supported"
	}
	b = dialect.AppendString(append(b, "{\n        \"authentication_flow\": "...), got.Flow)
	b = append(b, ",\n        \"electronic_commerce_indicator\": "...)
	if got.ECI != nil {
		b = append(strconv.AppendInt(append(b, `"0`...), int64(*got.ECI), 10), '"')
	} else {
		b = append(b, "null"...)
	}
	b = dialect.AppendString(append(b, ",\n        \"result\": "...), result)
	return append(b, ",\n        \"result_reason\": null,\n        \"version\": \"2.2.0\"\n      }"...)
}
