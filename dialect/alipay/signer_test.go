package alipay

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// gathering plays those who ask for signatures and those who commit.
type gathering struct {
	*signer
	signers, waiters sync.WaitGroup
	through          atomic.Int64
}

func (g *gathering) ask(n int) {
	for range n {
		g.signers.Go(g.begin)
	}
	synctest.Wait()
}

func (g *gathering) come(n int) {
	for range n {
		g.waiters.Go(func() {
			g.gather()
			g.through.Add(1)
		})
	}
	synctest.Wait()
}

// make makes signatures and expects that afterwards so many are through.
func (g *gathering) make(t *testing.T, n int, want int64) {
	t.Helper()
	for range n {
		g.end()
	}
	synctest.Wait()
	if got := g.through.Load(); got != want {
		t.Fatalf("%d are through when %d signatures are made of %d, want %d", got, g.made, g.asked, want)
	}
}

// TestGather: while there is enough to sign those who commit wait, and go
// together when there are as many of them as signatures to be made.
func TestGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gathering{signer: newSigner(1)} // 4 signatures are enough
		g.ask(4)
		g.come(1)
		g.make(t, 0, 1)

		g.ask(16) // 20 now
		g.come(6)
		g.make(t, 13, 1)
		g.make(t, 1, 7) // 6 wait, 6 are to be made
		g.ask(2)
		g.come(7)
		g.make(t, 0, 7)
		g.come(1)
		g.make(t, 0, 15) // 8 and 8, and nothing was made since
		g.make(t, 8, 15)
		g.signers.Wait()
		g.waiters.Wait()
		if g.door != nil || g.asked != g.made || g.waiting != 0 {
			t.Errorf("left: %+v", g.signer)
		}
	})
}

// TestGatherIsBounded: whatever is asked for after the first of them came does
// not keep him waiting.
func TestGatherIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gathering{signer: newSigner(1)}
		g.ask(10)
		g.come(1)
		for made := 1; made <= 6; made++ {
			g.ask(3)
			g.make(t, 1, int64(made/6)) // 6 of the first 10: 4 are enough
		}
		g.come(1) // 22 are to be made now: 18 of them are not enough
		g.ask(50)
		g.make(t, 17, 1)
		g.make(t, 1, 2)
		g.make(t, int(g.asked-g.made), 2)
		g.signers.Wait()
		g.waiters.Wait()
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
