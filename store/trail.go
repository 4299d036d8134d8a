package store

import (
	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/payment"
)

// Trail is all that is kept of one payment.
type Trail struct {
	State   State
	Events  []payment.Event // oldest first
	Entries []ledger.Entry  // Entries[i] is what was posted with Events[i]
	Records []Record        // the idempotency records that speak of it, oldest first
	Timers  []payment.Timer // as they fall due
}
