package intents

import (
	"strconv"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/payment"
)

// shape says how an intent is to be shown. It is part of what a replay needs.
type shape uint8

const (
	expandCharge  shape = 1 << iota // latest_charge as an object
	expandMethod                    // payment_method as an object
	expandRefunds                   // latest_charge.refunds
	expandBalance                   // latest_charge.balance_transaction
	legacyCharges                   // with the list that API versions before 2022-11-15 had
	publishable                     // cut down to what a publishable key may see
	expandIntent                    // payment_intent, of a charge or refund, as an object
)

const defaultOptions = `{
    "card": {
      "request_three_d_secure": "automatic",
      "setup_future_usage": null,
      "capture_method": null,
      "tax_id": null,
      "installments": null,
      "mandate_options": null,
      "network": null
    }
  }`

// appendIntent appends the PaymentIntent object (section 5): all of the seed's
// members in the seed's order, then Stripe's. It is a function of its
// arguments alone.
func (d *Dialect) appendIntent(b []byte, v *view, s shape) []byte {
	p := v.p
	b = append(b, "{\n  \"id\": \""...)
	from := len(b)
	b = d.appendIntentID(b, p.ID)
	id := b[from:]
	b = append(b, "\",\n  \"object\": \"payment_intent\",\n  \"created\": "...)
	b = strconv.AppendInt(b, p.CreatedAt.Unix(), 10)
	b = append(b, ",\n  \"currency\": \""...)
	b = append(appendLower(b, p.Currency), '"')
	if s&publishable == 0 {
		b = v.member(b, "customer", fieldCustomer, "null")
	}
	b = append(b, ",\n  \"amount\": "...)
	b = strconv.AppendInt(b, v.scale.wire(p.Amount), 10)
	b = append(append(append(b, ",\n  \"status\": \""...), v.status...), "\",\n  \"description\": "...)
	b = dialect.AppendStringOrNull(b, p.Description)
	if s&publishable == 0 {
		b = v.appendMetadata(append(b, ",\n  \"metadata\": "...))
	}
	b = dialect.AppendBool(append(b, ",\n  \"livemode\": "...), d.live(p))
	b = v.member(b, "shipping", fieldShipping, "null")
	if s&publishable == 0 {
		b = dialect.AppendStringOrNull(append(b, ",\n  \"merchant_order_id\": "...), p.Reference)
	}
	b = d.appendSecret(append(b, ",\n  \"client_secret\": \""...), p.ID, id)
	b = d.appendLastError(append(b, "\",\n  \"last_payment_error\": "...), v)
	b = d.appendNextAction(append(b, ",\n  \"next_action\": "...), v, id)
	b = v.member(b, "payment_method_types", fieldTypes, "[\n    \"card\"\n  ]")
	if s&publishable == 0 {
		b = v.member(b, "payment_method_options", fieldOptions, defaultOptions)
	}
	b = d.appendMethodMember(append(b, ",\n  \"payment_method\": "...), v, s)
	b = dialect.AppendStringOrNull(append(b, ",\n  \"receipt_email\": "...), p.Email)
	b = append(b, ",\n  \"canceled_at\": "...)
	if v.status == canceled {
		b = strconv.AppendInt(b, p.ClosedAt.Unix(), 10)
		b = dialect.AppendStringOrNull(append(b, ",\n  \"cancellation_reason\": "...), v.cancellation())
	} else {
		b = append(b, "null,\n  \"cancellation_reason\": null"...)
	}
	b = v.member(b, "confirmation_method", fieldConfirmation, `"automatic"`)
	if s&publishable == 0 {
		b = d.appendThreeDS(append(b, ",\n  \"3ds_status\": "...), v)
		b = append(b, ",\n  \"amount_capturable\": "...)
		b = strconv.AppendInt(b, v.scale.wire(v.capturable()), 10)
		b = v.member(b, "return_url", fieldReturnURL, "null")
		b = v.member(b, "quantity", fieldQuantity, "null")
		b = d.appendChargeMember(append(b, ",\n  \"latest_charge\": "...), v, s)
		b = v.member(b, "merchant_user_id", fieldMerchantUser, "null")
		b = append(b, ",\n  \"amount_received\": "...)
		b = strconv.AppendInt(b, v.scale.wire(p.Captured), 10)
	}
	b = append(b, ",\n  \"capture_method\": "...)
	b = v.appendCaptureMethod(b)
	if s&publishable == 0 {
		b = append(b, ",\n  \"invoice\": null"...)
	}
	b = v.member(b, "setup_future_usage", fieldFutureUsage, "null")
	if s&publishable != 0 {
		b = v.member(b, "automatic_payment_methods", fieldAutomatic, "null")
		return append(b, ",\n  \"processing\": null\n}"...)
	}
	b = v.appendFurther(b)
	if s&legacyCharges != 0 {
		b = d.appendLegacyCharges(append(b, ",\n  \"charges\": "...), v)
	}
	return append(b, "\n}"...)
}

// appendFurther appends the members that the seed does not have, in
// alphabetical order.
func (v *view) appendFurther(b []byte) []byte {
	b = v.member(b, "allowed_payment_method_types", fieldAllowed, "null")
	b = v.member(b, "amount_details", fieldAmountDetails, "{\n    \"tip\": {}\n  }")
	b = append(b, ",\n  \"application\": null,\n  \"application_fee_amount\": "...)
	b = v.appendFee(b)
	b = v.member(b, "automatic_payment_methods", fieldAutomatic, "null")
	b = append(b, ",\n  \"customer_account\": null"...)
	b = v.member(b, "excluded_payment_method_types", fieldExcluded, "null")
	b = append(b, ",\n  \"managed_payments\": null"...)
	b = v.member(b, "on_behalf_of", fieldOnBehalfOf, "null")
	b = append(b, ",\n  \"payment_method_configuration_details\": null,\n  \"processing\": null,\n  \"review\": null,\n  \"source\": null"...)
	b = v.patched(b, "statement_descriptor", fieldStatement)
	b = v.patched(b, "statement_descriptor_suffix", fieldStatementSuffix)
	b = v.member(b, "transfer_data", fieldTransferData, "null")
	return v.member(b, "transfer_group", fieldTransferGroup, "null")
}

// appendFee appends the platform's share: what the captures took, before them
// what was agreed; null for none.
func (v *view) appendFee(b []byte) []byte {
	fee := v.p.Fee
	if v.p.Captured > 0 {
		fee = capturedFees(v.p)
	}
	if fee == 0 {
		return append(b, "null"...)
	}
	return strconv.AppendInt(b, v.scale.wire(fee), 10)
}

// member appends a member whose value is a field of the details.
func (v *view) member(b []byte, name string, f field, otherwise string) []byte {
	b = append(append(append(b, ",\n  \""...), name...), `": `...)
	if raw := v.details[f]; raw != nil {
		return appendPretty(b, raw, 1)
	}
	return append(b, otherwise...)
}

// patched appends a member that captures may replace.
func (v *view) patched(b []byte, name string, f field) []byte {
	raw := v.details[f]
	v.captures(func(asked *details) {
		if asked[f] != nil {
			raw = asked[f]
		}
	})
	b = append(append(append(b, ",\n  \""...), name...), `": `...)
	if raw == nil {
		return append(b, "null"...)
	}
	return appendPretty(b, raw, 1)
}

// metadata is that of creation with what captures added; nil for none.
func (v *view) metadata() []byte {
	raw := v.details[fieldMetadata]
	v.captures(func(asked *details) {
		if patch := asked[fieldMetadata]; patch != nil {
			raw = mergeMetadata(raw, patch)
		}
	})
	return raw
}

func (v *view) appendMetadata(b []byte) []byte {
	raw := v.metadata()
	if raw == nil {
		return append(b, "{}"...)
	}
	return appendPretty(b, raw, 1)
}

func (v *view) appendCaptureMethod(b []byte) []byte {
	if raw := v.details[fieldCaptureMethod]; raw != nil {
		return append(b, raw...)
	}
	if v.p.Policy.AutoCapture {
		return append(b, `"automatic"`...)
	}
	return append(b, `"manual"`...)
}

// appendMethodMember appends the id of the payment method, or the method
// itself.
func (d *Dialect) appendMethodMember(b []byte, v *view, s shape) []byte {
	switch {
	case !v.hasMethod():
		return append(b, "null"...)
	case s&expandMethod != 0 && s&publishable == 0:
		return appendNested(b, d.appendMethod(nil, v, v.method()), 1)
	}
	return append(d.appendMethodRef(append(b, '"'), v, v.method()), '"')
}

// appendChargeMember appends the id of the latest charge, or the charge.
func (d *Dialect) appendChargeMember(b []byte, v *view, s shape) []byte {
	attempt := v.attempt()
	switch {
	case attempt == nil:
		return append(b, "null"...)
	case s&expandCharge != 0:
		return appendNested(b, d.appendCharge(nil, v, attempt, s), 1)
	}
	return append(d.appendChargeID(append(b, '"'), v.p.ID, attempt.Number), '"')
}

// appendIntentMember appends the id of the intent, or the intent.
func (d *Dialect) appendIntentMember(b []byte, v *view, s shape) []byte {
	if s&expandIntent != 0 {
		return appendNested(b, d.appendIntent(nil, v, 0), 1)
	}
	return append(d.appendIntentID(append(b, '"'), v.p.ID), '"')
}

// appendLegacyCharges appends the list of all charges, newest first.
func (d *Dialect) appendLegacyCharges(b []byte, v *view) []byte {
	b = append(b, "{\n    \"object\": \"list\",\n    \"data\": ["...)
	count := 0
	for i := len(v.p.Operations) - 1; i >= 0; i-- {
		op := &v.p.Operations[i]
		if !hasCharge(op) {
			continue
		}
		if count > 0 {
			b = append(b, ',')
		}
		count++
		b = appendNested(append(b, "\n      "...), d.appendCharge(nil, v, op, 0), 3)
	}
	if count > 0 {
		b = append(b, "\n    "...)
	}
	b = append(b, "],\n    \"has_more\": false,\n    \"total_count\": "...)
	b = strconv.AppendInt(b, int64(count), 10)
	b = append(b, ",\n    \"url\": \"/v1/charges?payment_intent="...)
	return append(d.appendIntentID(b, v.p.ID), "\"\n  }"...)
}

// live tells whether real money moves. What another dialect made in a sandbox
// is a test, whatever it says.
func (d *Dialect) live(p *payment.Payment) bool {
	return !p.Test && (p.Dialect == Name || !d.Sandbox)
}
