package postgres

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/capstan-pay/capstan/payment"
)

// instances is how many numbers there are for instances that run at one time.
const instances = 1024

// enrol makes this process an instance. Its epoch is a number that no other
// has had or will have: what it claims is marked with it.
func (s *Store) enrol(ctx context.Context) error {
	return s.change(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM instances WHERE lease_until < clock_timestamp() - interval '1 day'`); err != nil {
			return err
		}
		for {
			var epoch int64
			var taken bool
			err := tx.QueryRow(ctx, `SELECT e, EXISTS (SELECT FROM instances WHERE epoch % $1 = e % $1) FROM nextval('epochs') AS e`, instances).Scan(&epoch, &taken)
			if err != nil {
				return err
			}
			if taken { // a thousand starts ago, and still there
				continue
			}
			s.epoch.Store(epoch)
			return s.beat(ctx, tx)
		}
	})
}

// Instance implements store.Shared.
func (s *Store) Instance() int { return int(s.epoch.Load() % instances) }

// beat is a sign of life. It sets our clock by the database's.
func (s *Store) beat(ctx context.Context, q interface {
	QueryRow(context.Context, string, ...any) pgx.Row
}) error {
	for {
		known := s.ahead.Load()
		var micros, ahead int64
		sent := s.machine()
		err := q.QueryRow(ctx, `INSERT INTO instances (epoch, lease_until, ahead)
			VALUES ($1, clock_timestamp() + $2 * interval '1 millisecond', $3)
			ON CONFLICT (epoch) DO UPDATE SET lease_until = excluded.lease_until, ahead = greatest(instances.ahead, excluded.ahead)
			RETURNING (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, (SELECT ahead FROM sandbox_clock)`,
			s.epoch.Load(), s.options.Lease.Milliseconds(), time.Duration(known).Milliseconds()).Scan(&micros, &ahead)
		if err != nil {
			return err
		}
		received := s.machine()
		s.skew.Store(int64(time.UnixMicro(micros).Sub(sent.Add(received.Sub(sent) / 2))))
		if ahead <= time.Duration(known).Milliseconds() {
			return nil
		}
		s.moved(time.Duration(ahead) * time.Millisecond) // the others may hear that it knows once it does
	}
}

// machine is the machine's time, the zero time where it does not matter.
func (s *Store) machine() time.Time {
	if s.options.MachineTime == nil {
		return time.Time{}
	}
	return s.options.MachineTime()
}

// live gives signs of life until ctx ends, and does what has to be done from
// time to time.
func (s *Store) live(ctx context.Context) {
	tick := time.NewTicker(min(s.options.Lease/4, time.Second))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		// A failure is the database's, which whoever works with it meets too.
		_ = again(ctx, func() error { return s.beat(ctx, s.writers) })
		_ = s.rollUp(ctx, rollUpAfter)
	}
}

// retire lets others have what was claimed, at once.
func (s *Store) retire() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if s.writers != nil {
		_, _ = s.writers.Exec(ctx, `DELETE FROM instances WHERE epoch = $1`, s.epoch.Load())
	}
}

// Claim implements store.Store. A claim holds until the instance that has it
// is given up; whoever claims the timer then can do it, and the old one cannot.
func (s *Store) Claim(ctx context.Context, now time.Time, limit int) (due []payment.Timer, err error) {
	err = s.changeAt(ctx, pgx.ReadCommitted, func(tx pgx.Tx) error {
		due = due[:0]
		return each(ctx, tx, `WITH mine AS (
				SELECT t.due, t.tenant, t.payment, t.kind, t.operation FROM timers t
				WHERE t.due <= $1 AND (t.claim IS NULL OR t.claim = $2
					OR NOT EXISTS (SELECT FROM instances i WHERE i.epoch = t.claim AND i.lease_until > clock_timestamp()))
				ORDER BY t.due, t.payment, t.kind, t.operation LIMIT $3 FOR UPDATE SKIP LOCKED)
			UPDATE timers t SET claim = $2 FROM mine m
			WHERE t.due = m.due AND t.tenant = m.tenant AND t.payment = m.payment AND t.kind = m.kind AND t.operation = m.operation
			RETURNING t.due, t.payment, t.kind, t.operation, t.tenant, t.merchant, t.attempt`,
			func(r row) error {
				due = append(due, timerOf(r))
				return nil
			}, now.UnixMilli(), s.epoch.Load(), limit)
	})
	slices.SortFunc(due, func(a, b payment.Timer) int {
		return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.Payment, b.Payment), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Operation, b.Operation))
	})
	return due, err
}
