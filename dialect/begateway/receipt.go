package begateway

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/receipt"
)

// receipt answers GET /customer/transactions/{uid}/{hash}, the page behind
// receipt_url (section 8.4). Whoever has the hash may read it; anything else
// is not found. A language may be asked for, and is ignored.
func (d *Dialect) receipt(w http.ResponseWriter, r *http.Request, rest string) {
	uid, hash, _ := strings.Cut(rest, "/")
	page, err := d.findReceipt(r, uid, hash)
	if err == nil && page == nil && !strings.Contains(r.Header.Get("Accept"), "text/html") {
		d.serveNothing(w, r)
		return
	}
	if err == nil {
		w.Header()["X-Request-Id"] = []string{d.requestID()}
		err = receipt.Write(w, page) // says so itself if there is none: a person asks
	}
	if err != nil {
		d.write(w, r, nil, answered{err: err})
	}
}

// findReceipt returns what the page shows, nil if there is no such receipt.
func (d *Dialect) findReceipt(r *http.Request, uid, hash string) (*receipt.Receipt, error) {
	number, ok := d.parseReceipt(uid, hash)
	t, known := d.parseUID(uid)
	if !ok || !known {
		return nil, nil
	}
	s, err := d.findShop(r.Context(), shopCredential, strconv.FormatInt(number, 10))
	if err != nil || s == nil {
		return nil, err
	}
	p, err := d.Engine.Payment(r.Context(), s.merchant.Tenant, s.merchant.ID, t.payment)
	if err != nil || !shown(p, t) {
		return nil, err
	}
	return d.readReceipt(s, p, t)
}

// readReceipt is the shared page with this API's words for what happened.
func (d *Dialect) readReceipt(s *shop, p *payment.Payment, t transaction) (*receipt.Receipt, error) {
	page := receipt.Of(p, t.operation, s.merchant)
	page.Test = page.Test || d.Sandbox
	var kind, status string
	if op := p.Op(t.operation); op != nil {
		checked, err := readVerification(op.Answer.Screening)
		if err != nil {
			return nil, err
		}
		o := operationOf(op)
		kind, status = o.name, operationStatus(op)
		page.Message = childMessage(o, checked, status)
	} else {
		v := viewOf(p)
		checked, err := v.verification()
		if err != nil {
			return nil, err
		}
		kind, status = v.kind, v.status
		page.Message = v.message(checked)
	}
	switch status {
	case statusFailed:
		page.State = receipt.Declined
	case statusIncomplete:
		page.State = receipt.Pending
	case statusExpired:
		page.State = receipt.Expired
	}
	if t.operation != 0 || page.Amount.Minor == p.Amount { // else it tells what was taken of an authorization
		page.Headline = strings.ToUpper(kind[:1]) + kind[1:] + " " + status
	}
	page.Add("Transaction", d.uid(t))
	return &page, nil
}
