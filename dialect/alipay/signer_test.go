package alipay

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// TestGather: while more than enough is to be signed those who commit wait, and
// then all of them go at once; what is asked for after the first of them came
// does not keep him waiting, and a little to sign keeps nobody.
func TestGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSigner(1) // 4 signatures are enough
		var signers, waiters sync.WaitGroup
		ask := func(n int) {
			for range n {
				signers.Go(s.begin)
			}
			synctest.Wait()
		}
		ask(4)
		s.gather() // does not wait

		ask(6) // 10 now: the door opens when 6 are made
		var through atomic.Int64
		for range 5 {
			waiters.Go(func() {
				s.gather()
				through.Add(1)
			})
		}
		synctest.Wait()
		ask(20) // later than they
		for made := 1; made <= 30; made++ {
			s.end()
			synctest.Wait()
			want := int64(0)
			if made >= 6 {
				want = 5
			}
			if got := through.Load(); got != want {
				t.Fatalf("%d are through when %d signatures are made, want %d", got, made, want)
			}
			if made == 6 { // with 24 to be made: who comes now waits for the next time
				waiters.Go(func() { s.gather() })
				synctest.Wait()
				if s.door == nil || s.opens != 26 {
					t.Fatalf("the next door opens at %d", s.opens)
				}
			}
		}
		signers.Wait()
		waiters.Wait()
		if s.door != nil || s.asked != s.made {
			t.Errorf("left: %+v", s)
		}
		s.gather()
	})
}

// A signature that fails counts as well: nobody waits for it.
func TestGatherAfterFailure(t *testing.T) {
	s := newSigner(1)
	key, err := publishedServer()
	if err != nil {
		t.Fatal(err)
	}
	short := *key
	short.N = nil
	func() {
		defer func() { _ = recover() }()
		if _, err := s.sign(&short, digest("", "", "", "", nil)); err == nil {
			t.Error("signed without a modulus")
		}
	}()
	if s.asked != 1 || s.made != 1 || len(s.slots) != 0 {
		t.Errorf("left: %+v", s)
	}
}
