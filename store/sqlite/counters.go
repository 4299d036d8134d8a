package sqlite

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"

	"github.com/capstan-pay/capstan/store"
)

// Counters implements store.Batch. Nobody else writes until the batch is over,
// so what was loaded stays true.
func (b *batch) Counters(_ context.Context, of []store.Ref[string]) ([]store.Counter, error) {
	if b.over {
		return nil, errOver
	}
	counters := make([]store.Counter, len(of))
	for i, ref := range of {
		c := store.Counter{Tenant: ref.Tenant, Name: ref.Name}
		stmt := b.w.stmt.counter
		stmt.BindInt64(1, ref.Tenant)
		stmt.BindText(2, ref.Name)
		err := each(stmt, func(row *sqlite.Stmt) error {
			c.Value, c.Expires = columnBytes(row, 0), columnTime(row, 1)
			return nil
		})
		if err != nil {
			return nil, b.w.fault(fmt.Errorf("load counter: %w", err))
		}
		if b.counters == nil {
			b.counters = map[store.Ref[string]]*store.Counter{}
		}
		if _, loaded := b.counters[ref]; !loaded {
			b.counters[ref] = nil
		}
		counters[i] = c
	}
	return counters, nil
}

// noteCounters notes what a change sets; a later one of the batch overrides
// it.
func (b *batch) noteCounters(c *store.Change) error {
	for i := range c.Counters {
		set := &c.Counters[i]
		ref := store.Ref[string]{Tenant: set.Tenant, Name: set.Name}
		if _, loaded := b.counters[ref]; !loaded {
			return fmt.Errorf("sqlite: counter %q is set and was not loaded", set.Name)
		}
		b.counters[ref] = set
	}
	return nil
}

// writeCounters writes each counter that was set, once.
func (b *batch) writeCounters() error {
	for _, set := range b.counters {
		if set == nil {
			continue
		}
		if err := b.writeCounter(set); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) writeCounter(c *store.Counter) error {
	stmt := b.w.stmt.setCounter
	stmt.BindInt64(1, c.Tenant)
	stmt.BindText(2, c.Name)
	stmt.BindBytes(3, c.Value)
	stmt.BindInt64(4, c.Expires.UnixMilli())
	return run(stmt)
}

// Counters implements store.Audit.
func (a *audit) Counters(fn func(store.Counter) error) error {
	return a.each(`SELECT value, expires, tenant, name FROM counters ORDER BY tenant, name`, func(row *sqlite.Stmt) error {
		return fn(store.Counter{
			Value: columnBytes(row, 0), Expires: columnTime(row, 1), Tenant: row.ColumnInt64(2), Name: row.ColumnText(3),
		})
	})
}
