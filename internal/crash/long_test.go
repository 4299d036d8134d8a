package crash

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/internal/peer"
	"github.com/capstan-pay/capstan/store/sqlite"
)

var long = flag.Duration("long", 6*time.Second, "how long TestLongRun goes on")

// TestLongRun: under load in every dialect, with a processor whose answers are
// lost, late, pending, refused or wrong, the server is killed again and again.
// In the end what clients were told, the books, the processor's journal and the
// audit agree: nothing is doubled, nothing is lost.
func TestLongRun(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes, which the race detector does not see")
	}
	program, store, p := build(t), filepath.Join(t.TempDir(), "capstan.db"), peer.Run(t)
	random := rand.New(rand.NewPCG(*seed, 5))
	cards := args("--processor", "card="+p.URL)
	s := start(t, program, store, cards)
	all, deaths := &load{}, 0
	for end := time.Now().Add(*long); time.Now().Before(end); deaths++ {
		for range 10 {
			operation := []string{"authorize", "capture"}[random.IntN(2)]
			outcome := []string{"decline", "timeout", "lost_then_approved", "lost_then_declined", "late", "pending", "error", "error_then_approved"}[random.IntN(8)]
			p.Expect(t, operation, outcome, time.Duration(random.IntN(100))*time.Millisecond, 1+random.IntN(3))
		}
		ctx, cancel := context.WithCancel(t.Context())
		var workers sync.WaitGroup
		for _, dialect := range []string{"alipay", "wepay", "intents", "begateway"} {
			client, err := drive.New(dialect, s.Credentials)
			if err != nil {
				t.Fatal(err)
			}
			for w := range 3 {
				workers.Go(func() {
					for n := 0; ctx.Err() == nil && n < 50; n++ { // a load ends at what it does not understand
						all.run(ctx, client, fmt.Sprintf("l%d-%s-%d-%d", deaths, dialect, w, n))
					}
				})
			}
		}
		time.Sleep(time.Duration(100+random.IntN(600)) * time.Millisecond)
		s.kill()
		cancel()
		workers.Wait()
		s = start(t, program, store, cards)
	}
	for range 4 {
		if err := s.advance(time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	for _, h := range all.holds {
		var least, most int64
		for _, c := range h.captures {
			if most += c.amount; c.verdict == drive.Done {
				least += c.amount
			}
		}
		if h.dialect != "alipay" && least == 0 && most == 0 {
			continue
		}
		if got := captured(t, s.Credentials, h); got < least || got > most {
			t.Errorf("%s %s: %d captured, its client was told of %d and asked for %d", h.dialect, h.id, got, least, most)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := s.stop(ctx); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
	st, err := sqlite.OpenReadOnly(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	effects := p.Effects(t)
	for _, wrong := range peer.Agree(t, st, effects) {
		t.Error(wrong)
	}
	t.Logf("%d kills, %d holds, %d captures acknowledged, %d effects of the processor", deaths, len(all.holds), all.acked, len(effects))
	if deaths == 0 || all.acked == 0 || len(effects) == 0 {
		t.Error("that was not much of a run")
	}
}
