package intents

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/payment"
)

// A test clock (section 12) is a time of its own for the customers that were
// made with it: their holds live on it, so that advancing it past a deadline
// ends them. The server's own clock ends them too.

// clockBody is what is kept of a test clock. Its names are in databases and are
// never changed.
type clockBody struct {
	Version int    `json:"v"`
	Name    string `json:"name,omitempty"`
	Frozen  int64  `json:"frozen"` // seconds
}

const (
	clockKind   = "test_clock"
	clockPrefix = "clock_"
	clocksKept  = 30 * 24 * time.Hour
)

// clockLabel is the label of intents that live on a test clock.
func clockLabel(id string) payment.Label { return payment.Label{Kind: Name + ".clock", Value: id} }

func (x *exchange) loadClock(ctx context.Context, id string) (*clockBody, *problem) {
	var body clockBody
	doc, problem := x.find(ctx, clockKind, id, &body)
	if problem != nil || doc == nil {
		return nil, problem
	}
	return &body, nil
}

// readClock puts a new intent on the test clock of its customer.
func (c *changes) readClock(x *exchange, id string) *problem {
	clock, problem := x.loadClock(x.r.Context(), id)
	if problem == nil && clock != nil {
		c.putText(fieldClock, id)
		c.put(fieldClockAt, strconv.AppendInt(nil, clock.Frozen, 10))
	}
	return problem
}

// frozenTime reads where a clock is to stand.
func (p *params) frozenTime() int64 {
	n, sent := p.integer("frozen_time")
	switch {
	case !sent:
		p.fail(missingParam("frozen_time"))
	case n < 1 || n > farthest:
		p.fail(invalid("frozen_time", "Invalid timestamp: must be an integer Unix timestamp."))
	}
	return n
}

// liveClock is what a live key hears of test clocks.
func (x *exchange) liveClock() *problem {
	if x.account.test {
		return nil
	}
	return &problem{status: http.StatusBadRequest, message: "Test clocks can only be used in test mode."}
}

// createClock answers POST /v1/test_helpers/test_clocks.
func (x *exchange) createClock(ctx context.Context) *problem {
	c := clockBody{Version: 1, Frozen: x.params.frozenTime()}
	c.Name, _ = x.params.text("name", 300)
	_, _ = x.expand(nil)
	if bad := or(x.params.problem(), x.liveClock()); bad != nil {
		return bad
	}
	id, err := x.d.newID(clockPrefix)
	if err != nil {
		return x.fault(err)
	}
	n, now := x.note(0), x.d.Clock.Now()
	doc := document.Document{Name: x.resource(clockKind, id), Owner: x.account.mode(), CreatedAt: now, UpdatedAt: now}
	var problem *problem
	if doc.Body, problem = x.encode(c); problem != nil {
		return problem
	}
	object, err := appendClock(nil, &doc, &c)
	if err != nil {
		return x.fault(err)
	}
	_, problem = x.keep(ctx, &n, append(object, '\n'), doc)
	return problem
}

func noClock(id string) *problem { return missing(http.StatusNotFound, "test_clock", "test_clock", id) }

// retrieveClock answers GET /v1/test_helpers/test_clocks/{id}.
func (x *exchange) retrieveClock(ctx context.Context) *problem {
	_, _ = x.expand(nil)
	if bad := x.params.problem(); bad != nil {
		return bad
	}
	var c clockBody
	doc, problem := x.find(ctx, clockKind, x.id, &c)
	if problem != nil || doc == nil {
		return or(problem, noClock(x.id))
	}
	object, err := appendClock(x.out(), doc, &c)
	if err != nil {
		return x.fault(err)
	}
	x.reply(http.StatusOK, append(object, '\n'))
	return nil
}

// advanceClock answers POST /v1/test_helpers/test_clocks/{id}/advance: when it
// returns, what fell due on the clock is done.
func (x *exchange) advanceClock(ctx context.Context) *problem {
	to := x.params.frozenTime()
	_, _ = x.expand(nil)
	if bad := x.params.problem(); bad != nil {
		return bad
	}
	n := x.note(0)
	return revise(ctx, x, &n, clockKind, noClock(x.id), func(doc *document.Document, c *clockBody) ([]byte, *problem) {
		if to < c.Frozen {
			return nil, invalid("frozen_time", "A test clock can only be advanced: it stands at "+strconv.FormatInt(c.Frozen, 10)+".")
		}
		if problem := x.expireOn(ctx, x.id, to); problem != nil {
			return nil, problem
		}
		c.Frozen = to
		object, err := appendClock(nil, doc, c)
		if err != nil {
			return nil, x.fault(err)
		}
		return append(object, '\n'), nil
	})
}

// expireOn ends the holds on a test clock whose deadline is not after to.
func (x *exchange) expireOn(ctx context.Context, clock string, to int64) *problem {
	var from *payment.Place
	for {
		page, more, problem := x.pagePayments(ctx, listing{limit: pageMost}, clockLabel(clock), from, func(f *found) bool {
			return f.p.Status == payment.Authorized && f.clockDeadline() <= to
		})
		if problem != nil {
			return problem
		}
		for i := range page {
			var asked details
			asked.setText(fieldReason, reasonAutomatic)
			command := payment.Cancel{Rest: true, Asked: payment.Asked{Dialect: Name, Details: asked.document()}}
			out, err := x.d.Engine.Do(ctx, payment.Request{
				Tenant: x.account.Tenant, Merchant: x.account.ID, Payment: page[i].p.ID, Command: command, Patience: x.account.patience,
			})
			if err != nil {
				return x.fault(err)
			}
			if out.Refusal.Has(payment.OperationPending) || out.Refusal.Has(payment.Busy) {
				return locked(nil)
			}
		}
		if !more {
			return nil
		}
		from = &page[len(page)-1].place
	}
}

// clockDeadline is when the intent's hold is over on its test clock, in
// seconds of it.
func (v *view) clockDeadline() int64 {
	return int64(v.details.number(fieldClockAt, 0)) + int64(v.p.Policy.HoldFor/time.Second)
}

// deleteClock answers DELETE /v1/test_helpers/test_clocks/{id}: its customers
// go with it.
func (x *exchange) deleteClock(ctx context.Context) *problem {
	if bad := x.params.problem(); bad != nil {
		return bad
	}
	clock, problem := x.loadClock(ctx, x.id)
	if problem != nil || clock == nil {
		return or(problem, noClock(x.id))
	}
	if problem := x.removeCustomersOn(ctx, x.id); problem != nil {
		return problem
	}
	return x.remove(ctx, clockKind, "test_helpers.test_clock", noClock(x.id))
}

// removeCustomersOn deletes the customers of a test clock.
func (x *exchange) removeCustomersOn(ctx context.Context, clock string) *problem {
	var wrong *problem
	gone, _, problem := x.page(ctx, customerKind, "customer", listing{limit: 1 << 30}, func(doc *document.Document) bool {
		var c customerBody
		wrong = or(wrong, x.decode(doc, &c))
		return wrong == nil && c.Clock == clock
	})
	if problem = or(wrong, problem); problem != nil {
		return problem
	}
	for i := range gone {
		if problem := x.freeMethods(ctx, gone[i].ID); problem != nil {
			return problem
		}
		if err := x.d.Documents.DeleteDocument(ctx, gone[i].Name, gone[i].Version); err != nil {
			return x.fault(err)
		}
	}
	return nil
}

// listClocks answers GET /v1/test_helpers/test_clocks.
func (x *exchange) listClocks(ctx context.Context) *problem {
	l := x.params.paging()
	_, _ = x.expand(nil)
	if bad := x.params.problem(); bad != nil {
		return bad
	}
	page, more, bad := x.page(ctx, clockKind, "test_clock", l, nil)
	if bad != nil {
		return bad
	}
	var wrong *problem
	b := appendList(x.out(), "/v1/test_helpers/test_clocks", more, len(page), func(b []byte, i int) []byte {
		var c clockBody
		if wrong = or(wrong, x.decode(&page[i], &c)); wrong != nil {
			return b
		}
		b, err := appendClock(b, &page[i], &c)
		if err != nil {
			wrong = x.fault(err)
		}
		return b
	})
	if wrong != nil {
		return wrong
	}
	x.reply(http.StatusOK, b)
	return nil
}

// appendClock appends the test clock object. It is always ready: advancing it
// ends when everything is done.
func appendClock(b []byte, doc *document.Document, c *clockBody) ([]byte, error) {
	return pretty(b, struct {
		ID      string   `json:"id"`
		Object  string   `json:"object"`
		Created int64    `json:"created"`
		Deletes int64    `json:"deletes_after"`
		Frozen  int64    `json:"frozen_time"`
		Live    bool     `json:"livemode"`
		Name    *string  `json:"name"`
		Status  string   `json:"status"`
		Details struct{} `json:"status_details"`
	}{
		ID: doc.ID, Object: "test_helpers.test_clock", Created: doc.CreatedAt.Unix(), Deletes: doc.CreatedAt.Add(clocksKept).Unix(),
		Frozen: c.Frozen, Live: doc.Owner == modeLive, Name: orNull(c.Name), Status: "ready",
	})
}
