package remote

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestBreaker: after enough silence nothing new is sent, inquiries try one at a
// time, and the first answer lets everything go again.
func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []bool
		b := newBreaker(func(open bool) { told = append(told, open) })
		call := func(inquiry, answered bool) error {
			leave, err := b.enter(t.Context(), inquiry)
			if err == nil {
				leave(answered)
			}
			return err
		}
		for range 100 { // quickly, one after the other: not long enough to say
			if err := call(false, false); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(grace)
		if err := call(false, false); err != nil {
			t.Fatal(err)
		}
		if err := call(false, true); !errors.Is(err, errOpen) {
			t.Fatalf("open: %v", err)
		}
		if err := call(true, false); err != nil { // an inquiry may try, and finds nothing
			t.Fatal(err)
		}
		time.Sleep(rest)
		if err := call(false, true); !errors.Is(err, errOpen) {
			t.Fatalf("the pause has doubled: %v", err)
		}
		time.Sleep(rest)
		if err := call(false, false); err != nil { // a new call tries
			t.Fatal(err)
		}

		// Many inquiries: one tries, the others go by what it finds.
		leave, err := b.enter(t.Context(), true)
		if err != nil {
			t.Fatal(err)
		}
		var waiting sync.WaitGroup
		errs := make([]error, 20)
		for i := range errs {
			waiting.Go(func() { errs[i] = call(true, true) })
		}
		synctest.Wait()
		leave(false)
		waiting.Wait()
		for _, err := range errs {
			if !errors.Is(err, errOpen) {
				t.Fatalf("after a try in vain: %v", err)
			}
		}
		if leave, err = b.enter(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		for i := range errs {
			waiting.Go(func() { errs[i] = call(true, true) })
		}
		synctest.Wait()
		leave(true)
		waiting.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		if err := call(false, true); err != nil {
			t.Fatal(err)
		}
		if len(told) != 2 || !told[0] || told[1] {
			t.Errorf("it was told %v", told)
		}
		if len(b.slots)+len(b.waiting) != 0 {
			t.Errorf("%d slots are taken, %d wait", len(b.slots), len(b.waiting))
		}
	})
}

// TestProbeTakesNoSlot: while all slots hang, an inquiry still goes through.
func TestProbeTakesNoSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(func(bool) {})
		var leaves []func(bool)
		for range slots {
			leave, err := b.enter(t.Context(), false)
			if err != nil {
				t.Fatal(err)
			}
			leaves = append(leaves, leave)
		}
		time.Sleep(grace)
		for _, leave := range leaves[:tries] {
			leave(false)
		}
		for range tries { // others take their place... and are refused
			if _, err := b.enter(t.Context(), false); !errors.Is(err, errOpen) {
				t.Fatal(err)
			}
		}
		leave, err := b.enter(t.Context(), true)
		if err != nil {
			t.Fatal(err)
		}
		leave(true)
		for _, leave := range leaves[tries:] {
			leave(true)
		}
	})
}
