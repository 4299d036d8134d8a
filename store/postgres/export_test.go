package postgres

import (
	"context"
	"time"
)

// Faint stops the signs of life of an instance, as a process does that stands
// still: what it has claimed it loses when its lease is over.
func (s *Store) Faint() { s.stop() }

// RollUp adds up all changes of balances.
func (s *Store) RollUp(ctx context.Context) error { return s.rollUp(ctx, 0) }

// Address is the connection string of the store.
func (s *Store) Address() string { return s.readers.Config().ConnString() }

// Patience is how long the database may take for a round trip of a batch.
func Patience() *time.Duration { return &patience }
