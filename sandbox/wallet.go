package sandbox

import (
	"context"
	"strconv"

	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/wallet"
)

// setBalance brings a user's balance of one currency to a target by a deposit
// or a withdrawal in the books of his tenant's first merchant.
func (s *Sandbox) setBalance(ctx context.Context, u *wallet.User, balances []wallet.Balance, target wallet.Balance) ([]wallet.Balance, error) {
	m, err := s.tenantMerchant(ctx, u.Tenant)
	if err != nil {
		return nil, err
	}
	change := wallet.Balance{User: u.ID, Currency: target.Currency, Available: target.Available}
	for _, b := range balances {
		if b.Currency == target.Currency {
			change.Available -= b.Available
		}
	}
	if change.Available != 0 {
		if err := s.Store.Deposit(ctx, m.ID, u.Tenant, change, s.Clock.Now()); err != nil {
			return nil, err
		}
	}
	_, balances, err = s.Store.User(ctx, u.Tenant, u.ID)
	return balances, err
}

func (s *Sandbox) tenantMerchant(ctx context.Context, tenant int64) (*merchant.Merchant, error) {
	all, err := s.Store.Merchants(ctx)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Tenant == tenant {
			return &all[i], nil
		}
	}
	return nil, errUnknown
}

// orderUser is the wallet user who answers a cashier order: the one named, or
// one with money that is made for the occasion.
func (s *Sandbox) orderUser(ctx context.Context, p *payment.Payment, name string) (int64, error) {
	if name != "" {
		id, err := strconv.ParseInt(name, 10, 64)
		if err != nil {
			return 0, bad("unknown user_id")
		}
		u, _, err := s.Store.User(ctx, p.Tenant, id)
		if err == nil && u == nil {
			err = bad("unknown user_id")
		}
		return id, err
	}
	u := wallet.User{Tenant: p.Tenant}
	err := s.Store.CreateUser(ctx, p.Merchant, &u, []wallet.Balance{{Currency: p.Currency, Available: p.Amount}}, s.Clock.Now())
	return u.ID, err
}
