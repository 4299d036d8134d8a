// Package explain tells the story of one payment as it is kept: what happened
// and when, who asked for it, what the processor and the risk checks said, what
// was posted, and what is still to come. It is for operators, and shows neither
// secrets nor what a dialect keeps for itself.
package explain

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/wireid"
)

// Namer is what a dialect calls payments; empty for one that it cannot express.
type Namer interface {
	Name() string
	PaymentID(*payment.Payment) string
}

// Reader is what is needed of a store.
type Reader interface {
	Trail(ctx context.Context, id payment.ID) (*store.Trail, error)
	Notices(context.Context, store.NoticeQuery) ([]outbox.Notice, error)
	Attempts(ctx context.Context, tenant int64, id outbox.NoticeID) ([]outbox.Attempt, error)
}

// ErrUnknown is returned for an id that names no payment of the store.
var ErrUnknown = errors.New("no payment of this store has that id")

// Story is the story of a payment. Amounts are minor units of Currency.
type Story struct {
	Payment    string             `json:"payment"` // the number by which the auditor and the logs call it
	Merchant   string             `json:"merchant"`
	Status     string             `json:"status"`
	Ended      string             `json:"ended,omitempty"`  // why the hold is over
	Review     string             `json:"review,omitempty"` // in_review, passed, failed or undecided, where the hold was held up for one
	IDs        map[string]*string `json:"ids"`              // how each dialect calls it; null where it cannot
	MadeBy     string             `json:"made_by"`          // the dialect
	Test       bool               `json:"test,omitempty"`
	About      int                `json:"about_operation,omitempty"` // the operation whose id was asked for
	Currency   string             `json:"currency"`
	Amount     int64              `json:"amount"`
	Authorized int64              `json:"authorized"`
	Extended   int64              `json:"extended,omitempty"`
	Captured   int64              `json:"captured"`
	Voided     int64              `json:"voided"`
	Released   int64              `json:"released"`
	Refunded   int64              `json:"refunded"`
	Settled    int64              `json:"settled,omitempty"`
	Remaining  int64              `json:"remaining"`
	CreatedAt  time.Time          `json:"created_at"`
	UpdatedAt  time.Time          `json:"updated_at"`
	ExpiresAt  *time.Time         `json:"expires_at,omitempty"`
	Method     Method             `json:"method"`
	Reference  string             `json:"reference,omitempty"`
	Events     []Event            `json:"events"`
	Commands   []Command          `json:"commands"`
	Timers     []Timer            `json:"timers"`
	Notices    []Notice           `json:"notices"` // what the merchant was told, and is to be told
}

// Method is what it is paid with.
type Method struct {
	Kind    string `json:"kind"`
	Brand   string `json:"brand,omitempty"`
	First6  string `json:"first6,omitempty"`
	Last4   string `json:"last4,omitempty"`
	Country string `json:"country,omitempty"`
	Funding string `json:"funding,omitempty"`
	User    int64  `json:"user,omitempty"` // of a wallet
}

// Event is something that happened.
type Event struct {
	Number    int             `json:"number"`
	At        time.Time       `json:"at"`
	Kind      string          `json:"event"`
	Operation int             `json:"operation,omitempty"`
	Amount    int64           `json:"amount,omitempty"`
	Fee       int64           `json:"fee,omitempty"`
	Extended  int64           `json:"extended,omitempty"`
	Released  int64           `json:"released,omitempty"`
	Status    string          `json:"status"` // of the payment after it
	AskedBy   string          `json:"asked_by,omitempty"`
	Reference string          `json:"reference,omitempty"` // the merchant's own name for the operation
	Parent    int             `json:"parent,omitempty"`
	Processor *Processor      `json:"processor,omitempty"`
	Risk      json.RawMessage `json:"risk,omitempty"` // the verdict as it was written down
	Note      string          `json:"note,omitempty"` // of an operator: who he is, and why
	Postings  []Posting       `json:"postings,omitempty"`
}

// Processor is what a processor said.
type Processor struct {
	Result    string `json:"result"`
	Reason    string `json:"reason,omitempty"`
	Reference string `json:"reference,omitempty"`
	AuthCode  string `json:"auth_code,omitempty"`
	Message   string `json:"message,omitempty"`
}

// Posting is a line of the ledger, credit positive.
type Posting struct {
	Account  string `json:"account"`
	Holder   int64  `json:"holder,omitempty"`
	Currency string `json:"currency"`
	Minor    int64  `json:"amount"`
}

// Command is one that is kept under an idempotency key.
type Command struct {
	Key       string     `json:"key"` // the digest under which it is kept, hexadecimal
	At        time.Time  `json:"at"`
	Event     int        `json:"event"` // how many events the payment had after it
	Operation int        `json:"operation,omitempty"`
	Refused   []string   `json:"refused,omitempty"` // why it was not carried out
	Pending   bool       `json:"pending,omitempty"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// Timer is something that falls due.
type Timer struct {
	Due       time.Time `json:"due"`
	Kind      string    `json:"timer"`
	Operation int       `json:"operation,omitempty"`
	Attempt   int       `json:"attempt,omitempty"`
}

// Find reads an id: any dialect's, of a payment or of one of its operations,
// the number that reports call a payment by, or the name of an operation
// between us and its processor.
func Find(ids *wireid.Codec, id string) (p payment.ID, operation int, err error) {
	if rest, ok := strings.CutPrefix(id, "op_"); ok {
		number, op, _ := strings.Cut(rest, "_")
		n, err := strconv.ParseInt(number, 10, 64)
		o, err2 := strconv.Atoi(op)
		if err == nil && err2 == nil && n > 0 && o > 0 {
			return payment.ID(n), o, nil
		}
	}
	if n, err := strconv.ParseInt(id, 10, 64); err == nil && n > 0 {
		return payment.ID(n), 0, nil
	}
	n, ok := ids.Parse(id)
	if !ok || n.Kind == wireid.Merchant || n.Kind == wireid.Customer {
		return 0, 0, ErrUnknown
	}
	return n.Payment, n.Operation, nil
}

// Tell tells the story of the payment with that id.
func Tell(ctx context.Context, r Reader, ids *wireid.Codec, dialects []Namer, id string) (*Story, error) {
	number, operation, err := Find(ids, id)
	if err != nil {
		return nil, err
	}
	trail, err := r.Trail(ctx, number)
	if err != nil {
		return nil, err
	}
	if trail == nil {
		return nil, ErrUnknown
	}
	p := &payment.Payment{ID: number, Tenant: trail.State.Tenant, Merchant: trail.State.Merchant}
	s := &Story{Payment: number.String(), Merchant: ids.Merchant(trail.State.Merchant), Events: []Event{}, Commands: []Command{}, Timers: []Timer{}, Notices: []Notice{}}
	for i, e := range trail.Events {
		if _, err := p.Apply(e); err != nil {
			return nil, err
		}
		s.Events = append(s.Events, event(i+1, e, p, trail.Entries[i]))
	}
	s.describe(p)
	if p.Op(operation) != nil {
		s.About = operation
	}
	s.IDs = map[string]*string{}
	for _, d := range dialects {
		s.IDs[d.Name()] = nil
		if id := d.PaymentID(p); id != "" {
			s.IDs[d.Name()] = &id
		}
	}
	for _, r := range trail.Records {
		s.Commands = append(s.Commands, Command{
			Key: hex.EncodeToString(r.Key[:]), At: r.At, Event: r.Version, Operation: r.Operation, Refused: guards(r.Refusal), Pending: r.Pending,
			ExpiresAt: moment(r.Expires),
		})
	}
	for _, t := range trail.Timers {
		s.Timers = append(s.Timers, Timer{t.Due, t.Kind.String(), t.Operation, t.Attempt})
	}
	return s, s.notices(ctx, r, p)
}

func (s *Story) describe(p *payment.Payment) {
	s.Status, s.MadeBy, s.Test, s.Reference = p.Status.String(), p.Dialect, p.Test, p.Reference
	if p.Ended != payment.Open {
		s.Ended = p.Ended.String()
	}
	s.Review = p.Reviewed()
	s.Currency, s.Amount, s.Authorized, s.Extended = string(p.Currency), p.Amount, p.Authorized, p.Extended
	s.Captured, s.Voided, s.Released, s.Refunded, s.Settled = p.Captured, p.Voided, p.Released, p.Refunded, p.Settled
	s.Remaining, s.CreatedAt, s.UpdatedAt, s.ExpiresAt = p.Remaining(), p.CreatedAt, p.UpdatedAt, moment(p.ExpiresAt)
	m := p.Method
	s.Method = Method{m.Kind.String(), m.Brand, m.First6, m.Last4, m.Country, m.Funding, m.User}
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func event(number int, e payment.Event, after *payment.Payment, entry ledger.Entry) Event {
	out := Event{
		Number: number, At: e.At, Kind: e.Kind.String(), Operation: e.Operation, Amount: e.Amount, Fee: e.Fee, Extended: e.Extended,
		Released: e.Released, Status: after.Status.String(),
	}
	if e.Intake != nil {
		out.AskedBy, out.Amount, out.Fee = e.Intake.Dialect, e.Intake.Amount, e.Intake.Fee
	}
	if e.Asked != nil {
		out.AskedBy, out.Reference, out.Parent = e.Asked.Dialect, e.Asked.Reference, e.Asked.Parent
	}
	if a := e.Answer; a != nil {
		if a.Result == 0 {
			out.Note = a.Message
		} else {
			out.Processor = &Processor{results[a.Result], string(a.Reason), a.Reference, a.AuthCode, a.Message}
		}
		if json.Valid(a.Screening) {
			out.Risk = a.Screening
		}
	}
	for _, p := range entry {
		out.Postings = append(out.Postings, Posting{p.Account.Kind.String(), p.Account.Holder, string(p.Account.Currency), p.Minor})
	}
	return out
}

var results = map[payment.Result]string{
	payment.Pending: "pending", payment.Approved: "approved", payment.Refused: "declined", payment.PayerRequired: "payer_required",
}

func guards(r *payment.Refusal) (names []string) {
	for _, g := range payment.Guards() {
		if r.Has(g) {
			names = append(names, g.String())
		}
	}
	return names
}
