package begateway

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/payment"
)

// failReasons say why a payer was not authenticated, by what the protocol
// answered.
var failReasons = map[string]string{
	"N": "Cardholder was not authenticated",
	"R": "Issuer rejected the authentication",
	"U": "Authentication could not be performed",
}

// appendThreeDS appends the section about 3-D Secure (section 8.3), nothing
// where there was none: what the payer has to do, or what came of it.
func (d *Dialect) appendThreeDS(b []byte, p *payment.Payment, uid string) []byte {
	op := p.Authorization()
	if op == nil {
		return b
	}
	if d.awaitsPayer(p) {
		b = append(b, `,"three_d_secure_verification":{"status":"incomplete","ve_status":"Y"`...)
		b = dialect.AppendString(append(b, `,"acs_url":`...), d.processURL(uid)+acsPath)
		b = dialect.AppendString(append(b, `,"pa_req":`...), d.paReq(uid))
		b = dialect.AppendString(append(b, `,"md":`...), d.md(uid))
		b = dialect.AppendString(append(b, `,"pa_res_url":`...), d.processURL(uid)+returnPath)
		return append(b, '}')
	}
	got := op.Answer.Authentication()
	if got == nil {
		return b
	}
	status, enrolled, eci, algorithm := statusFailed, "Y", "", ""
	if got.Result == "Y" || got.Result == "A" {
		status = statusSuccessful
	}
	answered := got.Result
	if got.Result == "U" {
		enrolled, answered = "U", ""
	}
	if got.ECI != nil {
		eci = fmt.Sprintf("%02d", *got.ECI)
	}
	if got.CAVV != "" {
		algorithm = "2" // of Visa: a keyed hash
	}
	b = dialect.AppendString(append(b, `,"three_d_secure_verification":{"status":`...), status)
	b = append(b, `,"message":null`...)
	b = dialect.AppendString(append(b, `,"ve_status":`...), enrolled)
	b = dialect.AppendStringOrNull(append(b, `,"pa_status":`...), answered)
	b = dialect.AppendStringOrNull(append(b, `,"eci":`...), eci)
	b = append(b, `,"xid":null`...)
	b = dialect.AppendStringOrNull(append(b, `,"cavv":`...), got.CAVV)
	b = dialect.AppendStringOrNull(append(b, `,"cavv_algorithm":`...), algorithm)
	b = dialect.AppendStringOrNull(append(b, `,"fail_reason":`...), failReasons[got.Result])
	return append(b, '}')
}

// awaitsPayer tells whether the payer of a payment has to authenticate on the
// page behind its redirect_url. Payments of other dialects have pages of their
// own.
func (d *Dialect) awaitsPayer(p *payment.Payment) bool {
	return d.Sandbox && p.Status == payment.AwaitingPayer && p.Dialect == Name
}

// Paths of the hop, below a transaction's process URL.
const (
	processPath = "/process/"
	acsPath     = "/acs"
	returnPath  = "/return"
)

func (d *Dialect) processURL(uid string) string { return d.PublicURL + processPath + uid }

// The values that travel through the payer's browser. Nobody else can make
// them up, so an answer is one that our page gave.
func (d *Dialect) paReq(uid string) string { return d.proof("begateway pa_req", uid) }
func (d *Dialect) md(uid string) string    { return d.proof("begateway md", uid) }

// paRes is what the page answers for a payer: Y or N, with its proof.
func (d *Dialect) paRes(uid, result string) string {
	return result + "." + d.proof("begateway pa_res", uid, result)
}

// parsePaRes reads what paRes made for the same uid.
func (d *Dialect) parsePaRes(uid, answer string) (approved, ok bool) {
	result, _, _ := strings.Cut(answer, ".")
	return result == "Y", (result == "Y" || result == "N") && same(answer, d.paRes(uid, result))
}

func (d *Dialect) proof(purpose string, parts ...string) string {
	raw := make([][]byte, len(parts))
	for i, p := range parts {
		raw[i] = []byte(p)
	}
	sum := d.Keys.MAC(purpose, raw...)
	return hex.EncodeToString(sum[:16])
}
