package capstan_test

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/sqlite"
)

// watchful is a store that compares the time at which timers are asked for
// with the clock's offset as it is kept.
type watchful struct {
	store.Store
	moved, ahead atomic.Int64 // how often the clock had been moved; how often that was not kept
}

func (w *watchful) Claim(ctx context.Context, now time.Time, limit int) ([]payment.Timer, error) {
	if offset := now.Sub(capstantest.Epoch); offset > 0 {
		w.moved.Add(1)
		kept, err := w.ClockAhead(ctx)
		if err != nil {
			return nil, err
		}
		if kept < offset {
			w.ahead.Add(1)
		}
	}
	return w.Store.Claim(ctx, now, limit)
}

// A server that dies while its clock is being moved has done nothing at a time
// to which the next start would not return.
func TestClockOffsetIsKeptBeforeItIsUsed(t *testing.T) {
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "capstan.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := &watchful{Store: st}
	t.Cleanup(func() { _ = st.Close() })
	s := capstantest.Run(t, capstantest.On(w))
	for range 3 {
		if err := s.AdvanceClock(t.Context(), 48*time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if w.moved.Load() < 3 || w.ahead.Load() > 0 {
		t.Errorf("timers were asked for %d times after a move, %d times with the offset not kept", w.moved.Load(), w.ahead.Load())
	}
}
