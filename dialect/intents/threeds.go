package intents

import (
	"strconv"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/wireid"
)

// appendNextAction appends what the payer has to do, null when he has nothing
// to (section 8). Clients that speak JSON hear of a challenge, those that send
// forms of a redirect; id is the intent's.
func (d *Dialect) appendNextAction(b []byte, v *view, id []byte) []byte {
	if v.status != requiresAction {
		return append(b, "null"...)
	}
	member := "redirect_to_url"
	var asked details
	if op := v.p.Authorization(); op.Dialect == Name {
		if asked.read(op.Details); asked.text(fieldFlavour) == "json" {
			member = "challenge_redirect"
		}
	}
	b = append(append(append(b, "{\n    \"type\": \""...), member...), "\",\n    \""...)
	b = append(append(b, member...), "\": {\n      \"return_url\": "...)
	if raw := v.details[fieldReturnURL]; raw != nil {
		b = append(b, raw...)
	} else {
		b = append(b, "null"...)
	}
	b = append(append(append(append(b, ",\n      \"url\": \""...), asked.text(fieldBase)...), challengePath...), id...)
	b = d.appendAccountRef(append(b, "?k1="...), v.p.Merchant, v.p.Tenant)
	b = d.appendSecret(append(b, "&client_secret="...), v.p.ID, id)
	return append(b, "\"\n    }\n  }"...)
}

// appendAccountRef appends a name by which the challenge page, where nobody
// authenticates, finds whose payment it is.
func (d *Dialect) appendAccountRef(b []byte, merchant, tenant int64) []byte {
	b = d.IDs.AppendBase62(b, "", wireid.Name{Kind: wireid.Merchant, Payment: payment.ID(merchant)})
	return d.IDs.AppendBase62(append(b, '.'), "", wireid.Name{Kind: wireid.Other, Payment: payment.ID(tenant)})
}

// serverTransaction tells the name of a 3-D Secure transaction from others of
// the same attempt.
const serverTransaction = 1

// appendThreeDS appends what came of 3-D Secure, null when it was not begun
// (section 5, member 23).
func (d *Dialect) appendThreeDS(b []byte, v *view) []byte {
	op := v.p.Authorization()
	if op == nil || op.Dialect != Name {
		return append(b, "null"...)
	}
	status, result, got := "COMPLETED", "", op.Answer.Authentication()
	switch {
	case op.Status == payment.OpAwaiting && !v.authenticated():
		status, result = "PENDING", "C"
	case op.Status == payment.OpAwaiting:
		result = "Y"
	case got == nil:
		return append(b, "null"...)
	default:
		result = got.Result
	}
	b = append(b, "{\n    \"cavv\": "...)
	if got != nil {
		b = dialect.AppendStringOrNull(b, got.CAVV)
	} else {
		b = append(b, "null"...)
	}
	b = append(b, ",\n    \"eci\": "...)
	if got != nil && got.ECI != nil {
		b = strconv.AppendInt(b, int64(*got.ECI), 10)
	} else {
		b = append(b, "null"...)
	}
	b = append(append(b, ",\n    \"status\": \""...), status...)
	b = append(append(b, "\",\n    \"three_d_result\": \""...), result...)
	b = append(b, "\",\n    \"three_d_enrollment\": \"Y\",\n    \"three_d_secure_version\": \"2.2.0\",\n    \"xid\": null,\n    \"three_d_secure_server_transaction_id\": \""...)
	b = append(b, d.IDs.UUID(wireid.Name{Kind: wireid.Other, Payment: v.p.ID, Operation: op.Number, Part: serverTransaction})...)
	return append(b, "\"\n  }"...)
}
