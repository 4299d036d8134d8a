package faulty_test

import (
	"errors"
	"testing"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/faulty"
	"github.com/capstan-pay/capstan/store/memory"
	"github.com/capstan-pay/capstan/store/storetest"
)

func TestWithoutFaults(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store {
		return faulty.New(memory.Open(), func(faulty.Call) faulty.Fault { return faulty.Fault{} })
	})
}

var errLine = errors.New("line is down")

func TestFates(t *testing.T) {
	key := payment.NewKey(1, "test", "k")
	change := []store.Change{{Record: store.Record{Key: key, Tenant: 1, Refusal: payment.Refuse(payment.NotFound)}}}
	touched := store.Touched{Keys: []store.Ref[payment.Key]{{Tenant: 1, Name: key}}}
	for _, test := range []struct {
		name  string
		call  faulty.Call
		fault faulty.Fault
		err   error // of the call
		now   bool  // written when the call has returned
		later bool  // written when the next batch has begun
		dead  bool  // the next batch does not begin
	}{
		{"begin", faulty.Begin, faulty.Fault{Err: errLine}, errLine, false, false, false},
		{"lost", faulty.Commit, faulty.Fault{Err: store.ErrUnknown}, store.ErrUnknown, false, false, false},
		{"written", faulty.Commit, faulty.Fault{Err: store.ErrUnknown, Fate: faulty.Written}, store.ErrUnknown, true, true, false},
		{"late", faulty.Commit, faulty.Fault{Err: store.ErrUnknown, Fate: faulty.Late}, store.ErrUnknown, false, true, false},
		{"broken", faulty.Commit, faulty.Fault{Err: store.ErrBroken}, store.ErrBroken, false, false, true},
		{"broken but written", faulty.Commit, faulty.Fault{Err: store.ErrBroken, Fate: faulty.Written}, store.ErrBroken, true, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			inner := memory.Open()
			next := map[faulty.Call]faulty.Fault{test.call: test.fault}
			s := faulty.New(inner, func(c faulty.Call) faulty.Fault {
				f := next[c]
				delete(next, c)
				return f
			})
			b, err := s.Begin(t.Context(), touched)
			if err == nil {
				err = b.Commit(t.Context(), change)
				b.Rollback()
			}
			if !errors.Is(err, test.err) {
				t.Errorf("%v, want %v", err, test.err)
			}
			if _, written, _ := inner.Record(t.Context(), 1, key); written != test.now {
				t.Errorf("written: %t, want %t", written, test.now)
			}
			b, err = s.Begin(t.Context(), touched)
			if dead := errors.Is(err, store.ErrBroken); dead != test.dead {
				t.Fatalf("next batch: %v", err)
			}
			if err == nil {
				if _, seen := b.Record(key); seen != test.later {
					t.Errorf("the next batch sees the record: %t, want %t", seen, test.later)
				}
				b.Rollback()
			}
			next[faulty.Look] = faulty.Fault{Err: errLine}
			if _, _, err := s.Record(t.Context(), 1, key); !errors.Is(err, errLine) {
				t.Errorf("looking: %v", err)
			}
			if _, found, err := s.Record(t.Context(), 1, key); err != nil || found != test.later {
				t.Errorf("looking again: %t, %v", found, err)
			}
		})
	}
}
