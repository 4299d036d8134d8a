package sandbox

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"

	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/page"
	"github.com/capstan-pay/capstan/payment"
)

var (
	//go:embed cashier.html
	cashierHTML string

	cashierPage = page.Plain("Sandbox cashier", cashierHTML, page.Framed)
)

// cashier is what the page shows: a question while the order waits, else a
// text.
type cashier struct {
	Merchant, Amount, For string
	Waits                 bool
	Later                 bool // nothing is taken now
	Text                  string
}

// walletOrder serves the cashier's page to browsers, and the control to
// everybody else. A wallet's redirectActionForm is a POST of no members, so a
// form without a decision asks for the page too.
func (s *Sandbox) walletOrder(w http.ResponseWriter, r *http.Request) {
	form := url.Values{}
	if r.Method == http.MethodPost {
		body, err := readBody(r)
		if err != nil || !isForm(r, body) {
			r.Body = io.NopCloser(bytes.NewReader(body))
			s.handle(func(r *http.Request) (any, error) {
				if err != nil {
					return nil, err
				}
				return s.postWalletOrder(r)
			})(w, r)
			return
		}
		form, _ = url.ParseQuery(string(body)) // what cannot be read is no decision
	}
	p, err := s.findPayment(r.Context(), r.PathValue("payment"))
	switch decision := form.Get("decision"); {
	case err != nil:
		s.cashierFault(w, err)
	case p == nil || p.Method.Kind != payment.WalletMethod:
		s.cashierShow(w, http.StatusNotFound, cashier{Text: "There is no such order."})
	case p.Status != payment.AwaitingPayer || decision != "approve" && decision != "decline":
		s.cashierOrder(r.Context(), w, p)
	default:
		if p, err = s.decide(r.Context(), p, decision == "approve", form.Get("user_id")); err != nil {
			s.cashierFault(w, err)
			return
		}
		s.cashierDone(w, p)
	}
}

// isForm tells a browser's form from a control that was sent without saying
// that it is JSON, as curl does.
func isForm(r *http.Request, body []byte) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == "application/x-www-form-urlencoded" && !bytes.HasPrefix(bytes.TrimSpace(body), []byte("{"))
}

// cashierOrder asks about an order that waits, and says what became of any
// other.
func (s *Sandbox) cashierOrder(ctx context.Context, w http.ResponseWriter, p *payment.Payment) {
	if p.Status != payment.AwaitingPayer {
		s.cashierShow(w, http.StatusOK, cashier{Text: became(p)})
		return
	}
	m, err := s.Store.Merchant(ctx, p.Merchant)
	if err == nil && m == nil {
		err = errUnknown
	}
	if err != nil {
		s.cashierFault(w, err)
		return
	}
	s.cashierShow(w, http.StatusOK, cashier{
		Merchant: m.Name, Amount: money.Amount{Minor: p.Amount, Currency: p.Currency}.String(), For: p.Description,
		Waits: true, Later: !p.Policy.AutoCapture,
	})
}

// cashierDone sends the payer back to the shop, or says what came of it where
// the shop named no address.
func (s *Sandbox) cashierDone(w http.ResponseWriter, p *payment.Payment) {
	if to, err := url.Parse(s.ReturnURL(p)); err == nil && (to.Scheme == "https" || to.Scheme == "http") && to.Host != "" {
		w.Header().Set("Location", to.String())
		s.cashierShow(w, http.StatusSeeOther, cashier{Text: became(p)})
		return
	}
	s.cashierShow(w, http.StatusOK, cashier{Text: became(p)})
}

// became is what became of an order.
func became(p *payment.Payment) string {
	switch p.Status {
	case payment.Authorized, payment.Captured:
		return "You have approved this payment."
	case payment.Voided, payment.Expired:
		return "This order is closed."
	case payment.Declined:
		return "This payment did not go through."
	}
	return "This payment is under way."
}

func (s *Sandbox) cashierFault(w http.ResponseWriter, err error) {
	var p problem
	if !errors.As(err, &p) {
		s.Logger.Error("cashier page failed", "error", err)
		p = problem{http.StatusInternalServerError, "Something went wrong on our side. Please try again."}
	}
	s.cashierShow(w, p.status, cashier{Text: p.text})
}

func (s *Sandbox) cashierShow(w http.ResponseWriter, status int, c cashier) {
	if err := cashierPage.Write(w, status, c); err != nil {
		s.Logger.Error("cashier page failed", "error", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
	}
}
