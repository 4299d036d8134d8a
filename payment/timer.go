package payment

import (
	"fmt"
	"time"
)

// TimerKind says what falls due.
type TimerKind uint8

// The kinds of timer. A timer is never cancelled: when it falls due and there
// is nothing to do any more, nothing is done.
const (
	_              TimerKind = iota
	DeadlineTimer            // the hold, or the wait for the payer, is over
	CaptureTimer             // a scheduled capture
	SettleTimer              // what was captured, or refunded, leaves transit
	ProcessorTimer           // a processor has to be asked, or asked again
)

// String is the name of the kind in reports.
func (k TimerKind) String() string {
	names := [...]string{DeadlineTimer: "deadline", CaptureTimer: "capture", SettleTimer: "settle", ProcessorTimer: "processor"}
	if k == 0 || int(k) >= len(names) {
		return fmt.Sprintf("payment.TimerKind(%d)", uint8(k))
	}
	return names[k]
}

// Timer is something that falls due for a payment.
type Timer struct {
	Due       time.Time
	Kind      TimerKind
	Tenant    int64
	Merchant  int64
	Payment   ID
	Operation int
	Attempt   int // processor timers: how often the processor has been called
}

// Command is what is asked of the payment when the timer falls due; nil for
// a processor timer, which asks the processor instead.
func (t Timer) Command() Command {
	switch t.Kind {
	case DeadlineTimer:
		return Expire{}
	case CaptureTimer:
		return Capture{Scheduled: true, Final: true}
	case SettleTimer:
		return Settle{Operation: t.Operation}
	}
	return nil
}

// timers returns what event e puts on the agenda, now that the decision it
// belongs to is made: a hold that was captured at once has no deadline.
func (p *Payment) timers(e Event) []Timer {
	switch e.Kind {
	case AuthorizationPending, CapturePending, VoidPending, RefundPending, PayoutPending, CorrectionPending, IncrementPending:
		return []Timer{p.timer(ProcessorTimer, e.At, e.Operation)}
	case PayerAwaited:
		if !p.ExpiresAt.IsZero() {
			return []Timer{p.timer(DeadlineTimer, p.ExpiresAt, e.Operation)}
		}
	case HoldAuthorized:
		if p.Status != Authorized {
			return nil
		}
		timers := []Timer{p.timer(DeadlineTimer, p.ExpiresAt, e.Operation)}
		if !p.Policy.CaptureAt.IsZero() {
			timers = append(timers, p.timer(CaptureTimer, p.Policy.CaptureAt, e.Operation))
		}
		return timers
	case HoldPassed:
		if at := p.Policy.CaptureAt; !at.IsZero() { // it may have come while the hold was held up, and the clock been set back since
			if at.Before(e.At) {
				at = e.At
			}
			return []Timer{p.timer(CaptureTimer, at, p.Authorization().Number)}
		}
	case HoldCaptured:
		return p.settles(e, p.Policy.SettleAfter)
	case MoneyRefunded:
		return p.settles(e, p.Policy.RefundSettleAfter)
	}
	return nil
}

// settles is the timer of what leaves transit after a while; none if that is 0.
func (p *Payment) settles(e Event, after time.Duration) []Timer {
	if after == 0 {
		return nil
	}
	return []Timer{p.timer(SettleTimer, e.At.Add(after), e.Operation)}
}

func (p *Payment) timer(kind TimerKind, due time.Time, operation int) Timer {
	return Timer{Due: due, Kind: kind, Tenant: p.Tenant, Merchant: p.Merchant, Payment: p.ID, Operation: operation}
}
