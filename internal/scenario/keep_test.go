package scenario

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/store/sqlite"
)

// TestRefusedRequestAndItsKey: a refused capture uses up its key where the
// dialect says so, and nowhere else: a good one under it is carried out or not.
func TestRefusedRequestAndItsKey(t *testing.T) {
	refusals := map[string]struct {
		ask   func(*world, drive.Client) (drive.Result, error)
		burns string // the dialects in which it does
	}{
		// alipay, section 3, rule a: what is final is kept, S or F. intents,
		// section 4: the outcome of a request that was begun is. wepay, section
		// 6: only what succeeded. begateway has no keys.
		"too much": {func(w *world, c drive.Client) (drive.Result, error) {
			return c.Capture(w.t.Context(), w.authorized(c, "other"), hold+1, "k", true)
		}, "alipay intents"},
		"captured before": {func(w *world, c drive.Client) (drive.Result, error) {
			id := w.authorized(c, "other")
			w.want(drive.Done)(c.Capture(w.t.Context(), id, hold, "first", true))
			w.Advance(w.t, time.Minute) // beyond begateway's look-out for duplicates
			return c.Capture(w.t.Context(), id, 100, "k", true)
		}, "alipay intents"},
		"expired": {func(w *world, c drive.Client) (drive.Result, error) {
			id := w.authorized(c, "other")
			w.Advance(w.t, 40*day)
			return c.Capture(w.t.Context(), id, hold, "k", true)
		}, "alipay intents"},
		// alipay finds no authorization to keep an answer with; intents looks
		// for the payment after the key (section 7).
		"no such payment": {func(w *world, c drive.Client) (drive.Result, error) {
			return c.Capture(w.t.Context(), nobody[c.Name()], hold, "k", true)
		}, "intents"},
		// What cannot be read has not begun, but intents holds a negative amount
		// against the hold.
		"a negative amount": {func(w *world, c drive.Client) (drive.Result, error) {
			return c.Capture(w.t.Context(), w.authorized(c, "other"), -5, "k", true)
		}, "intents"},
	}
	for name, refusal := range refusals {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world, c drive.Client) {
				w.want(drive.Refused)(refusal.ask(w, c))
				before, _, _ := w.settled()
				id := w.authorized(c, "good")
				burnt := slices.Contains(strings.Fields(refusal.burns), c.Name())
				r, err := c.Capture(w.t.Context(), id, hold, "k", true)
				if err != nil || (r.Verdict == drive.Done) == burnt {
					w.t.Errorf("the key is used up: %t, and a good request under it is %s %s, %v", burnt, r.Verdict, r.Answer, err)
				}
				want := int64(0)
				if !burnt {
					want = hold
				}
				w.wants(before+want, 0, 0)
				w.shows(c, id, want)
				if burnt {
					w.want(drive.Done)(c.Capture(w.t.Context(), id, hold, "another", true))
				}
			})
		})
	}
}

// nobody is a payment that does not exist.
var nobody = map[string]string{
	"alipay": "20260115000000000000000000000000000000000000000", "intents": "pi_000000000000000000000000",
	"wepay": "00000000-0000-4000-8000-000000000000", "begateway": "00000000-0000-4000-8000-000000000000",
}

// TestTimersSurviveTheLossOfEverythingButTheDatabase: a server that is made
// from nothing but the file asks about what is unknown, captures what is
// planned and ends what is over.
func TestTimersSurviveTheLossOfEverythingButTheDatabase(t *testing.T) {
	w := newWorld(t)
	if w.Path == "" {
		t.Skip("the database is no file")
	}
	c := w.client("intents")
	unknown, over := w.authorized(c, "a"), w.authorized(c, "b")
	_ = over
	planned := w.planned("p", w.Clock.Now().Add(day))
	w.lose("capture", "lost_then_approved")
	w.want(drive.Unknown, drive.InProcess)(c.Capture(t.Context(), unknown, hold, "k", true))
	w.lose("authorize", "timeout")
	if r, err := c.Authorize(t.Context(), hold, "c"); err != nil || r.Verdict == drive.Done {
		t.Fatalf("%s %v", r.Verdict, err)
	}
	w.Stop()
	if err := w.Store.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(w.Path)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := filepath.Join(t.TempDir(), "only.db")
	if err := os.WriteFile(elsewhere, text, 0o600); err != nil {
		t.Fatal(err)
	}
	st, err := sqlite.Open(t.Context(), elsewhere, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	w.Server = capstantest.Run(t, capstantest.On(st), capstantest.With(w.peer.Cards))
	w.Advance(t, 8*day)
	w.wants(2*hold, 0, 0) // the unknown one, and the planned one
	if held := w.Balances(t, "USD")["held"]; held != 0 {
		t.Errorf("%d still held", held)
	}
	if r, err := w.client("wepay").Query(t.Context(), planned); err != nil || r.Captured != hold {
		t.Errorf("%s, %v", r.Answer, err)
	}
}
