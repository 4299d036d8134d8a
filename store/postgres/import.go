package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/wallet"
)

// Import implements store.Movable.
func (s *Store) Import(ctx context.Context, p *store.Parcel) error {
	if s.readOnly {
		return ErrReadOnly
	}
	accounts := map[ownAccount]int64{}
	for i := range p.Deposits {
		accountsOf(accounts, p.Deposits[i].Tenant, p.Deposits[i].Entry)
	}
	for i := range p.Payments {
		for _, entry := range p.Payments[i].Entries {
			accountsOf(accounts, p.Payments[i].State.Tenant, entry)
		}
	}
	err := s.change(ctx, func(tx pgx.Tx) error {
		if err := s.number(ctx, tx.Conn(), accounts); err != nil {
			return err
		}
		i := &imports{ctx: ctx, tx: tx, accounts: accounts, balances: map[ownAccount]int64{}}
		return i.write(p)
	})
	if err != nil {
		return fmt.Errorf("postgres: import: %w", err)
	}
	return nil
}

func accountsOf(accounts map[ownAccount]int64, tenant int64, entry ledger.Entry) {
	for _, p := range entry {
		accounts[ownAccount{tenant, p.Account}] = 0
	}
}

// imports is a parcel on its way into a transaction.
type imports struct {
	ctx      context.Context //nolint:containedctx // it lives as long as the call it was given to
	tx       pgx.Tx
	accounts map[ownAccount]int64 // numbers
	balances map[ownAccount]int64 // what was posted
}

func (i *imports) write(p *store.Parcel) error {
	if len(p.Forget) > 0 {
		if _, err := i.tx.Exec(i.ctx, `DELETE FROM meta WHERE name = ANY ($1)`, p.Forget); err != nil {
			return err
		}
	}
	for _, m := range p.Meta {
		if err := putMeta(i.ctx, i.tx, m.Name, m.Value, false); err != nil {
			return err
		}
	}
	for _, table := range []func(*store.Parcel) error{
		i.registry, i.wallets, i.books, i.records, i.agenda, i.outbox,
		func(p *store.Parcel) error {
			for _, a := range p.Acts {
				if err := addAct(i.ctx, i.tx, a); err != nil {
					return err
				}
			}
			return nil
		},
	} {
		if err := table(p); err != nil {
			return err
		}
	}
	return nil
}

// copyRows copies rows into a table.
func copyRows[T any](i *imports, table string, columns []string, items []T, row func(*T) ([]any, error)) error {
	if len(items) == 0 {
		return nil
	}
	_, err := i.tx.CopyFrom(i.ctx, pgx.Identifier{table}, columns, pgx.CopyFromSlice(len(items), func(at int) ([]any, error) {
		values, err := row(&items[at])
		return storables(values), err
	}))
	if err != nil {
		return fmt.Errorf("%s: %w", table, err)
	}
	return nil
}

// follow has the numbers of a table go on behind those that it has now.
func (i *imports) follow(table, column string, highest int64) error {
	_, err := i.tx.Exec(i.ctx, `SELECT setval(s, greatest($3::bigint, (SELECT last_value FROM pg_sequences
			WHERE schemaname = current_schema() AND sequencename = $1 || '_' || $2 || '_seq')))
		FROM pg_get_serial_sequence($1, $2) AS s`, table, column, highest)
	if err != nil {
		return fmt.Errorf("numbers of %s: %w", table, err)
	}
	return nil
}

func (i *imports) registry(p *store.Parcel) error {
	err := copyRows(i, "merchants", []string{"id", "tenant", "name", "disabled", "created_at", "settings"}, p.Merchants, func(m *merchant.Merchant) ([]any, error) {
		settings, err := settingsText(m.Settings)
		return []any{m.ID, m.Tenant, m.Name, m.Disabled, m.CreatedAt.UnixMilli(), settings}, err
	})
	if n := len(p.Merchants); err == nil && n > 0 {
		err = i.follow("merchants", "id", p.Merchants[n-1].ID)
	}
	if err != nil {
		return err
	}
	for _, c := range p.Credentials {
		if _, err := putCredential(i.ctx, i.tx, c, ``); err != nil {
			return err
		}
	}
	err = copyRows(i, "documents", []string{
		"tenant", "merchant", "dialect", "kind", "id", "version", "updated_at", "expires", "body", "sealed", "owner", "created_at", "serial",
	}, p.Documents, func(d *document.Document) ([]any, error) {
		return []any{
			d.Tenant, d.Merchant, d.Dialect, d.Kind, d.ID, int32(d.Version), d.UpdatedAt.UnixMilli(), milliOrNull(d.Expires), nonEmpty(d.Body), nonEmpty(d.Sealed),
			d.Owner, d.CreatedAt.UnixMilli(), d.Serial,
		}, nil
	})
	if n := len(p.Documents); err == nil && n > 0 {
		err = i.follow("documents", "serial", p.Documents[n-1].Serial)
	}
	return err
}

func (i *imports) wallets(p *store.Parcel) error {
	err := copyRows(i, "wallet_users", []string{"tenant", "id", "frozen"}, p.Users, func(u *wallet.User) ([]any, error) {
		return []any{u.Tenant, u.ID, u.Frozen}, nil
	})
	if n := len(p.Users); err == nil && n > 0 {
		err = i.follow("wallet_users", "id", p.Users[n-1].ID)
	}
	if err != nil {
		return err
	}
	err = copyRows(i, "wallet_balances", []string{"tenant", "holder", "currency", "available"}, p.Purses, func(b *store.Purse) ([]any, error) {
		return []any{b.Tenant, b.User, string(b.Currency), b.Available}, nil
	})
	if err != nil {
		return err
	}
	return copyRows(i, "wallet_grants", []string{"tenant", "name", "holder", "expires_at", "revoked"}, p.Grants, func(g *wallet.Grant) ([]any, error) {
		return []any{g.Tenant, g.Name, g.User, g.ExpiresAt.UnixMilli(), g.Revoked}, nil
	})
}

// postings is an entry as it is kept, and notes what it comes to.
func (i *imports) postings(tenant int64, entry ledger.Entry) []int64 {
	var flat []int64
	for _, p := range entry {
		account := ownAccount{tenant, p.Account}
		flat = append(flat, i.accounts[account], p.Minor)
		i.balances[account] += p.Minor
	}
	return flat
}

func (i *imports) books(p *store.Parcel) error {
	err := copyRows(i, "deposits", []string{"tenant", "merchant", "holder", "at", "postings"}, p.Deposits, func(d *store.Deposit) ([]any, error) {
		return []any{d.Tenant, d.Merchant, d.User, d.At.UnixMilli(), i.postings(d.Tenant, d.Entry)}, nil
	})
	if err != nil {
		return err
	}
	type event struct {
		*store.History
		at int
	}
	var events []event
	for at := range p.Payments {
		h := &p.Payments[at]
		if len(h.Entries) != len(h.Events) {
			return fmt.Errorf("payment %s has %d events with %d entries", h.State.Payment, len(h.Events), len(h.Entries))
		}
		for j := range h.Events {
			events = append(events, event{h, j})
		}
	}
	err = copyRows(i, "events", []string{"tenant", "payment", "at", "amount", "sequence", "operation", "kind", "body", "postings"}, events, func(of *event) ([]any, error) {
		e := &of.Events[of.at]
		return []any{
			of.State.Tenant, int64(of.State.Payment), e.At.UnixMilli(), orNull(e.Amount), int32(of.at + 1), orNull(int32(e.Operation)), int16(e.Kind),
			nonEmpty(e.AppendBody(nil)), i.postings(of.State.Tenant, of.Entries[of.at]),
		}, nil
	})
	if err != nil {
		return err
	}
	err = copyRows(i, "states", []string{
		"tenant", "payment", "merchant", "updated_at", "authorized", "extended", "captured", "voided", "released", "refunded", "version", "status",
	}, p.Payments, func(h *store.History) ([]any, error) {
		s := &h.State
		return []any{
			s.Tenant, int64(s.Payment), s.Merchant, s.UpdatedAt.UnixMilli(), s.Authorized, s.Extended, s.Captured, s.Voided, s.Released, s.Refunded,
			int32(s.Version), int16(s.Status),
		}, nil
	})
	if err != nil {
		return err
	}
	var sums []ownAccount
	for account := range i.balances {
		sums = append(sums, account)
	}
	return copyRows(i, "balance_changes", []string{"tenant", "account", "minor"}, sums, func(a *ownAccount) ([]any, error) {
		return []any{a.tenant, i.accounts[*a], i.balances[*a]}, nil
	})
}

func (i *imports) records(p *store.Parcel) error {
	return copyRows(i, "records", []string{
		"tenant", "key", "fingerprint", "payment", "version", "operation", "refusal", "pending", "at", "expires", "context",
	}, p.Records, func(r *store.Record) ([]any, error) {
		var refusal *string
		if r.Refusal != nil {
			text := store.EncodeRefusal(r.Refusal)
			refusal = &text
		}
		return []any{
			r.Tenant, [16]byte(r.Key), [16]byte(r.Fingerprint), orNull(int64(r.Payment)), orNull(int32(r.Version)), orNull(int32(r.Operation)),
			refusal, r.Pending, r.At.UnixMilli(), milliOrNull(r.Expires), nonEmpty(r.Context),
		}, nil
	})
}

func (i *imports) agenda(p *store.Parcel) error {
	err := copyRows(i, "timers", []string{"due", "tenant", "payment", "kind", "operation", "attempt", "merchant"}, p.Timers, func(t *payment.Timer) ([]any, error) {
		return []any{t.Due.UnixMilli(), t.Tenant, int64(t.Payment), int16(t.Kind), int32(t.Operation), int32(t.Attempt), t.Merchant}, nil
	})
	if err != nil {
		return err
	}
	err = copyRows(i, "counters", []string{"tenant", "name", "version", "expires", "value"}, p.Counters, func(c *store.Counter) ([]any, error) {
		value := c.Value
		if value == nil {
			value = []byte{}
		}
		return []any{c.Tenant, c.Name, int64(1), c.Expires.UnixMilli(), value}, nil
	})
	if err != nil {
		return err
	}
	return copyRows(i, "marks", []string{"tenant", "merchant", "kind", "value", "at", "payment", "operation"}, p.Marks, func(m *store.Mark) ([]any, error) {
		return []any{m.Tenant, m.Merchant, m.Label.Kind, m.Label.Value, m.At.UnixMilli(), int64(m.Payment), int32(m.Operation)}, nil
	})
}

func (i *imports) outbox(p *store.Parcel) error {
	err := copyRows(i, "notices", []string{
		"tenant", "payment", "merchant", "at", "version", "number", "told", "ordered", "dialect", "topic", "context",
	}, p.Notices, func(n *store.Told) ([]any, error) {
		return []any{
			n.Tenant, int64(n.Payment), n.Merchant, n.At.UnixMilli(), int32(n.Version), int16(n.Number), int32(n.Told), n.Ordered, n.Dialect, n.Topic, nonEmpty(n.Context),
		}, nil
	})
	if err != nil {
		return err
	}
	err = copyRows(i, "deliveries", []string{
		"tenant", "payment", "merchant", "lane", "due", "version", "attempts", "number", "state", "ordered", "dialect", "endpoint", "followers",
	}, p.Deliveries, func(d *outbox.Delivery) ([]any, error) {
		return []any{
			d.Tenant, int64(d.Payment), d.Merchant, int64(d.Lane), milliOrNull(d.Due), int32(d.Version), int32(d.Attempts), int16(d.Number), int16(d.State),
			d.Ordered, d.Dialect, d.Endpoint, int32(0),
		}, nil
	})
	if err != nil {
		return err
	}
	return copyRows(i, "attempts", []string{
		"tenant", "payment", "at", "took", "due", "version", "attempt", "status", "number", "state", "dialect", "endpoint", "fault", "sealed",
	}, p.Attempts, func(a *outbox.Attempt) ([]any, error) {
		return []any{
			a.Tenant, int64(a.Payment), a.At.UnixMilli(), a.Took.Milliseconds(), milliOrNull(a.Due), int32(a.Version), int32(a.Number), int32(a.Status),
			int16(a.DeliveryID.Number), int16(a.State), a.Dialect, a.Endpoint, a.Fault, nonEmpty(a.Sealed),
		}, nil
	})
}

// orNull is nil for the zero value.
func orNull[T int32 | int64](v T) *T {
	if v == 0 {
		return nil
	}
	return &v
}
