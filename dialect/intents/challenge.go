package intents

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/page"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/wireid"
)

// challengePath begins the path of the page on which a payer authenticates. In
// test mode it has two buttons (section 8); there is none for live payments,
// whose issuers have their own.
const challengePath = "/v1/3ds/"

func isChallenge(path string) bool { return strings.HasPrefix(path, challengePath) }

var challengePage = page.Plain("3-D Secure test page", `{{if .Open}}<p>The merchant asks you to authenticate a test payment. No real money moves.</p>
<p class="amount">{{.Amount}}</p>
<form method="post">
<button class="yes" name="outcome" value="approve">Complete authentication</button>
<button class="no" name="outcome" value="fail">Fail authentication</button>
</form>
{{else}}<p>{{.Text}}</p>
{{end}}`, page.Framed)

// challengeView is what the page shows.
type challengeView struct {
	Open   bool
	Amount string
	Text   string
}

// serveChallenge serves the page. It needs no API key: whoever has the intent's
// client secret is the payer.
func (d *Dialect) serveChallenge(w http.ResponseWriter, r *http.Request) {
	p, err := d.challenged(r)
	switch {
	case err != nil:
		d.Logger.Error("3-D Secure page failed", "dialect", Name, "error", err)
		d.showChallenge(w, http.StatusInternalServerError, challengeView{Text: "Something went wrong on our side. Please try again."})
	case p == nil:
		d.showChallenge(w, http.StatusNotFound, challengeView{Text: "There is no such payment."})
	case r.Method == http.MethodPost:
		d.answerChallenge(w, r, p)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		d.showChallenge(w, http.StatusMethodNotAllowed, challengeView{Text: "This page can be looked at and answered."})
	default:
		v := view{}
		v.of(p)
		if v.status != requiresAction {
			d.showChallenge(w, http.StatusOK, challengeView{Text: "Nothing is asked of you any more."})
			return
		}
		d.showChallenge(w, http.StatusOK, challengeView{Open: true, Amount: amountText(p)})
	}
}

func (d *Dialect) showChallenge(w http.ResponseWriter, status int, v challengeView) {
	if err := challengePage.Write(w, status, v); err != nil {
		d.Logger.Error("3-D Secure page failed", "dialect", Name, "error", err)
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// challenged finds the payment of a page's URL; nil if there is none, or none
// that is a test.
func (d *Dialect) challenged(r *http.Request) (*payment.Payment, error) {
	id, ok := d.ParsePaymentID(strings.TrimPrefix(r.URL.Path, challengePath))
	query := r.URL.Query()
	merchant, tenant, _ := strings.Cut(query.Get("k1"), ".")
	m, okMerchant := d.parse("", wireid.Merchant, merchant)
	t, okTenant := d.parse("", wireid.Other, tenant)
	if !ok || !okMerchant || !okTenant || !d.secretFits(id, query.Get("client_secret")) {
		return nil, nil
	}
	p, err := d.Engine.Payment(r.Context(), int64(t.Payment), int64(m.Payment), id)
	if err != nil || p == nil || p.Dialect != Name || d.live(p) {
		return nil, err
	}
	return p, nil
}

// challengeFlow is the flow of an authentication that asked the payer.
const challengeFlow = "challenge"

var errAnswer = errors.New("intents: the payer's answer was refused")

// answerChallenge takes the payer's answer and sends him back to the merchant.
func (d *Dialect) answerChallenge(w http.ResponseWriter, r *http.Request, p *payment.Payment) {
	body, err := dialect.ReadBody(r)
	var form params
	if err != nil || !form.decodeForm(string(body)) {
		d.showChallenge(w, http.StatusBadRequest, challengeView{Text: "The answer could not be read."})
		return
	}
	outcome, _ := form.enum("outcome", "approve", "fail")
	var v view
	v.of(p)
	switch {
	case outcome == "":
		d.showChallenge(w, http.StatusBadRequest, challengeView{Text: "The answer could not be read."})
		return
	case v.status != requiresAction:
		d.answeredBefore(w, &v)
		return
	}
	request := payment.Request{Tenant: p.Tenant, Merchant: p.Merchant, Payment: p.ID}
	switch {
	case outcome == "fail":
		request.Command = payment.PayerAnswer{Data: payment.Authentication{Flow: challengeFlow, Result: "N"}.Document()}
	case v.word(fieldConfirmation, "") == "manual":
		request.Command = payment.Revise{Edit: authenticatedBy(p.Authorization().Number)}
	default:
		request.Command = payment.PayerAnswer{Approved: true}
	}
	out, err := d.Engine.Do(r.Context(), request)
	if err == nil && out.Refusal != nil && out.Payment != nil { // he was faster himself
		v.of(out.Payment)
		d.answeredBefore(w, &v)
		return
	}
	if err == nil && out.Payment == nil {
		err = errAnswer
	}
	if err != nil {
		d.Logger.Error("3-D Secure answer failed", "dialect", Name, "error", err)
		d.showChallenge(w, http.StatusInternalServerError, challengeView{Text: "Something went wrong on our side. Please try again."})
		return
	}
	v.of(out.Payment)
	d.sendBack(w, &v)
}

// answeredBefore is for a payer who answers once more: a second press of the
// button leads him to where the first one did.
func (d *Dialect) answeredBefore(w http.ResponseWriter, v *view) {
	if op := v.p.Authorization(); op != nil && op.Dialect == Name {
		if got := op.Answer.Authentication(); v.authenticated() || got != nil && got.Flow == challengeFlow {
			d.sendBack(w, v)
			return
		}
	}
	d.showChallenge(w, http.StatusConflict, challengeView{Text: "Nothing is asked of you any more."})
}

// sendBack leads a payer who has answered back to the merchant, if it is known
// where that is.
func (d *Dialect) sendBack(w http.ResponseWriter, v *view) {
	status := "succeeded"
	if v.p.Authorization().Status == payment.OpFailed {
		status = "failed"
	}
	back := v.details.text(fieldReturnURL)
	u, err := url.Parse(back)
	if back == "" || err != nil {
		d.showChallenge(w, http.StatusOK, challengeView{Text: "Thank you. You may close this page: the payment has " + status + "."})
		return
	}
	query := url.Values{
		"payment_intent": {d.PaymentID(v.p)}, "payment_intent_client_secret": {string(d.secret(v.p.ID))}, "redirect_status": {status},
	}.Encode()
	if u.RawQuery != "" {
		query = ascii(u.RawQuery) + "&" + query
	}
	u.RawQuery = query
	challengePage.Guard(w.Header())
	w.Header()["Location"] = []string{u.String()}
	w.WriteHeader(http.StatusSeeOther)
}

// ascii escapes what may not stand in a URL as it is.
func ascii(query string) string {
	b := make([]byte, 0, len(query))
	for _, c := range []byte(query) {
		if c > ' ' && c < 0x7f && c != '"' && c != '<' && c != '>' {
			b = append(b, c)
		} else {
			b = fmt.Appendf(b, "%%%02X", c)
		}
	}
	return string(b)
}

// authenticatedBy notes that the payer has done his part of an attempt, where
// the server has to confirm again (confirmation_method manual).
func authenticatedBy(attempt int) payment.Edit {
	return func(p *payment.Payment) (payment.Intake, *payment.Refusal) {
		if op := p.Authorization(); p.Status != payment.AwaitingPayer || op.Number != attempt {
			return payment.Intake{}, payment.Refuse(payment.NotAwaitingPayer)
		}
		var now details
		now.read(p.Details)
		now.setNumber(fieldAuthenticated, attempt)
		in := p.Intake
		in.Details = now.document()
		return in, nil
	}
}

// amountText is an amount for people.
func amountText(p *payment.Payment) string { return money.Of(p.Amount, p.Currency).String() }
