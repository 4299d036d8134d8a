package postgres

import (
	"context"
	"math"

	"github.com/jackc/pgx/v5"

	"github.com/capstan-pay/capstan/store"
)

const selectAct = `SELECT number, at, by, action, merchant, subject, details, chain FROM acts`

func actOf(r row) store.Act {
	a := store.Act{
		Number: r.int(0), At: r.time(1), By: r.text(2), Action: r.text(3), Merchant: r.int(4), Subject: r.text(5), Details: r.bytes(6),
	}
	copy(a.Chain[:], r[7])
	return a
}

// Administer implements store.Acts. One act is kept at a time.
func (s *Store) Administer(ctx context.Context, c store.Administration) (store.Act, error) {
	var act store.Act
	create := c.Create
	err := s.change(ctx, func(tx pgx.Tx) error {
		act = c.Act
		if _, err := tx.Exec(ctx, `LOCK TABLE acts IN SHARE ROW EXCLUSIVE MODE`); err != nil {
			return err
		}
		var last store.Act
		err := each(ctx, tx, selectAct+` ORDER BY number DESC LIMIT 1`, func(r row) error {
			last = actOf(r)
			return nil
		})
		if err == nil && act.Number != last.Number+1 {
			err = store.ErrConflict
		}
		if err == nil && create != nil { // its ID is set only when it is there
			created := *create
			c.Create = &created
			err = createMerchant(ctx, tx, c.Create)
			act.Merchant = c.Create.ID
		}
		if err == nil && c.Change != nil {
			err = updateMerchant(ctx, tx, *c.Change)
		}
		if err == nil {
			err = putOwn(ctx, tx, c, act.Merchant)
		}
		for name, value := range c.Meta {
			if err == nil {
				err = putMeta(ctx, tx, name, value, false)
			}
		}
		if err != nil {
			return err
		}
		act.Chain = act.Follow(last.Chain)
		return addAct(ctx, tx, act)
	})
	if err != nil {
		return store.Act{}, fault(err)
	}
	if create != nil {
		create.ID, create.Tenant = c.Create.ID, c.Create.Tenant
	}
	return act, nil
}

// putOwn stores the credentials of an administration, and refuses to take one
// from another merchant. Those of a merchant that was just created are his.
func putOwn(ctx context.Context, tx pgx.Tx, a store.Administration, created int64) error {
	for _, c := range a.Put {
		if a.Create != nil {
			c.Merchant = created
		}
		tag, err := putCredential(ctx, tx, c, replaceCredential+` WHERE credentials.merchant = excluded.merchant`)
		if err == nil && tag.RowsAffected() == 0 {
			err = store.ErrExists
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func addAct(ctx context.Context, tx pgx.Tx, a store.Act) error {
	_, err := tx.Exec(ctx, `INSERT INTO acts (number, at, by, action, merchant, subject, details, chain) VALUES ($1, $2, $3, $4, nullif($5, 0::bigint), $6, $7, $8)`,
		a.Number, a.At.UnixMilli(), a.By, a.Action, a.Merchant, a.Subject, nonEmpty(a.Details), a.Chain[:])
	return err
}

// Acts implements store.Acts.
func (s *Store) Acts(ctx context.Context, merchant, before int64, limit int) (acts []store.Act, err error) {
	if before == 0 {
		before = math.MaxInt64
	}
	query := selectAct + ` WHERE number < $1`
	arguments := []any{before, limit}
	if merchant != 0 {
		query += ` AND merchant = $3`
		arguments = append(arguments, merchant)
	}
	err = each(ctx, s.readers, query+` ORDER BY number DESC LIMIT $2`, func(r row) error {
		acts = append(acts, actOf(r))
		return nil
	}, arguments...)
	return acts, err
}

func (a *audit) Acts(fn func(store.Act) error) error {
	return a.each(selectAct+` ORDER BY number`, func(r row) error { return fn(actOf(r)) })
}
