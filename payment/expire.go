package payment

import (
	"time"

	"github.com/capstan-pay/capstan/ledger"
)

// Expire closes the hold, or the wait for the payer, if its deadline has
// passed; else nothing happens. It is asked for by the deadline timer and
// before a read that must not show a hold that is over.
type Expire struct{}

func (Expire) decide(d *decision) { d.expireIfDue() }

// Over tells whether Expire would close the payment at that moment. While an
// operation waits for its processor nobody knows how much is left of a hold, so
// it is closed when the answer is there. A capture that was scheduled before
// the deadline goes first, even when both fall due at once.
func (p *Payment) Over(at time.Time) bool {
	return p.lapsed(at) && !p.inDoubt() && !p.scheduled(at)
}

// lapsed tells whether the deadline has passed of a hold, or of a wait for the
// payer: nothing more is taken from it, though it may not be closed yet.
func (p *Payment) lapsed(at time.Time) bool {
	waits := p.Status == Authorized || p.Status == AwaitingPayer
	return waits && !p.ExpiresAt.IsZero() && !at.Before(p.ExpiresAt)
}

// expireIfDue closes the payment if it is over, and tells whether its deadline
// has passed.
func (d *decision) expireIfDue() bool {
	lapsed := d.p.lapsed(d.env.Now)
	if d.p.Over(d.env.Now) {
		d.expire()
	}
	return lapsed
}

func (d *decision) expire() {
	d.emit(Event{Kind: HoldExpired, Released: d.p.held(), Ending: EndedByDeadline})
}

func (p *Payment) applyExpired(e Event) ledger.Entry {
	p.Released += e.Released
	p.close(e, Expired)
	return ledger.Move(e.Released, p.account(ledger.Held), p.source())
}

// rearm puts the deadline of a hold that is still open on the agenda again. Its
// timer may have fired while something else had to come first, and the clock
// may have been set back since.
func (d *decision) rearm() {
	if d.p.Status == Authorized {
		d.timers = append(d.timers, d.p.timer(DeadlineTimer, d.p.ExpiresAt, d.p.Authorization().Number))
	}
}
