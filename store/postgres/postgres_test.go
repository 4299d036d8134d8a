package postgres_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/capstan-pay/capstan/internal/pgtest"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/postgres"
	"github.com/capstan-pay/capstan/store/storetest"
)

// levels are the isolation levels at which everything holds.
var levels = []pgx.TxIsoLevel{pgx.ReadCommitted, pgx.RepeatableRead, pgx.Serializable}

func at(level pgx.TxIsoLevel) func(*postgres.Options) {
	return func(o *postgres.Options) { o.Isolation = level }
}

func TestStore(t *testing.T) {
	for _, level := range levels {
		t.Run(string(level), func(t *testing.T) {
			t.Parallel()
			storetest.RunDurable(t, func(t *testing.T) (store.Store, func() store.Store) {
				address := pgtest.StoreURL(t)
				return pgtest.OpenAt(t, address, at(level)), func() store.Store { return pgtest.OpenAt(t, address, at(level)) }
			})
		})
	}
}

// TestModel takes the levels in turns. Each check has an empty store.
func TestModel(t *testing.T) {
	t.Parallel()
	checks, address := 0, pgtest.StoreURL(t)
	storetest.RunModel(t, func() (store.Store, func() store.Store) {
		level := levels[checks%len(levels)]
		if checks++; checks > 1 {
			pgtest.Wipe(t, address)
		}
		return pgtest.OpenAt(t, address, at(level)), func() store.Store { return pgtest.OpenAt(t, address, at(level)) }
	})
}
