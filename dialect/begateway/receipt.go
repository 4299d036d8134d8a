package begateway

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
)

//go:embed receipt.html
var receiptHTML string

var receiptPage = template.Must(template.New("receipt").Parse(receiptHTML))

// receiptView is what the payer reads about a transaction.
type receiptView struct {
	Shop    string
	Type    string
	Amount  string
	Status  string
	Message string
	Created string
	Done    string // empty while it is not
	Card    string
	UID     string
	Test    bool
}

// receipt answers GET /customer/transactions/{uid}/{hash}, the page behind
// receipt_url (section 8.4). Whoever has the hash may read it; anything else
// is not found.
func (d *Dialect) receipt(w http.ResponseWriter, r *http.Request, rest string) {
	uid, hash, _ := strings.Cut(rest, "/")
	view, err := d.findReceipt(r, uid, hash)
	if err != nil {
		d.write(w, r, nil, answered{err: err})
		return
	}
	if view == nil {
		d.serveNothing(w, r)
		return
	}
	var page bytes.Buffer
	if err := receiptPage.Execute(&page, view); err != nil {
		d.write(w, r, nil, answered{err: err})
		return
	}
	h := w.Header()
	h["Content-Type"] = []string{"text/html; charset=utf-8"}
	h["Content-Length"] = []string{strconv.Itoa(page.Len())}
	h["Content-Security-Policy"] = []string{"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}
	h["Referrer-Policy"] = []string{"no-referrer"}
	h["Cache-Control"] = []string{"no-store"}
	h["X-Content-Type-Options"] = nosniff
	h["X-Request-Id"] = []string{d.requestID()}
	if _, err := page.WriteTo(w); err != nil {
		d.Logger.Debug("receipt not delivered", "dialect", Name, "error", err)
	}
}

// findReceipt returns what the page shows, nil if there is no such receipt.
func (d *Dialect) findReceipt(r *http.Request, uid, hash string) (*receiptView, error) {
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
	if err != nil || p == nil || !expressible(p) || t.operation != 0 && !isTransaction(p, t.operation) {
		return nil, err
	}
	return d.readReceipt(s, p, t)
}

func (d *Dialect) readReceipt(s *shop, p *payment.Payment, t transaction) (*receiptView, error) {
	view := &receiptView{Shop: s.merchant.Name, Card: "**** " + p.Method.Last4, UID: d.uid(t), Test: p.Test}
	if t.operation == 0 {
		v := viewOf(p)
		checked, err := v.verification()
		if err != nil {
			return nil, err
		}
		view.Type, view.Status, view.Message = v.kind, v.status, v.message(checked)
		view.Amount = money.Of(p.Amount, p.Currency).String()
		view.Created = receiptTime(p.CreatedAt)
		if v.last != nil {
			view.Done = receiptTime(v.last.DoneAt)
		}
		return view, nil
	}
	op := p.Op(t.operation)
	o, status := operationOf(op), operationStatus(op)
	checked, err := readVerification(op.Answer.Screening)
	if err != nil {
		return nil, err
	}
	view.Type, view.Status, view.Message = o.name, status, childMessage(o, checked, status)
	view.Amount = money.Of(op.Amount, p.Currency).String()
	view.Created, view.Done = receiptTime(op.At), receiptTime(op.DoneAt)
	return view, nil
}

func receiptTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}
