// Package verify audits a store: it recomputes everything from the history
// with arithmetic of its own, and reports whatever disagrees. It reads what was
// written without calling the rules that wrote it; of the payment package it
// uses the words and the table of permitted moves, not the code.
//
// It goes through the store payment by payment, so what it keeps in memory
// grows with the accounts, the wallet users and the counters of risk checks
// that are there now, and not with the number of payments.
package verify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// Finding is one thing that does not agree.
type Finding struct {
	Payment payment.ID `json:"payment,omitempty"` // 0 when it is about no single payment
	Text    string     `json:"text"`
}

// String is the finding in one line.
func (f Finding) String() string {
	if f.Payment == 0 {
		return f.Text
	}
	return fmt.Sprintf("payment %s: %s", f.Payment, f.Text)
}

// Report is what an audit found, and how much it looked at.
type Report struct {
	Payments int       `json:"payments"`
	Events   int       `json:"events"`
	Postings int       `json:"postings"`
	Records  int       `json:"records"`
	Timers   int       `json:"timers"`
	Counters int       `json:"counters"` // of risk checks
	Marks    int       `json:"marks"`    // places in listings
	Notices  int       `json:"notices"`
	Sent     int       `json:"deliveries"`
	Acts     int       `json:"acts"` // of administration
	Findings []Finding `json:"findings"`
	More     int       `json:"more"` // findings beyond the first maxFindings
}

// maxFindings is how many findings are kept; the rest is counted.
const maxFindings = 1000

// Clean tells whether everything agrees.
func (r *Report) Clean() bool { return len(r.Findings) == 0 }

func (r *Report) add(id payment.ID, format string, args ...any) {
	if len(r.Findings) == maxFindings {
		r.More++
		return
	}
	r.Findings = append(r.Findings, Finding{id, fmt.Sprintf(format, args...)})
}

// Audit looks at one consistent state of a store, which may be in use. An
// error means that it could not be read to the end, not that something
// disagrees.
func Audit(ctx context.Context, s store.Reader) (*Report, error) {
	r := &Report{Findings: []Finding{}}
	err := s.Audit(ctx, func(view store.Audit) error {
		a := &audit{report: r, books: newBooks(), counters: map[store.Ref[string]]*counter{}}
		return a.run(view)
	})
	return r, err
}

// audit is an audit in the making.
type audit struct {
	report   *Report
	books    *books
	counters map[store.Ref[string]]*counter
	swept    int64     // records that expired by then may be gone, Unix milliseconds
	untold   time.Time // notices of what happened by then may be gone

	lastAct int64
	chain   store.Chain // of the last act
}

// sequenced is something of one event.
type sequenced[T any] struct {
	sequence int
	of       T
}

func (a *audit) run(view store.Audit) error {
	swept, err := view.Swept()
	if err != nil {
		return err
	}
	a.swept = swept.UnixMilli()
	if a.untold, err = view.NoticesSwept(); err != nil {
		return err
	}
	if err := view.Counters(a.counter); err != nil {
		return err
	}
	if err := a.payments(view); err != nil {
		return err
	}
	a.compareCounters()
	balances, err := view.Balances()
	if err != nil {
		return err
	}
	a.books.compare(a.report, balances)
	if err := view.WalletBalances(func(_ int64, b balance) error { a.books.wallet(a.report, b); return nil }); err != nil {
		return err
	}
	a.books.conclude(a.report)
	if err := view.Acts(a.act); err != nil {
		return err
	}
	return view.Strays(func(what string) error { a.report.add(0, "%s", what); return nil })
}

// payments walks through all that is written by payment, side by side.
func (a *audit) payments(view store.Audit) (err error) {
	events := follow(func(fn func(payment.ID, sequenced[payment.Event]) error) error {
		return view.Events(func(id payment.ID, n int, e payment.Event) error { return fn(id, sequenced[payment.Event]{n, e}) })
	})
	postings := follow(func(fn func(payment.ID, sequenced[ledger.Posting]) error) error {
		return view.Postings(func(id payment.ID, n int, p ledger.Posting) error { return fn(id, sequenced[ledger.Posting]{n, p}) })
	})
	states := follow(func(fn func(payment.ID, store.State) error) error {
		return view.States(func(s store.State) error { return fn(s.Payment, s) })
	})
	records := follow(func(fn func(payment.ID, store.Record) error) error {
		return view.Records(func(r store.Record) error { return fn(r.Payment, r) })
	})
	timers := follow(func(fn func(payment.ID, payment.Timer) error) error {
		return view.Timers(func(t payment.Timer) error { return fn(t.Payment, t) })
	})
	marks := follow(func(fn func(payment.ID, store.Mark) error) error {
		return view.Marks(func(m store.Mark) error { return fn(m.Payment, m) })
	})
	notices := follow(func(fn func(payment.ID, noticed) error) error {
		return view.Notices(func(n outbox.Notice, told int) error { return fn(n.Payment, noticed{n, told}) })
	})
	deliveries := follow(func(fn func(payment.ID, outbox.Delivery) error) error {
		return view.Deliveries(func(d outbox.Delivery) error { return fn(d.Payment, d) })
	})
	attempts := follow(func(fn func(payment.ID, outbox.Attempt) error) error {
		return view.Attempts(func(a outbox.Attempt) error { return fn(a.Payment, a) })
	})
	walks := []walk{events, postings, states, records, timers, marks, notices, deliveries, attempts}
	defer func() {
		for _, w := range walks {
			err = errors.Join(err, w.end())
		}
	}()
	for {
		id, more := first(walks)
		if !more {
			return nil
		}
		acc := &account{id: id, report: a.report}
		events.of(id, func(e sequenced[payment.Event]) { a.report.Events++; acc.event(e.sequence, &e.of) })
		states.of(id, func(s store.State) { a.report.Payments++; acc.state(s) })
		acc.known()
		postings.of(id, func(p sequenced[ledger.Posting]) {
			a.report.Postings++
			a.books.add(p.of)
			acc.posted(p.sequence, p.of)
		})
		records.of(id, func(r store.Record) { a.report.Records++; acc.record(r) })
		timers.of(id, func(t payment.Timer) { a.report.Timers++; acc.timer(t) })
		marks.of(id, func(m store.Mark) { a.report.Marks++; acc.mark(m) })
		notices.of(id, func(n noticed) { a.report.Notices++; acc.notice(n) })
		deliveries.of(id, func(d outbox.Delivery) { a.report.Sent++; acc.delivery(d) })
		attempts.of(id, func(one outbox.Attempt) { acc.attempt(one) })
		acc.concludeMail(a.untold)
		acc.conclude(a.swept)
		a.count(acc)
	}
}
