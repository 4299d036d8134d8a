package verify

import (
	"time"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// promised is a record that an event says is kept.
type promised struct {
	sequence int         // of the event
	key      payment.Key // of what waits; zero where the record is known by the version it speaks of
	expired  bool        // the event closed the hold before a command was refused: the record is of the refusal
	until    time.Time
	there    bool
}

// promise notes that an event's command has left a record.
func (acc *account) promise(sequence int, e *payment.Event) {
	if e.Kept.IsZero() {
		return
	}
	p := promised{sequence: sequence, until: e.Kept, expired: e.Kind == payment.HoldExpired}
	if e.Asked != nil {
		p.key = e.Asked.Key
	}
	acc.records = append(acc.records, p)
}

// record holds an idempotency record against the payment it speaks of.
func (acc *account) record(r store.Record) {
	if r.Key == (payment.Key{}) {
		acc.add("an idempotency record has no key")
	}
	if acc.id == 0 {
		if r.Refusal == nil && (r.Version != 0 || r.Operation != 0 || r.Pending) { // else it is about documents alone
			acc.add("the record of key %x has neither payment nor refusal", r.Key)
		}
		return
	}
	waits := acc.waiting(r.Key)
	switch {
	case acc.version == 0:
		acc.add("the record of key %x speaks of it, but it has no events", r.Key)
		return
	case r.Version < 0 || r.Version > acc.version || r.Version == 0 && r.Refusal == nil:
		acc.add("the record of key %x speaks of version %d of %d", r.Key, r.Version, acc.version)
	case r.Operation < 0 || r.Operation > len(acc.operations):
		acc.add("the record of key %x speaks of operation %d of %d", r.Key, r.Operation, len(acc.operations))
	case r.Operation != 0 && acc.operations[r.Operation-1].begun > r.Version:
		acc.add("the record of key %x speaks of version %d, before operation %d began", r.Key, r.Version, r.Operation)
	case acc.stated && r.Tenant != acc.tenant:
		acc.add("the record of key %x is of tenant %d, not %d", r.Key, r.Tenant, acc.tenant)
	case r.Pending && !waits:
		acc.add("the record of key %x is pending, but no operation waits for it", r.Key)
	case !r.Pending && waits:
		acc.add("an operation waits for its processor, but the record of its key %x is final", r.Key)
	}
	if r.At.After(acc.updated) && r.Refusal == nil && r.Version == acc.version && r.Operation != 0 {
		acc.add("the record of key %x is younger than what it speaks of", r.Key)
	}
	for i := range acc.records {
		p := &acc.records[i]
		if p.key == r.Key || p.key == (payment.Key{}) && p.sequence == r.Version && (r.Refusal == nil || p.expired) {
			p.there = true
			acc.kept(r, p)
		}
	}
	for i := range acc.operations {
		if op := &acc.operations[i]; op.key == r.Key {
			op.recorded = true
		}
	}
}

// kept holds the record of a command that was decided against what its event
// says of it. One that was pending has been decided anew since, by an event
// of its own.
func (acc *account) kept(r store.Record, p *promised) {
	if p.key != (payment.Key{}) || p.expired {
		return
	}
	until := r.Expires
	if until.IsZero() {
		until = payment.Always
	}
	if !until.Equal(p.until) {
		acc.add("the record of event %d is kept until %s, not %s", p.sequence, until.Format(time.RFC3339Nano), p.until.Format(time.RFC3339Nano))
	}
}

// waiting tells whether an operation waits whose answer belongs to the record
// of a key.
func (acc *account) waiting(key payment.Key) bool {
	for i := range acc.operations {
		if op := &acc.operations[i]; op.pending && op.key == key {
			return true
		}
	}
	return false
}

// missingRecords looks for records that have to be there and are not.
func (acc *account) missingRecords(swept int64) {
	for i := range acc.operations {
		if op := &acc.operations[i]; op.pending && op.key != (payment.Key{}) && !op.recorded {
			acc.add("operation %d waits for its processor, but its key %x has no record", i+1, op.key)
		}
	}
	for _, p := range acc.records {
		if !p.there && p.until.UnixMilli() > swept && !(p.key != (payment.Key{}) && acc.waiting(p.key)) {
			until := "for ever"
			if !p.until.Equal(payment.Always) {
				until = "until " + p.until.Format(time.RFC3339Nano)
			}
			acc.add("the command of event %d has no idempotency record, though that is kept %s", p.sequence, until)
		}
	}
}
