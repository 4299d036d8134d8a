package begateway

import (
	"context"
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
)

// process serves the 3-D Secure hop (section 8.3), below /process/: the page
// for the payer, the simulated server of his card's issuer, and the way back.
// Only a sandbox has them: issuers have pages of their own.
func (d *Dialect) process(w http.ResponseWriter, r *http.Request, rest string) {
	name, action, _ := strings.Cut(rest, "/")
	uid, ok := segment(name, "", "")
	if !ok || !d.Sandbox {
		d.serveNothing(w, r)
		return
	}
	dialect.MemoOf(r.Context()).Operation = "process"
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case action == "" && reads:
		d.showProcess(w, r, uid, nil)
	case action == acsPath[1:] && (reads || r.Method == http.MethodPost):
		form, ok := readForm(r)
		if !ok {
			d.page(w, http.StatusBadRequest, challenge{Text: "The request could not be read."})
			return
		}
		d.showProcess(w, r, uid, form)
	case action == returnPath[1:] && r.Method == http.MethodPost:
		if isForm(r) && r.Header.Get("Authorization") == "" {
			d.returnPayer(w, r, uid)
			return
		}
		d.serve(w, r, "finish", func(c *call) answered { return d.finish(c, uid) })
	default:
		d.serveNothing(w, r)
	}
}

// showProcess shows the question. As an issuer's server it is asked with a
// form, and answers to the address in it.
func (d *Dialect) showProcess(w http.ResponseWriter, r *http.Request, uid string, form url.Values) {
	p, err := d.challenged(r.Context(), uid)
	switch {
	case err != nil:
		d.fault(w, r, err)
	case p == nil:
		d.page(w, http.StatusNotFound, challenge{Text: "There is no such payment."})
	case !d.awaitsPayer(p):
		d.page(w, http.StatusOK, challenge{Text: "Nothing is asked of you any more."})
	default:
		page := challenge{
			Shop: d.shopName(r.Context(), p), Amount: money.Of(p.Amount, p.Currency).String(), Card: p.Method.Last4,
			Action: d.processURL(uid) + returnPath, MDName: "md", MD: d.md(uid), ResName: "pa_res", Yes: d.paRes(uid, "Y"), No: d.paRes(uid, "N"),
		}
		if to := form.Get("TermUrl"); to != "" {
			if u, err := url.Parse(to); err != nil || u.Scheme != "http" && u.Scheme != "https" || !same(form.Get("PaReq"), d.paReq(uid)) {
				d.page(w, http.StatusBadRequest, challenge{Text: "The request could not be read."})
				return
			}
			page.Action, page.MDName, page.MD, page.ResName = to, "MD", form.Get("MD"), "PaRes"
		}
		d.page(w, http.StatusOK, page)
	}
}

// returnPayer takes the payer's answer out of his browser and sends him back to
// the shop, with the transaction's uid and status. Who answers again is sent
// back again.
func (d *Dialect) returnPayer(w http.ResponseWriter, r *http.Request, uid string) {
	form, ok := readForm(r)
	p, err := d.challenged(r.Context(), uid)
	if err == nil && p != nil && ok && d.awaitsPayer(p) {
		approved, read := d.parsePaRes(uid, first(form, "pa_res", "PaRes"))
		if ok = read && same(first(form, "md", "MD"), d.md(uid)); ok {
			p, err = d.answerFor(r.Context(), p, approved)
		}
	}
	switch {
	case err != nil:
		d.fault(w, r, err)
		return
	case p == nil:
		d.page(w, http.StatusNotFound, challenge{Text: "There is no such payment."})
		return
	case !ok:
		d.page(w, http.StatusBadRequest, challenge{Text: "The answer could not be read."})
		return
	}
	kept, err := decodeIntakeDetails(p)
	if err != nil {
		d.fault(w, r, err)
		return
	}
	status := viewOf(p).status
	back, err := url.Parse(kept.ReturnURL)
	if err != nil || !back.IsAbs() {
		d.page(w, http.StatusOK, challenge{Text: "Thank you. You may close this page: the payment is " + status + "."})
		return
	}
	query := url.Values{"uid": {uid}, "status": {status}}.Encode()
	if back.RawQuery != "" {
		query = back.RawQuery + "&" + query
	}
	back.RawQuery = query
	processPage.Guard(w.Header())
	w.Header()["Location"] = []string{back.String()}
	w.WriteHeader(http.StatusSeeOther)
}

// finish answers POST /process/{uid}/return of a shop that led its payer to the
// issuer itself: it brings the answer and gets the transaction. What was
// answered before is not answered again.
func (d *Dialect) finish(c *call, uid string) answered {
	doc, ok := readDocument(c.body)
	if !ok {
		return answered{problem: fails(base, textBadJSON)}
	}
	if inner := doc.member("request"); inner.isObject() {
		doc = inner
	}
	t, ok := d.parseUID(uid)
	if !ok || t.operation != 0 {
		return answered{problem: notFound}
	}
	p, err := d.Engine.Payment(c.Context(), c.shop.merchant.Tenant, c.shop.merchant.ID, t.payment)
	if err != nil || p == nil || p.Dialect != Name || !expressible(p) {
		return answered{problem: notFound, err: err}
	}
	if d.awaitsPayer(p) {
		var wrong faults
		res, md := doc.member("pa_res"), doc.member("md")
		approved, read := d.parsePaRes(uid, res.text())
		switch {
		case res.blank():
			wrong.add(paResponse, textBlank)
		case !read:
			wrong.add(paResponse, textInvalid)
		}
		switch {
		case md.blank():
			wrong.add(merchantData, textBlank)
		case !same(md.text(), d.md(uid)):
			wrong.add(merchantData, textInvalid)
		}
		if len(wrong) > 0 {
			return answered{problem: invalid(wrong)}
		}
		if p, err = d.answerFor(c.Context(), p, approved); err != nil {
			return answered{err: err}
		}
	}
	return d.show(c, p, t, formOfQuery)
}

// answerFor reports what the payer did and returns the payment afterwards. If
// somebody was faster, that is as it is.
func (d *Dialect) answerFor(ctx context.Context, p *payment.Payment, approved bool) (*payment.Payment, error) {
	command := payment.PayerAnswer{Approved: approved}
	if !approved {
		command.Data = payment.Authentication{Flow: "challenge", Result: "N"}.Document()
	}
	access, err := d.Merchants.Merchant(ctx, p.Merchant)
	if err != nil || access == nil {
		return nil, err
	}
	set := readSettings(&access.Merchant)
	out, err := d.Engine.Do(ctx, payment.Request{
		Tenant: p.Tenant, Merchant: p.Merchant, Payment: p.ID, Command: command, Patience: set.patience, Screening: set.screening,
	})
	if err != nil {
		return nil, err
	}
	if out.Payment == nil {
		return d.Engine.Payment(ctx, p.Tenant, p.Merchant, p.ID)
	}
	return out.Payment, nil
}

// challenged finds the payment that a payer's browser asks for, nil if there is
// none that this API made.
func (d *Dialect) challenged(ctx context.Context, uid string) (*payment.Payment, error) {
	t, ok := d.parseUID(uid)
	if !ok || t.operation != 0 {
		return nil, nil
	}
	p, err := d.Anywhere(ctx, t.payment)
	if err != nil || p == nil || p.Dialect != Name {
		return nil, err
	}
	return d.Engine.Payment(ctx, p.Tenant, p.Merchant, p.ID)
}

func (d *Dialect) shopName(ctx context.Context, p *payment.Payment) string {
	access, err := d.Merchants.Merchant(ctx, p.Merchant)
	if err != nil || access == nil {
		return ""
	}
	return access.Name
}

func first(form url.Values, names ...string) string {
	for _, name := range names {
		if v := form.Get(name); v != "" {
			return v
		}
	}
	return ""
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
