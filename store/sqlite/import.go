package sqlite

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/wallet"
)

// Import implements store.Movable.
func (s *Store) Import(ctx context.Context, p *store.Parcel) error {
	return s.change(ctx, func(conn *sqlite.Conn) error {
		b := &batch{w: s.writer}
		for _, name := range p.Forget {
			stmt := conn.Prep(`DELETE FROM meta WHERE name = ?`)
			stmt.BindText(1, name)
			if err := run(stmt); err != nil {
				return err
			}
		}
		for _, part := range []func() error{
			func() error {
				return all(p.Meta, func(m *store.Meta) error { return putMeta(conn, m.Name, m.Value, false) })
			},
			func() error {
				return all(p.Merchants, func(m *merchant.Merchant) error { return importMerchant(conn, m) })
			},
			func() error {
				return all(p.Credentials, func(c *merchant.Credential) error { return putCredential(conn, `INSERT`, *c) })
			},
			func() error { return all(p.Users, func(u *wallet.User) error { return importUser(conn, u) }) },
			func() error { return all(p.Purses, func(of *store.Purse) error { return importPurse(conn, of) }) },
			func() error { return all(p.Grants, func(g *wallet.Grant) error { return putGrant(conn, *g) }) },
			func() error {
				return all(p.Deposits, func(d *store.Deposit) error { return s.writer.addDeposit(d.Merchant, d.User, d.At, d.Entry) })
			},
			func() error { return all(p.Payments, b.importHistory) },
			func() error {
				return all(p.Records, func(r *store.Record) error { return runRecord(b.w.summed(b.w.stmt.addRecord), r) })
			},
			func() error { return all(p.Counters, b.writeCounter) },
			func() error {
				return all(p.Marks, func(m *store.Mark) error { return b.writeMark(m.Tenant, m.Merchant, m.Mark) })
			},
			func() error {
				return all(p.Documents, func(d *document.Document) error { return importDocument(conn, d) })
			},
			func() error {
				return all(p.Notices, func(n *store.Told) error { return b.addNotice(&n.Notice, n.Told) })
			},
			func() error {
				return all(p.Deliveries, func(d *outbox.Delivery) error { return b.addDelivery(d, d.Due) })
			},
			func() error { return all(p.Attempts, func(a *outbox.Attempt) error { return addAttempt(conn, a) }) },
			func() error { return all(p.Acts, func(a *store.Act) error { return addAct(conn, *a) }) },
			func() error { return b.writeTimers(&store.Change{Timers: p.Timers}) },
		} {
			if err := part(); err != nil {
				return fmt.Errorf("sqlite: import: %w", err)
			}
		}
		return nil
	})
}

// all calls fn with each item until it fails.
func all[T any](items []T, fn func(*T) error) error {
	for i := range items {
		if err := fn(&items[i]); err != nil {
			return err
		}
	}
	return nil
}

func importMerchant(conn *sqlite.Conn, m *merchant.Merchant) error {
	stmt := conn.Prep(adding(`INSERT`, "merchants"))
	stmt.BindInt64(1, m.ID)
	stmt.BindInt64(2, m.Tenant)
	stmt.BindText(3, m.Name)
	stmt.BindBool(4, m.Disabled)
	stmt.BindInt64(5, m.CreatedAt.UnixMilli())
	if err := bindSettings(stmt, 6, m.Settings); err != nil {
		return err
	}
	return run(stmt)
}

func importUser(conn *sqlite.Conn, u *wallet.User) error {
	stmt := conn.Prep(adding(`INSERT`, "wallet_users"))
	stmt.BindInt64(1, u.ID)
	stmt.BindInt64(2, u.Tenant)
	stmt.BindBool(3, u.Frozen)
	return run(stmt)
}

func importPurse(conn *sqlite.Conn, p *store.Purse) error {
	stmt := conn.Prep(`INSERT INTO wallet_balances (user, currency, available) VALUES (?, ?, ?)`)
	stmt.BindInt64(1, p.User)
	stmt.BindText(2, string(p.Currency))
	stmt.BindInt64(3, p.Available)
	return run(stmt)
}

// importHistory appends the events of a payment side by side.
func (b *batch) importHistory(h *store.History) error {
	if len(h.Events) == 0 || len(h.Entries) != len(h.Events) {
		return fmt.Errorf("payment %s has %d events with %d entries", h.State.Payment, len(h.Events), len(h.Entries))
	}
	previous := int64(0)
	for i := range h.Events {
		if err := b.writeEvent(h.State.Payment, i+1, previous, &h.Events[i]); err != nil {
			return err
		}
		previous = b.w.lastEvent
		if err := b.w.post(h.Entries[i]); err != nil {
			return err
		}
	}
	s, stmt := &h.State, b.w.stmt.addState
	for i, value := range [...]int64{
		int64(s.Version), previous, int64(s.Status), s.UpdatedAt.UnixMilli(),
		s.Authorized, s.Extended, s.Captured, s.Voided, s.Released, s.Refunded, int64(s.Payment), s.Tenant, s.Merchant,
	} {
		stmt.BindInt64(1+i, value)
	}
	return run(stmt)
}

func importDocument(conn *sqlite.Conn, d *document.Document) error {
	stmt := conn.Prep(`INSERT INTO documents (tenant, merchant, dialect, kind, id, version, updated_at, expires, body, sealed, created_at, owner, serial)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
	bindName(stmt, 1, d.Name)
	stmt.BindInt64(6, int64(d.Version))
	stmt.BindInt64(7, d.UpdatedAt.UnixMilli())
	bindTime(stmt, 8, d.Expires)
	bindBytes(stmt, 9, d.Body)
	bindBytes(stmt, 10, d.Sealed)
	stmt.BindInt64(11, d.CreatedAt.UnixMilli())
	if stmt.BindNull(12); d.Owner != "" {
		stmt.BindText(12, d.Owner)
	}
	stmt.BindInt64(13, d.Serial)
	if err := run(stmt); err != nil {
		return err
	}
	return stampDocument(conn, d.Name)
}
