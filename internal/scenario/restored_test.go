package scenario

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan"
	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/internal/peer"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/sqlite"
	"github.com/capstan-pay/capstan/verify"
)

// TestRestoredStore: a store that was made from an older backup answers reads,
// captures nothing before it is reconciled, then only what does not differ, and
// repeats nothing that the processor has done since.
func TestRestoredStore(t *testing.T) {
	w := newWorld(t)
	if w.Path == "" {
		t.Skip("the database is no file")
	}
	c := w.client("intents")
	lost, sound := w.authorized(c, "a"), w.authorized(c, "b")
	name := w.authorization()
	st := w.restored(func() {
		w.want(drive.Done)(c.Capture(t.Context(), lost, 1500, "k", true)) // after the backup
	})
	// While the processor cannot be asked, nothing is captured.
	w.Server = capstantest.Run(t, capstantest.On(st), capstantest.With(func(c *capstan.Config) {
		c.Processors = map[string]string{"card": "http://127.0.0.1:1"}
	}))
	w.hurried()
	c = w.client("intents")
	for _, id := range []string{lost, sound} {
		if r, err := c.Query(t.Context(), id); err != nil || r.State != "requires_capture" {
			t.Errorf("a read is %s, %v", r.State, err)
		}
		if r, err := c.Capture(t.Context(), id, 900, "early"+id, true); err != nil || r.Verdict == drive.Done {
			t.Errorf("captured before it is reconciled: %s %s, %v", r.Verdict, r.Answer, err)
		}
	}
	w.Stop()

	w.Server = capstantest.Run(t, capstantest.On(st), capstantest.With(w.peer.Cards))
	w.hurried()
	c = w.client("intents")
	w.found("unwritten " + capture(name))
	if r, err := c.Capture(t.Context(), lost, 900, "k2", true); err != nil || r.Verdict == drive.Done {
		t.Errorf("captured though it differs: %s %s, %v", r.Verdict, r.Answer, err)
	}
	w.want(drive.Done)(c.Capture(t.Context(), sound, 900, "k3", true))
	w.Advance(t, 7*day+time.Second) // its deadline waits, too
	if r, err := c.Query(t.Context(), lost); err != nil || r.State != "requires_capture" {
		t.Errorf("after its deadline it is %s, %v", r.State, err)
	}
	if err := w.Settle(t.Context(), capture(name), "jane: booked by hand"); err != nil {
		t.Fatal(err)
	}
	w.found()
	if captured, count := peer.Sum(w.peer.Effects(t), "capture"); captured != 1500+900 || count != 2 {
		t.Errorf("%d captured by %d captures", captured, count)
	}
	w.Stop()
	w.Server = capstantest.Run(t, capstantest.On(st), capstantest.With(w.peer.Cards)) // the mark is gone
	w.Advance(t, time.Minute)
	if r, err := w.client("intents").Query(t.Context(), lost); err != nil || r.State == "requires_capture" {
		t.Errorf("its deadline is over, and it is %s, %v", r.State, err)
	}
}

// restored does what happens after a backup, stops the server, and returns the
// store that was made from the backup.
func (w *world) restored(afterwards func()) store.Store {
	w.t.Helper()
	if w.Path == "" {
		w.t.Skip("the database is no file")
	}
	backup := filepath.Join(w.t.TempDir(), "backup.db")
	if err := w.Store.(*sqlite.Store).Backup(w.t.Context(), backup); err != nil {
		w.t.Fatal(err)
	}
	afterwards()
	w.Stop()
	text, err := os.ReadFile(backup)
	if err != nil {
		w.t.Fatal(err)
	}
	file := filepath.Join(w.t.TempDir(), "restored.db")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		w.t.Fatal(err)
	}
	st, err := sqlite.Open(w.t.Context(), file, sqlite.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = st.Close() })
	if err := capstan.MarkRestored(w.t.Context(), st); err != nil {
		w.t.Fatal(err)
	}
	return st
}

// serve serves a store with the peer as its processor.
func (w *world) serve(st store.Store) {
	w.t.Helper()
	w.Server = capstantest.Run(w.t, capstantest.On(st), capstantest.With(w.peer.Cards))
	w.hurried()
}

// sound has the auditor look at the store.
func (w *world) sound() {
	w.t.Helper()
	report, err := verify.Audit(w.t.Context(), w.Store)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range report.Findings {
		w.t.Errorf("the auditor: %+v", f)
	}
}

// TestAdopted: what the processor has performed after the backup is booked in
// its order, as it would have been; then the payment goes on where it was, and
// both sides agree.
func TestAdopted(t *testing.T) {
	w := newWorld(t)
	c := w.client("begateway")
	id := w.authorized(c, "a")
	name := w.authorization()
	of := strings.TrimSuffix(name, "1")
	w.serve(w.restored(func() {
		w.want(drive.Done)(c.Capture(t.Context(), id, 700, "", false))
		w.want(drive.Done)(c.Capture(t.Context(), id, 300, "", false))
	}))
	c = w.client("begateway")
	w.found("unwritten "+of+"2", "unwritten "+of+"3")
	for _, wrong := range []string{of + "4", name, "op_4711_2", "", of + "02"} {
		if err := w.Adopt(t.Context(), wrong, "jane"); err == nil {
			t.Errorf("%q was adopted", wrong)
		}
	}
	if err := w.Adopt(t.Context(), of+"2", "jane: restored"); err != nil {
		t.Fatal(err)
	}
	if err := w.Adopt(t.Context(), of+"2", "jane: again"); err == nil {
		t.Error("it was adopted twice")
	}
	w.found("unwritten " + of + "3")
	if r, err := c.Capture(t.Context(), id, 100, "", false); err != nil || r.Verdict == drive.Done {
		t.Errorf("captured though it differs: %s %s, %v", r.Verdict, r.Answer, err)
	}
	if err := w.Adopt(t.Context(), of+"3", "jane: restored"); err != nil {
		t.Fatal(err)
	}
	w.found()
	w.want(drive.Done)(c.Capture(t.Context(), id, 100, "", false))
	w.wants(700+300+100, 0, 0)
	w.found()
	w.sound()
	if b := w.Balances(t, "USD"); b["merchant"]+b["platform_fees"]+b["in_transit"] != 1100 {
		t.Errorf("the books have %v", b)
	}
}

// TestSettledNamesAreNotUsedAgain: what was settled by hand has a name that the
// processor knows. A capture that comes later is another one, though it has the
// same amount.
func TestSettledNamesAreNotUsedAgain(t *testing.T) {
	w := newWorld(t)
	c := w.client("begateway")
	id := w.authorized(c, "a")
	of := strings.TrimSuffix(w.authorization(), "1")
	w.serve(w.restored(func() {
		w.lose("capture", "decline")
		w.want(drive.Declined)(c.Capture(t.Context(), id, 900, "", false))
		w.Advance(t, time.Minute) // it is no duplicate any more
		w.want(drive.Done)(c.Capture(t.Context(), id, 900, "", false))
	}))
	c = w.client("begateway")
	w.found("unwritten " + of + "3")
	if err := w.Settle(t.Context(), of+"3", "jane: given back by the acquirer"); err != nil {
		t.Fatal(err)
	}
	w.found()
	w.want(drive.Done)(c.Capture(t.Context(), id, 900, "", false))
	if captured, count := peer.Sum(w.peer.Effects(t), "capture"); captured != 1800 || count != 2 {
		t.Errorf("%d captured by %d captures: the second was taken for the first", captured, count)
	}
	w.found()
	w.sound()
}

// TestHeldIsRetryable: a capture of a payment that is not reconciled is refused
// in its dialect's word for try again, reads work, and no key is used up: the
// very same request is carried out when the payment is.
func TestHeldIsRetryable(t *testing.T) {
	for dialect, want := range map[string]struct {
		status int
		text   string
	}{
		"wepay": {500, "UNEXPECTED_ERROR"}, "intents": {429, `"code": "rate_limit"`}, "begateway": {429, "Too many requests"},
	} {
		t.Run(dialect, func(t *testing.T) {
			w := newWorld(t)
			c := w.client(dialect)
			id := w.authorized(c, "a")
			of := strings.TrimSuffix(w.authorization(), "1")
			w.serve(w.restored(func() {
				w.want(drive.Done, drive.Unknown)(c.Capture(t.Context(), id, 700, "before", false))
			}))
			w.found("unwritten " + of + "2")
			c = w.client(dialect)
			for range 2 {
				if r, err := c.Capture(t.Context(), id, 500, "after", false); err != nil || r.Status != want.status || !strings.Contains(string(r.Answer), want.text) {
					t.Errorf("it is %d %s %v", r.Status, r.Answer, err)
				}
				if r, err := c.Query(t.Context(), id); err != nil || r.Status != 200 {
					t.Errorf("a read is %d %s %v", r.Status, r.Answer, err)
				}
			}
			if err := w.Settle(t.Context(), of+"2", "jane: given back by the acquirer"); err != nil {
				t.Fatal(err)
			}
			w.want(drive.Done, drive.Unknown)(c.Capture(t.Context(), id, 500, "after", false))
			if captured, count := peer.Sum(w.peer.Effects(t), "capture"); captured != 1200 || count != 2 {
				t.Errorf("%d captured by %d captures", captured, count)
			}
			w.found()
			w.sound()
		})
	}
}

func capture(authorization string) string { return authorization[:len(authorization)-1] + "2" }
