// Package faulty puts faults in front of another store, so that tests can
// rehearse what a disk or a connection does at the worst moment.
package faulty

import (
	"context"
	"errors"
	"sync"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// Call is a call on which a fault may strike.
type Call uint8

// The calls.
const (
	Begin  Call = iota + 1 // Store.Begin
	Commit                 // Batch.Commit
	Look                   // Store.Record
)

// String is the name of the call, such as "commit".
func (c Call) String() string { return [...]string{Begin: "begin", Commit: "commit", Look: "look"}[c] }

// Fate says what becomes of the changes of a commit that answers with an
// error.
type Fate uint8

// The fates.
const (
	Lost    Fate = iota // nothing is ever written
	Written             // all was written before the answer
	Late                // all is written just before the next batch begins; not with a store that has one batch at a time
)

// Fault is what happens to a call. The zero Fault is none.
type Fault struct {
	Err  error // what the caller gets; a store.ErrBroken is what everybody gets from then on
	Fate Fate  // Commit only
}

// Store is a store.Store with faults.
type Store struct {
	store.Store
	strike func(Call) Fault

	mu     sync.Mutex
	broken error
	late   func()
}

var _ store.Store = (*Store)(nil)

// New returns s with faults: strike is asked before each call what is to
// happen to it. It may block, which makes for a slow store.
func New(s store.Store, strike func(Call) Fault) *Store { return &Store{Store: s, strike: strike} }

// Begin implements store.Store.
func (s *Store) Begin(ctx context.Context, touched store.Touched) (store.Batch, error) {
	if err := s.fault(Begin).Err; err != nil {
		return nil, err
	}
	s.mu.Lock()
	late := s.late
	s.late = nil
	s.mu.Unlock()
	if late != nil {
		late()
	}
	b, err := s.Store.Begin(ctx, touched)
	if err != nil {
		return nil, err
	}
	return &batch{Batch: b, s: s}, nil
}

// Record implements store.Reader.
func (s *Store) Record(ctx context.Context, tenant int64, key payment.Key) (store.Record, bool, error) {
	if err := s.fault(Look).Err; err != nil {
		return store.Record{}, false, err
	}
	return s.Store.Record(ctx, tenant, key)
}

// fault returns what happens to a call.
func (s *Store) fault(c Call) Fault {
	s.mu.Lock()
	broken := s.broken
	s.mu.Unlock()
	if broken != nil && c != Look {
		return Fault{Err: broken}
	}
	f := s.strike(c)
	if errors.Is(f.Err, store.ErrBroken) {
		s.mu.Lock()
		s.broken = f.Err
		s.mu.Unlock()
	}
	return f
}

// batch is a batch whose commit may fail.
type batch struct {
	store.Batch
	s    *Store
	late bool
}

// Commit implements store.Batch.
func (b *batch) Commit(ctx context.Context, changes []store.Change) error {
	f := b.s.fault(Commit)
	if f.Err == nil {
		return b.Batch.Commit(ctx, changes)
	}
	switch f.Fate {
	case Written:
		if err := b.Batch.Commit(ctx, changes); err != nil {
			return err
		}
	case Late:
		b.late = true
		b.s.mu.Lock()
		b.s.late = func() { b.Batch.Commit(context.WithoutCancel(ctx), changes) } // should it fail, it never was
		b.s.mu.Unlock()
		return f.Err
	}
	b.Batch.Rollback()
	return f.Err
}

// Rollback implements store.Batch.
func (b *batch) Rollback() {
	if !b.late {
		b.Batch.Rollback()
	}
}
