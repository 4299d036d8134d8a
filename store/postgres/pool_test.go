package postgres_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/internal/pgtest"
	"github.com/capstan-pay/capstan/wallet"
)

// More callers than there are connections wait for each other, and all finish:
// nobody who has a connection waits for another that those who wait for his have.
func TestMoreCallersThanConnections(t *testing.T) {
	s := pgtest.Open(t)
	patient, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			u := wallet.User{Tenant: 1}
			if err := s.CreateUser(patient, 1, &u, []wallet.Balance{{Currency: "USD", Available: 100}}, noon); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	balances, err := s.Balances(ctx, 1)
	check(t, err)
	wallets := int64(0)
	for account, minor := range balances {
		if account.Holder != 0 {
			wallets += minor
		}
	}
	if wallets != 40*100 {
		t.Errorf("the wallets have %d", wallets)
	}
}
