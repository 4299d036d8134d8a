package crash

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/sqlite"
	"github.com/capstan-pay/capstan/verify"
)

// TestKilledBetweenDueAndDone: holds end and money is settled while the clock
// is moved by a month, and the server is killed in the middle of it, again and
// again. Everything happens once, and nothing is left.
func TestKilledBetweenDueAndDone(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes, which the race detector does not see")
	}
	program, file := build(t), filepath.Join(t.TempDir(), "capstan.db")
	random := rand.New(rand.NewPCG(*seed, 1))
	s := start(t, program, file)
	kills := 0
	for round := range max(*rounds/2, 2) {
		var holds sync.WaitGroup
		for _, dialect := range []string{"alipay", "wepay", "intents", "begateway"} {
			holds.Go(func() { reserve(t, s, dialect, round, 30) })
		}
		holds.Wait()
		moved := make(chan struct{})
		go func() {
			defer close(moved)
			_ = s.advance(31 * 24 * time.Hour) // it dies, or it does not
		}()
		time.Sleep(time.Duration(random.IntN(60)) * time.Millisecond)
		for range 1 + random.IntN(3) {
			s.kill()
			kills++
			s = start(t, program, file)
			time.Sleep(time.Duration(random.IntN(40)) * time.Millisecond) // it takes up what fell due
		}
		<-moved
	}
	if err := s.advance(31 * 24 * time.Hour); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := s.stop(ctx); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
	payments, expired, settled := happenedOnce(t, file)
	t.Logf("%d kills, %d payments, %d holds ended by their deadline, %d captures settled", kills, payments, expired, settled)
	if expired == 0 || settled == 0 {
		t.Error("nothing fell due")
	}
}

// reserve makes holds, and captures a part of every other one.
func reserve(t *testing.T, s *server, dialect string, round, count int) {
	client, err := drive.New(dialect, s.Credentials)
	if err != nil {
		t.Error(err)
		return
	}
	for i := range count {
		key := fmt.Sprintf("t%d-%d", round, i)
		r, err := client.Authorize(t.Context(), held, key)
		if err == nil && r.ID != "" && i%2 == 0 {
			r, err = client.Capture(t.Context(), r.ID, part, key+"-c", false)
		}
		if err != nil || r.Verdict != drive.Done {
			t.Errorf("%s: %v %s", dialect, err, r.Verdict)
			return
		}
	}
}

// advance moves the server's clock.
func (s *server) advance(by time.Duration) error {
	body := fmt.Appendf(nil, `{"advance_seconds":%d}`, int64(by/time.Second))
	response, err := http.Post(s.Credentials.BaseURL+"/_sandbox/clock", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the clock could not be moved: %s", response.Status)
	}
	return nil
}

// happenedOnce is onceIn of a file.
func happenedOnce(t *testing.T, file string) (payments, expired, settled int) {
	t.Helper()
	st, err := sqlite.OpenReadOnly(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	return onceIn(t, st)
}

// onceIn holds the history of a store against what may happen once, and wants
// nothing to be left open. It counts the payments, the holds that ended by their
// deadline, and the captures that were settled after a while.
func onceIn(t *testing.T, st store.Store) (payments, expired, settled int) {
	t.Helper()
	seen := map[string]bool{}
	err := st.Audit(t.Context(), func(view store.Audit) error {
		err := view.Events(func(id payment.ID, sequence int, e payment.Event) error {
			once := fmt.Sprintf("payment %s: %s of operation %d", id, e.Kind, e.Operation)
			if seen[once] && e.Kind != payment.PaymentRevised {
				t.Errorf("%s happened twice", once)
			}
			seen[once] = true
			switch e.Kind {
			case payment.HoldExpired:
				expired++
			case payment.CaptureSettled:
				settled++
			}
			return nil
		})
		if err != nil {
			return err
		}
		return view.States(func(state store.State) error {
			payments++
			if !state.Status.Final() || state.Authorized+state.Extended != state.Captured+state.Voided+state.Released {
				t.Errorf("payment %s is %s", state.Payment, state.Status)
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	report, err := verify.Audit(t.Context(), st)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings {
		t.Error("audit:", f)
	}
	return payments, expired, settled
}
