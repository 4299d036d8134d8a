package scenario

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/store/sqlite"
)

// TestRefusedRequestAndItsKey: a capture of too much uses up its key where the
// dialect says so, and nowhere else.
func TestRefusedRequestAndItsKey(t *testing.T) {
	burns := map[string]bool{
		"alipay":    true,  // section 3, rule a: what is final is kept, S or F
		"intents":   true,  // section 2: the outcome of a request that was begun is kept, whatever it is
		"wepay":     false, // section 2.6: only what succeeded is kept
		"begateway": false, // has no keys
	}
	each(t, func(w *world, c drive.Client) {
		id := w.authorized(c, "a")
		w.want(drive.Refused)(c.Capture(w.t.Context(), id, hold+1, "k", true))
		w.want(drive.Refused, drive.Replayed)(c.Capture(w.t.Context(), id, hold+1, "k", true))
		r, err := c.Capture(w.t.Context(), id, hold, "k", true)
		if err != nil || (r.Verdict == drive.Done) == burns[c.Name()] {
			w.t.Errorf("the key is used up: %t, and a good request under it is %s %s, %v", burns[c.Name()], r.Verdict, r.Answer, err)
		}
		var want int64
		if r.Verdict == drive.Done {
			want = hold
		}
		if captured, _, _ := w.settled(); captured != want {
			w.t.Errorf("%d captured", captured)
		}
	})
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
