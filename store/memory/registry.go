package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/wallet"
)

// Meta implements store.Registry.
func (s *Store) Meta(_ context.Context, name string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.meta[name], nil
}

// PutMeta implements store.Registry.
func (s *Store) PutMeta(_ context.Context, name string, value []byte, once bool) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.meta[name]; !there || !once {
		s.meta[name] = append([]byte{}, value...)
	}
	return s.meta[name], nil
}

// ClockAhead implements store.Registry.
func (s *Store) ClockAhead(context.Context) (time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ahead, nil
}

// MoveClock implements store.Registry.
func (s *Store) MoveClock(_ context.Context, ahead time.Duration) (time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead = max(s.ahead, ahead.Truncate(time.Millisecond))
	return s.ahead, nil
}

// CreateMerchant implements store.Registry.
func (s *Store) CreateMerchant(_ context.Context, m *merchant.Merchant, credentials []merchant.Credential) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, c := range credentials {
		if s.credential(c) >= 0 || slices.ContainsFunc(credentials[:i], func(other merchant.Credential) bool { return same(c, other) }) {
			return store.ErrExists
		}
	}
	s.create(m)
	for _, c := range credentials {
		c.Merchant = m.ID
		s.credentials = append(s.credentials, c)
	}
	return nil
}

// Merchant implements store.Registry.
func (s *Store) Merchant(_ context.Context, id int64) (*merchant.Merchant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id < 1 || id > int64(len(s.merchants)) {
		return nil, nil
	}
	m := s.merchants[id-1]
	return &m, nil
}

// Merchants implements store.Registry.
func (s *Store) Merchants(context.Context) ([]merchant.Merchant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.merchants), nil
}

// UpdateMerchant implements store.Registry.
func (s *Store) UpdateMerchant(_ context.Context, m merchant.Merchant) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.ID < 1 || m.ID > int64(len(s.merchants)) {
		return fmt.Errorf("memory: there is no merchant %d", m.ID)
	}
	s.update(m)
	return nil
}

// Credential implements store.Registry.
func (s *Store) Credential(_ context.Context, dialect, kind, lookup string) (*merchant.Credential, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.credential(merchant.Credential{Dialect: dialect, Kind: kind, Lookup: lookup})
	if i < 0 {
		return nil, nil
	}
	c := s.credentials[i]
	return &c, nil
}

// Credentials implements store.Registry.
func (s *Store) Credentials(_ context.Context, of int64) ([]merchant.Credential, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []merchant.Credential
	for _, c := range s.credentials {
		if c.Merchant == of {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b merchant.Credential) int {
		return cmp.Or(cmp.Compare(a.Dialect, b.Dialect), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Lookup, b.Lookup))
	})
	return all, nil
}

// PutCredential implements store.Registry.
func (s *Store) PutCredential(_ context.Context, c merchant.Credential) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(c)
	return nil
}

// credential finds the one with c's lookup, or returns -1.
func (s *Store) credential(c merchant.Credential) int {
	return slices.IndexFunc(s.credentials, func(other merchant.Credential) bool { return same(c, other) })
}

func same(a, b merchant.Credential) bool {
	return a.Dialect == b.Dialect && a.Kind == b.Kind && a.Lookup == b.Lookup
}

// CreateUser implements store.Registry.
func (s *Store) CreateUser(_ context.Context, m int64, u *wallet.User, opening []wallet.Balance, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, b := range opening {
		if b.Available < 0 || slices.ContainsFunc(opening[:i], func(other wallet.Balance) bool { return other.Currency == b.Currency }) {
			return fmt.Errorf("memory: opening balance of %d %s", b.Available, b.Currency)
		}
	}
	u.ID = int64(len(s.users)) + 1
	s.users = append(s.users, *u)
	for _, b := range opening {
		s.purses[purse{u.ID, b.Currency}] = b.Available
		s.deposit(m, wallet.Balance{User: u.ID, Currency: b.Currency, Available: b.Available})
	}
	return nil
}

// Deposit implements store.Registry.
func (s *Store) Deposit(_ context.Context, m, tenant int64, b wallet.Balance, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.user(tenant, b.User) == nil {
		return fmt.Errorf("memory: there is no wallet user %d", b.User)
	}
	of := purse{b.User, b.Currency}
	sum, err := money.Sum(s.purses[of], b.Available)
	if err != nil || sum < 0 {
		return fmt.Errorf("memory: wallet user %d cannot be given %d %s", b.User, b.Available, b.Currency)
	}
	s.purses[of] = sum
	s.deposit(m, b)
	return nil
}

func (s *Store) deposit(m int64, b wallet.Balance) {
	issuance := ledger.Account{Merchant: m, Kind: ledger.Issuance, Currency: b.Currency}
	purse := ledger.Account{Merchant: m, Kind: ledger.Wallet, Holder: b.User, Currency: b.Currency}
	if entry := ledger.Move(b.Available, issuance, purse); entry != nil {
		s.deposits = append(s.deposits, entry)
	}
}

// User implements store.Registry.
func (s *Store) User(_ context.Context, tenant, id int64) (*wallet.User, []wallet.Balance, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.user(tenant, id)
	if u == nil {
		return nil, nil, nil
	}
	found := *u
	var balances []wallet.Balance
	for of, minor := range s.purses {
		if of.user == id {
			balances = append(balances, wallet.Balance{User: id, Currency: of.currency, Available: minor})
		}
	}
	slices.SortFunc(balances, func(a, b wallet.Balance) int { return cmp.Compare(a.Currency, b.Currency) })
	return &found, balances, nil
}

func (s *Store) user(tenant, id int64) *wallet.User {
	if id < 1 || id > int64(len(s.users)) || s.users[id-1].Tenant != tenant {
		return nil
	}
	return &s.users[id-1]
}

// UpdateUser implements store.Registry.
func (s *Store) UpdateUser(_ context.Context, u wallet.User) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.user(u.Tenant, u.ID)
	if old == nil {
		return fmt.Errorf("memory: there is no wallet user %d", u.ID)
	}
	old.Frozen = u.Frozen
	return nil
}

// PutGrant implements store.Registry.
func (s *Store) PutGrant(_ context.Context, g wallet.Grant) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grants[grantName{g.Tenant, g.Name}] = g
	return nil
}

// UseGrant implements store.Registry.
func (s *Store) UseGrant(_ context.Context, tenant int64, name string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, ok := s.grants[grantName{tenant, name}]
	if !ok || g.Revoked {
		return false, nil
	}
	g.Revoked = true
	s.grants[grantName{tenant, name}] = g
	return true, nil
}

// Grant implements store.Registry.
func (s *Store) Grant(_ context.Context, tenant int64, name string) (*wallet.Grant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, ok := s.grants[grantName{tenant, name}]
	if !ok {
		return nil, nil
	}
	return &g, nil
}
