package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/capstan-pay/capstan/internal/failpoint"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// Commit implements store.Batch. All statements and the COMMIT go to the
// database in one round trip. When the transaction collides with another one it
// is tried again as it is: every statement checks that what was loaded is still
// so.
func (b *batch) Commit(ctx context.Context, changes []store.Change) error {
	if b.over {
		return errOver
	}
	b.over = true
	defer func() {
		b.undo()
		<-b.s.turns
	}()
	w, err := b.gather(ctx, changes)
	if err != nil {
		return fault(err)
	}
	// What was sent is waited for: nobody could say what became of it.
	ctx = context.WithoutCancel(ctx)
	first := true
	err = again(ctx, func() error {
		err := b.write(ctx, w, !first)
		first = false
		return err
	})
	switch code := codeOf(err); {
	case err == nil:
		return nil
	case code == tooFewRows && !strings.Contains(err.Error(), purses), code == uniqueViolation:
		return fmt.Errorf("%w: %w", store.ErrConflict, err)
	case !errors.As(err, new(errReading)) && severed(err):
		b.s.doubts.Add(1)
		return fmt.Errorf("%w: %w", store.ErrUnknown, err)
	}
	return fault(fmt.Errorf("postgres: write a batch: %w", err))
}

// write sends a batch, in a transaction of its own when it is sent once more:
// then nothing is locked any more, and a balance that is too low by now is a
// collision too.
func (b *batch) write(ctx context.Context, w *writing, anew bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	t := travel(ctx, b.conn.Conn())
	if anew {
		t.do(rollbackWork, nil)
		t.do(beginWork, nil)
	}
	for _, r := range []*rows{
		&w.moveStates, &w.addStates, &w.addEvents, &w.addRecords, &w.moveRecords, &w.dropTimers, &w.clearTimers, &w.setTimers,
		&w.openPurses, &w.movePurses, &w.addCounters, &w.moveCounters, &w.addBalances, &w.addMarks, &w.addDocuments, &w.moveDocuments,
		&w.addNotices, &w.addDeliveries,
	} {
		t.send(r, nil)
	}
	t.do(commitWork, nil)
	failpoint.Reach("postgres.commit.before")
	tag, err := t.home()
	failpoint.Reach("postgres.commit.after")
	if err == nil && tag.String() != "COMMIT" {
		err = errReading{fmt.Errorf("postgres: COMMIT was answered with %s", tag)}
	}
	if err == nil {
		err = waited(ctx, b.conn.Conn())
	}
	if anew && codeOf(err) == checkViolation {
		err = &pgconn.PgError{Severity: "ERROR", Code: tooFewRows, Message: err.Error()}
	}
	return err
}

// lookUp loads the records of keys that changes use and that were not touched.
func (b *batch) lookUp(ctx context.Context, changes []store.Change) error {
	var missing []name[payment.Key]
	for i := range changes {
		r := &changes[i].Record
		ref := name[payment.Key]{Tenant: r.Tenant, Name: r.Key}
		if r.Key != (payment.Key{}) && b.records[ref] == nil {
			missing = append(missing, ref)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	var keys rows
	keys.reset(selectRecords)
	for _, ref := range sorted(missing, func(a, b payment.Key) int { return slices.Compare(a[:], b[:]) }) {
		c := keys.next()
		c[0].int8(ref.Tenant)
		c[1].uuid(ref.Name)
		b.records[ref] = &kept{}
	}
	t := travel(ctx, b.conn.Conn())
	t.send(&keys, func(r row) error {
		record, err := readRecord(r)
		if k := b.records[name[payment.Key]{Tenant: record.Tenant, Name: record.Key}]; k != nil {
			k.was, k.now = record, record
		}
		return err
	})
	_, err := t.home()
	return err
}
