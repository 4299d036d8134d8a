package scenario

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/capstan-pay/capstan"
	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/internal/peer"
	"github.com/capstan-pay/capstan/store/sqlite"
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
	backup := filepath.Join(t.TempDir(), "backup.db")
	if err := w.Store.(*sqlite.Store).Backup(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	w.want(drive.Done)(c.Capture(t.Context(), lost, 1500, "k", true)) // after the backup
	w.Stop()
	text, err := os.ReadFile(backup)
	if err != nil {
		t.Fatal(err)
	}
	restored := filepath.Join(t.TempDir(), "restored.db")
	if err := os.WriteFile(restored, text, 0o600); err != nil {
		t.Fatal(err)
	}
	st, err := sqlite.Open(t.Context(), restored, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	if err := capstan.MarkRestored(t.Context(), st); err != nil {
		t.Fatal(err)
	}

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

func capture(authorization string) string { return authorization[:len(authorization)-1] + "2" }
