package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/processor/scripted"
	"github.com/capstan-pay/capstan/wallet"
)

// maxAdvance bounds one move of the clock: a hundred years.
const maxAdvance = 100 * 365 * 24 * 3600

func (s *Sandbox) postClock(r *http.Request) (any, error) {
	var in struct {
		AdvanceSeconds *int64 `json:"advance_seconds"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	if in.AdvanceSeconds == nil || *in.AdvanceSeconds < 0 || *in.AdvanceSeconds > maxAdvance {
		return nil, bad("advance_seconds must be a number of seconds from 0 to " + strconv.Itoa(maxAdvance))
	}
	if err := s.Advance(r.Context(), time.Duration(*in.AdvanceSeconds)*time.Second); err != nil {
		return nil, err
	}
	return map[string]string{"now": s.Clock.Now().Format(time.RFC3339Nano)}, nil
}

var operationKinds = map[string]payment.OperationKind{
	"authorize": payment.OpAuthorize, "capture": payment.OpCapture, "void": payment.OpVoid, "refund": payment.OpRefund,
}

func (s *Sandbox) postProcessor(r *http.Request) (any, error) {
	var in struct {
		Merchant  string           `json:"merchant"`
		Operation string           `json:"operation"`
		Outcome   scripted.Outcome `json:"outcome"`
		Reason    payment.Reason   `json:"reason"`
		DelayMS   int64            `json:"delay_ms"`
		Times     *int             `json:"times"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	times := 1
	if in.Times != nil {
		times = *in.Times
	}
	kind, ok := operationKinds[in.Operation]
	switch {
	case !ok:
		return nil, bad("operation must be authorize, capture, void or refund")
	case !in.Outcome.Known():
		return nil, bad("outcome must be approve, decline, timeout, lost_then_approved or lost_then_declined")
	case in.Reason != "" && !slices.Contains(payment.Reasons(), in.Reason):
		return nil, bad("unknown reason: docs/sandbox.md lists them")
	case in.DelayMS < 0 || in.DelayMS > 600_000 || times < 1 || times > 10_000:
		return nil, bad("delay_ms must be 0 to 600000 and times 1 to 10000")
	}
	m, err := s.merchantOf(r.Context(), in.Merchant)
	if err != nil {
		return nil, err
	}
	step := scripted.Step{Outcome: in.Outcome, Reason: in.Reason, Delay: time.Duration(in.DelayMS) * time.Millisecond}
	s.Script.Queue(m.ID, kind, step, times)
	return map[string]int{"queued": times}, nil
}

// account is a row of the books.
type account struct {
	Account  string `json:"account"`
	Currency string `json:"currency"`
	Balance  int64  `json:"balance"`
}

func (s *Sandbox) getLedger(r *http.Request) (any, error) {
	for name := range r.URL.Query() {
		if name != "merchant" {
			return nil, bad(fmt.Sprintf("there is no parameter %q here", name))
		}
	}
	m, err := s.merchantOf(r.Context(), r.URL.Query().Get("merchant"))
	if err != nil {
		return nil, err
	}
	balances, err := s.Store.Balances(r.Context(), m.ID)
	if err != nil {
		return nil, err
	}
	type key struct {
		kind     ledger.Kind
		currency money.Currency
	}
	rolled := map[key]int64{}
	trial := balances.Trial()
	for currency := range trial {
		for _, kind := range []ledger.Kind{ledger.Held, ledger.Merchant, ledger.PlatformFees} {
			rolled[key{kind, currency}] += 0
		}
	}
	for a, minor := range balances {
		rolled[key{a.Kind, a.Currency}] += minor
	}
	accounts := make([]account, 0, len(rolled))
	for k, minor := range rolled {
		accounts = append(accounts, account{k.kind.String(), string(k.currency), minor})
	}
	slices.SortFunc(accounts, func(a, b account) int {
		if c := strings.Compare(a.Currency, b.Currency); c != 0 {
			return c
		}
		return strings.Compare(a.Account, b.Account)
	})
	return map[string]any{"trial_balance": trial, "accounts": accounts}, nil
}

func (s *Sandbox) getPayment(r *http.Request) (any, error) {
	p, err := s.findPayment(r.Context(), r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, errUnknown
	}
	ids := map[string]*string{}
	for _, name := range []string{"alipay", "wepay", "intents", "begateway"} {
		ids[name] = nil
	}
	for _, d := range s.Dialects {
		if id := d.PaymentID(p); id != "" {
			ids[d.Name()] = &id
		}
	}
	answer := map[string]any{"status": p.Status.String(), "ids": ids, "receipt_url": s.ReceiptURL(p, 0)}
	if review := p.Reviewed(); review != "" {
		answer["review"] = review
	}
	if found := screenings(p); len(found) > 0 {
		answer["screenings"] = found
	}
	return answer, nil
}

// screening is what the risk checks found about an operation.
type screening struct {
	Operation int             `json:"operation"`
	Kind      string          `json:"kind"`
	Verdict   json.RawMessage `json:"verdict"` // of docs/risk.md
}

func screenings(p *payment.Payment) []screening {
	var found []screening
	for i := range p.Operations {
		if op := &p.Operations[i]; len(op.Answer.Screening) > 0 {
			found = append(found, screening{op.Number, op.Kind.String(), op.Answer.Screening})
		}
	}
	return found
}

func (s *Sandbox) postWalletUsers(r *http.Request) (any, error) {
	var in struct {
		Merchant string  `json:"merchant"`
		Balance  *amount `json:"balance"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	m, err := s.merchantOf(r.Context(), in.Merchant)
	if err != nil {
		return nil, err
	}
	var opening []wallet.Balance
	if in.Balance != nil {
		balance, err := in.Balance.balance()
		if err != nil {
			return nil, err
		}
		opening = append(opening, balance)
	}
	return s.newUser(r.Context(), m, opening)
}

// amount is money as the wallet controls write it: minor units as a string.
type amount struct {
	Currency string `json:"currency"`
	Value    string `json:"value"`
}

// maxBalance keeps the sums of the books within 64 bits, with hundreds of
// wallet users.
const maxBalance = 10_000_000_000_000_000

func (a amount) balance() (wallet.Balance, error) {
	currency, err := money.ParseCurrency(a.Currency)
	if err != nil {
		return wallet.Balance{}, bad("currency must be an ISO 4217 code")
	}
	minor, err := strconv.ParseUint(a.Value, 10, 63)
	if err != nil || minor > maxBalance || strings.Trim(a.Value, "0123456789") != "" {
		return wallet.Balance{}, bad(fmt.Sprintf("value must be minor units as a string of digits, at most %d", int64(maxBalance)))
	}
	return wallet.Balance{Currency: currency, Available: int64(minor)}, nil
}

func (s *Sandbox) patchWalletUser(r *http.Request) (any, error) {
	var in struct {
		Status  string  `json:"status"`
		Balance *amount `json:"balance"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return nil, errUnknown
	}
	var balances []wallet.Balance
	u, err := find(r.Context(), s, func(tenant int64) (u *wallet.User, err error) {
		u, balances, err = s.Store.User(r.Context(), tenant, id)
		return u, err
	})
	if err != nil {
		return nil, err
	}
	if u == nil {
		return nil, errUnknown
	}
	var target wallet.Balance
	if in.Balance != nil { // all is looked at before anything is changed
		if target, err = in.Balance.balance(); err != nil {
			return nil, err
		}
	}
	switch in.Status {
	case "":
	case "active", "frozen":
		u.Frozen = in.Status == "frozen"
		if err := s.Store.UpdateUser(r.Context(), *u); err != nil {
			return nil, err
		}
	default:
		return nil, bad("status must be active or frozen")
	}
	if in.Balance != nil {
		if balances, err = s.setBalance(r.Context(), u, balances, target); err != nil {
			return nil, err
		}
	}
	shown := make([]amount, 0, len(balances))
	for _, b := range balances {
		shown = append(shown, amount{string(b.Currency), strconv.FormatInt(b.Available, 10)})
	}
	status := "active"
	if u.Frozen {
		status = "frozen"
	}
	return map[string]any{"user_id": strconv.FormatInt(u.ID, 10), "status": status, "balances": shown}, nil
}

func (s *Sandbox) postWalletRevoke(r *http.Request) (any, error) {
	var in struct {
		AccessToken string `json:"access_token"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	if in.AccessToken == "" {
		return nil, bad("access_token is missing")
	}
	name := wallet.GrantName(s.Keys.MAC, in.AccessToken)
	g, err := find(r.Context(), s, func(tenant int64) (*wallet.Grant, error) { return s.Store.Grant(r.Context(), tenant, name) })
	if err != nil {
		return nil, err
	}
	if g == nil {
		return nil, errUnknown
	}
	g.Revoked = true
	return map[string]bool{"revoked": true}, s.Store.PutGrant(r.Context(), *g)
}

// reviewPatience is how long a review waits for what its decision brings about.
const reviewPatience = 10 * time.Second

// postReview plays the operator who looks at a payment that is held up.
func (s *Sandbox) postReview(r *http.Request) (any, error) {
	var in struct {
		Decision string `json:"decision"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	if in.Decision != "approve" && in.Decision != "reject" {
		return nil, bad("decision must be approve or reject")
	}
	p, err := s.findPayment(r.Context(), r.PathValue("payment"))
	switch {
	case err != nil:
		return nil, err
	case p == nil:
		return nil, errUnknown
	case !p.HeldUp():
		return nil, problem{http.StatusConflict, "no review waits under that id"}
	}
	out, err := s.Engine.Do(r.Context(), payment.Request{
		Tenant: p.Tenant, Merchant: p.Merchant, Payment: p.ID, Patience: reviewPatience,
		Command: payment.Review{Passed: in.Decision == "approve", Note: "sandbox"},
	})
	switch {
	case err != nil:
		return nil, err
	case out.Refusal != nil:
		return nil, problem{http.StatusConflict, "the review cannot be decided: " + out.Refusal.Error()}
	}
	return map[string]string{"status": out.Payment.Status.String(), "review": out.Payment.Review.String()}, nil
}

func (s *Sandbox) postWalletOrder(r *http.Request) (any, error) {
	var in struct {
		Decision string `json:"decision"`
		UserID   string `json:"user_id"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	if in.Decision != "approve" && in.Decision != "decline" {
		return nil, bad("decision must be approve or decline")
	}
	p, err := s.findPayment(r.Context(), r.PathValue("payment"))
	if err != nil {
		return nil, err
	}
	if p, err = s.decide(r.Context(), p, in.Decision == "approve", in.UserID); err != nil {
		return nil, err
	}
	return map[string]string{"status": p.Status.String()}, nil
}

// decide answers a waiting cashier order for a wallet user, and returns the
// payment after it.
func (s *Sandbox) decide(ctx context.Context, p *payment.Payment, approves bool, name string) (*payment.Payment, error) {
	if p == nil || p.Status != payment.AwaitingPayer || p.Method.Kind != payment.WalletMethod {
		return nil, problem{http.StatusConflict, "no cashier order waits under that id"}
	}
	answer := payment.PayerAnswer{Approved: approves}
	if approves {
		user, err := s.orderUser(ctx, p, name)
		if err != nil {
			return nil, err
		}
		method := p.Method
		method.User = user
		answer.Method = &method
	}
	out, err := s.Engine.Do(ctx, payment.Request{Tenant: p.Tenant, Merchant: p.Merchant, Payment: p.ID, Command: answer})
	if err != nil {
		return nil, err
	}
	if out.Refusal != nil {
		return nil, problem{http.StatusConflict, out.Refusal.Error()}
	}
	return out.Payment, nil
}
