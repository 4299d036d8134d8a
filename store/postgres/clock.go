package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Now implements store.Shared: the time of the database's clock, as far as it
// can be told without asking.
func (s *Store) Now() time.Time {
	return s.machine().Add(time.Duration(s.skew.Load())).UTC().Truncate(time.Millisecond)
}

// Follow implements store.Shared.
func (s *Store) Follow(fn func(ahead time.Duration)) {
	s.moving.Lock()
	defer s.moving.Unlock()
	s.follow = fn
	fn(time.Duration(s.ahead.Load()))
}

// moved notes how far the sandbox's clock is ahead. When it returns, whoever
// follows the clock knows.
func (s *Store) moved(ahead time.Duration) {
	s.moving.Lock()
	defer s.moving.Unlock()
	if int64(ahead) <= s.ahead.Load() {
		return
	}
	if s.follow != nil {
		s.follow(ahead)
	}
	s.ahead.Store(int64(ahead))
}

// ClockAhead implements store.Registry.
func (s *Store) ClockAhead(ctx context.Context) (time.Duration, error) {
	var ms int64
	err := s.readers.QueryRow(ctx, `SELECT ahead FROM sandbox_clock`).Scan(&ms)
	return time.Duration(ms) * time.Millisecond, err
}

// MoveClock implements store.Registry. It returns when all instances that are
// alive know.
func (s *Store) MoveClock(ctx context.Context, ahead time.Duration) (time.Duration, error) {
	var ms int64
	err := s.change(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `NOTIFY `+clockChannel); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `UPDATE sandbox_clock SET ahead = greatest(ahead, $1) RETURNING ahead`, ahead.Milliseconds()).Scan(&ms)
	})
	if err != nil {
		return 0, err
	}
	now := time.Duration(ms) * time.Millisecond
	s.moved(now)
	for attempt := 0; ; attempt++ {
		var behind bool
		err := s.readers.QueryRow(ctx, `SELECT EXISTS (SELECT FROM instances WHERE epoch <> $1 AND ahead < $2 AND lease_until > clock_timestamp())`,
			s.epoch.Load(), ms).Scan(&behind)
		if err != nil || !behind {
			return now, err
		}
		if err := pause(ctx, attempt); err != nil {
			return 0, err
		}
	}
}

// clockChannel is where instances tell each other that the clock was moved.
const clockChannel = "capstan_clock"

// listen looks at the clock whenever another instance has moved it, until ctx
// ends.
func (s *Store) listen(ctx context.Context) {
	for ctx.Err() == nil {
		_ = s.readers.AcquireFunc(ctx, func(c *pgxpool.Conn) error {
			conn := c.Hijack() // it listens, so it is of no other use
			defer conn.Close(context.WithoutCancel(ctx))
			if _, err := conn.Exec(ctx, `LISTEN `+clockChannel); err != nil {
				return err
			}
			for {
				if err := s.beat(ctx, s.writers); err != nil {
					return err
				}
				if _, err := conn.WaitForNotification(ctx); err != nil {
					return err
				}
			}
		})
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}
