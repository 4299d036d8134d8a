package sqlite

import (
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/capstan-pay/capstan/payment"
)

// history reads the events of payments. What it returns is overwritten by the
// next call; payments are not.
type history struct {
	state, event *sqlite.Stmt
	events       []payment.Event
	body         []byte
}

func (r *reader) history() *history {
	return &history{state: r.conn.Prep(selectState), event: r.conn.Prep(selectEvent)}
}

// found is what the state row of a payment says about its events.
type found struct {
	tenant, merchant int64
	version          int
	lastEvent        int64
}

// payment folds a payment from its events, up to a version; 0 is the latest.
// It returns nil when there is none, and the number of its last event.
func (h *history) payment(tenant int64, id payment.ID, version int) (*payment.Payment, int64, error) {
	found, events, err := h.load(tenant, id)
	if err != nil || found.version == 0 || version < 0 || version > found.version {
		return nil, 0, err
	}
	if version == 0 {
		version = found.version
	}
	p, err := payment.Fold(id, tenant, found.merchant, events[:version])
	return p, found.lastEvent, err
}

// load walks a payment's events backward and returns them oldest first. The
// version is 0 when there is no such payment.
func (h *history) load(tenant int64, id payment.ID) (found, []payment.Event, error) {
	f, err := h.find(id)
	if err != nil || f.version == 0 || f.tenant != tenant {
		return found{}, nil, err
	}
	if h.events = h.events[:0]; f.version > cap(h.events) {
		h.events = make([]payment.Event, 0, 2*f.version)
	}
	events := h.events[:f.version]
	clear(events)
	number, sequence := f.lastEvent, f.version // the event that comes next
	for sequence > 0 {
		at := number
		h.event.BindInt64(1, at)
		// Events of one commit stand side by side, so one look finds them all.
		err := some(h.event, func(row *sqlite.Stmt) (bool, error) {
			if row.ColumnInt64(0) != number || payment.ID(row.ColumnInt64(1)) != id || row.ColumnInt(2) != sequence {
				return false, nil
			}
			number = row.ColumnInt64(3)
			sequence--
			return sequence > 0, h.read(row, &events[sequence])
		})
		if err == nil && (number == at || (number == 0) != (sequence == 0)) {
			err = fmt.Errorf("sqlite: the history of payment %s is broken at event %d", id, at)
		}
		if err != nil {
			return found{}, nil, err
		}
	}
	return f, events, nil
}

// find reads the state row of a payment; the version is 0 when there is none.
func (h *history) find(id payment.ID) (f found, err error) {
	h.state.BindInt64(1, int64(id))
	err = each(h.state, func(row *sqlite.Stmt) error {
		f = found{row.ColumnInt64(0), row.ColumnInt64(1), row.ColumnInt(2), row.ColumnInt64(3)}
		return nil
	})
	return f, err
}

// read reads an event from a row of selectEvent.
func (h *history) read(row *sqlite.Stmt, e *payment.Event) error {
	e.Kind = payment.EventKind(row.ColumnInt64(4))
	e.At = time.UnixMilli(row.ColumnInt64(5)).UTC()
	e.Operation = row.ColumnInt(6)
	e.Amount = row.ColumnInt64(7)
	n := row.ColumnLen(8)
	if n > len(h.body) {
		h.body = make([]byte, max(n, 512))
	}
	return e.DecodeBody(h.body[:row.ColumnBytes(8, h.body[:n])])
}
