package postgres

import (
	"fmt"
	"time"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// history is the events of a payment on their way from the database.
type history struct {
	merchant int64
	events   []payment.Event // as many as the payment's version
	seen     int
}

// read takes an event from a row of selectEvents.
func (h *history) read(id payment.ID, r row) error {
	sequence := int(r.int(2))
	if sequence < 1 || sequence > len(h.events) {
		return fmt.Errorf("postgres: event %d of payment %s at version %d", sequence, id, len(h.events))
	}
	h.seen++
	return readEvent(r, 3, &h.events[sequence-1])
}

// readEvent reads kind, at, operation, amount and body from a column on.
func readEvent(r row, column int, e *payment.Event) error {
	e.Kind = payment.EventKind(r.int(column))
	e.At = time.UnixMilli(r.int(column + 1)).UTC()
	e.Operation = int(r.int(column + 2))
	e.Amount = r.int(column + 3)
	return e.DecodeBody(r[column+4])
}

// complete is an error when an event is missing.
func (h *history) complete(id payment.ID) error {
	if h.seen != len(h.events) {
		return fmt.Errorf("postgres: payment %s is at version %d and has %d events", id, len(h.events), h.seen)
	}
	return nil
}

func (h *history) fold(tenant int64, id payment.ID) (*payment.Payment, error) {
	if err := h.complete(id); err != nil {
		return nil, err
	}
	return payment.Fold(id, tenant, h.merchant, h.events)
}

// readRecord reads a record from recordColumns.
func readRecord(r row) (*store.Record, error) {
	record := &store.Record{
		Tenant: r.int(1), Payment: payment.ID(r.int(3)), Version: int(r.int(4)), Operation: int(r.int(5)),
		Pending: r.bool(7), At: r.time(8), Expires: r.time(9), Context: r.bytes(10), Stamp: r.int(11),
	}
	copy(record.Key[:], r[0])
	copy(record.Fingerprint[:], r[2])
	var err error
	record.Refusal, err = store.DecodeRefusal(r.text(6))
	return record, err
}
