package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/outbox"
)

const (
	// answerLimit is how much of an answer's body is read and kept.
	answerLimit = 4 << 10

	// rushed is how long an endpoint has while somebody moves the clock; each
	// time in a row that it has not answered half of that, down to the least.
	rushed, leastRushed = 2 * time.Second, 50 * time.Millisecond
)

// errStale: the claim is too old for the delivery to be made by it.
var errStale = errors.New("claimed too long ago")

// deliver makes one attempt and records it.
func (d *Deliverer) deliver(of errand) (r result) {
	one := of.Delivery
	if d.isClosing() {
		d.release(one)
		return result{none: true}
	}
	a := outbox.Attempt{DeliveryID: one.DeliveryID, Tenant: one.Tenant, Number: one.Attempts + 1, At: d.Clock.Now()}
	if a.At.Before(one.Due) { // the clock was set back since it was claimed
		a.At = one.Due
	}
	began := clock.System{}.Now()
	ctx, made := d.base, func(outbox.State, time.Duration, error) {}
	if d.Observer != nil {
		ctx, made = d.Observer.Attempting(ctx, one)
	}
	e, m, err := d.attempt(ctx, of, &a)
	a.Took = clock.System{}.Now().Sub(began)
	defer func() { made(a.State, a.Took, err) }()
	switch {
	case d.base.Err() != nil && err != nil, errors.Is(err, errStale): // broken off, or not begun: it was not made
		d.release(one)
		return result{none: true}
	case errors.Is(err, dialect.ErrStopped):
		a.State, a.Fault = outbox.Stopped, "endpoint gone or disabled"
	case err != nil:
		r.failed, r.silent = true, errors.Is(err, context.DeadlineExceeded)
		a.Fault = fault(err)
		d.again(one, m, &a)
	default:
		a.State = outbox.Delivered
	}
	if e != nil {
		var unsealed error
		if a.Sealed, unsealed = d.seal(one.DeliveryID, e); unsealed != nil {
			d.Logger.Error("an attempt could not be sealed", "error", unsealed)
		}
	}
	d.keep(one, a)
	return r
}

// release leaves a delivery to whoever comes next.
func (d *Deliverer) release(one outbox.Delivery) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.base), time.Second)
	defer cancel()
	if err := d.Store.ReleaseDeliveries(ctx, []outbox.Delivery{one}); err != nil {
		d.Logger.Debug("a claim is left to its lease", "error", err)
	}
}

func (d *Deliverer) isClosing() bool {
	select {
	case <-d.quit:
		return true
	default:
		return false
	}
}

// errNotAcknowledged is a complete answer that is not the one wanted.
var errNotAcknowledged = errors.New("not acknowledged")

// attempt sends what the dialect wants to be sent. It returns nil when that was
// acknowledged, and what was exchanged as far as it came.
func (d *Deliverer) attempt(ctx context.Context, of errand, a *outbox.Attempt) (e *Exchange, m *merchant.Merchant, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: panic: %T", errOurs, p)
		}
	}()
	one := of.Delivery
	n := d.Notifier(one.Dialect)
	if n == nil {
		return nil, nil, dialect.ErrStopped
	}
	message, m, err := d.message(n, one, a)
	if err != nil {
		if !errors.Is(err, dialect.ErrStopped) {
			d.Logger.Error("a message could not be made", "dialect", one.Dialect, "payment", one.Payment, "version", one.Version, "error", err)
			err = fmt.Errorf("%w: %w", errOurs, err)
		}
		return nil, m, err
	}
	e = &Exchange{URL: message.URL, Header: message.Header}
	if d.KeepBodies {
		e.Body = message.Body
	}
	if clock.Ticks()-of.claimed > fresh {
		return nil, m, errStale
	}
	response, err := d.send(ctx, one.Lane, message)
	if err != nil {
		return e, m, err
	}
	a.Status = response.Status
	e.Answer = &Answer{Header: response.Header, Body: response.Body}
	if !n.Acknowledges(response) {
		return e, m, errNotAcknowledged
	}
	return e, m, nil
}

// errOurs is wrapped by what goes wrong before anything is sent.
var errOurs = errors.New("no message")

func (d *Deliverer) message(n dialect.Notifier, one outbox.Delivery, a *outbox.Attempt) (dialect.Message, *merchant.Merchant, error) {
	access, err := d.Merchants.Merchant(d.base, one.Merchant)
	if err != nil {
		return dialect.Message{}, nil, err
	}
	if access == nil {
		return dialect.Message{}, nil, dialect.ErrStopped
	}
	m := &access.Merchant
	told, err := d.Store.Notice(d.base, one.Tenant, one.NoticeID)
	if err != nil {
		return dialect.Message{}, m, err
	}
	p, err := d.Store.Payment(d.base, one.Tenant, one.Payment, one.Version)
	if err != nil {
		return dialect.Message{}, m, err
	}
	if told == nil || p == nil {
		return dialect.Message{}, m, errors.New("its notice or its payment is gone")
	}
	message, err := n.Message(d.base, dialect.Dispatch{
		Notice: *told, Payment: p, Merchant: m, Endpoint: one.Endpoint, Attempt: a.Number, At: a.At,
	})
	if err != nil {
		return message, m, err
	}
	standard, err := d.Signing.of(d.base, m.ID, a.At)
	if err == nil && standard != nil {
		standard.Sign(message.Header, MessageID(d.Keys, one.NoticeID), a.At, message.Body)
	}
	return message, m, err
}

// send posts a message and reads the answer.
func (d *Deliverer) send(ctx context.Context, to outbox.Lane, m dialect.Message) (dialect.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, d.patience(to))
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, m.URL, bytes.NewReader(m.Body))
	if err != nil {
		return dialect.Response{}, fmt.Errorf("%w: %w", ErrTarget, err)
	}
	request.GetBody = nil // nothing is sent twice behind our back
	request.Header = m.Header.Clone()
	if _, named := request.Header["User-Agent"]; !named {
		request.Header["User-Agent"] = []string{"Capstan"}
	}
	response, err := d.client.Do(request)
	if err != nil {
		return dialect.Response{}, err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusSwitchingProtocols { // what follows is no answer, and ctx would not end it
		return dialect.Response{Status: response.StatusCode, Header: response.Header}, nil
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, answerLimit))
	if err != nil {
		return dialect.Response{}, err
	}
	return dialect.Response{Status: response.StatusCode, Header: response.Header, Body: body}, nil
}

// again says how a delivery goes on after a failed attempt. When its schedule
// is used up the dialect is told first; if it cannot be told, one more attempt
// is made.
func (d *Deliverer) again(one outbox.Delivery, m *merchant.Merchant, a *outbox.Attempt) {
	a.State, a.Due = outbox.Waiting, a.At.Add(time.Minute)
	if m == nil { // he could not be looked up
		return
	}
	n := d.Notifier(one.Dialect)
	if wait, more := n.Schedule(m).Next(a.Number, d.Random); more {
		a.Due = a.At.Add(wait)
		return
	}
	given := one
	given.State, given.Attempts, given.Due = outbox.GivenUp, a.Number, time.Time{}
	if err := n.GaveUp(d.base, m, given); err != nil {
		d.Logger.Error("a dialect could not be told that a delivery was given up", "dialect", one.Dialect, "payment", one.Payment, "error", err)
		return
	}
	a.State, a.Due = outbox.GivenUp, time.Time{}
	d.Logger.Warn("delivery given up", "dialect", one.Dialect, "payment", one.Payment, "merchant", one.Merchant, "attempts", a.Number, "fault", a.Fault, "status", a.Status)
}

// fault says in a few words why an attempt has failed, without what was sent
// and to where.
func fault(err error) string {
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.Is(err, errNotAcknowledged):
		return "not acknowledged"
	case errors.Is(err, errOurs):
		return "no message could be made"
	case errors.Is(err, ErrTarget):
		return "address not permitted"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.As(err, &dns):
		return "name not found"
	case errors.As(err, &op) && op.Op == "dial":
		return "no connection"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &op):
		return "connection closed early"
	}
	return "no proper answer"
}
