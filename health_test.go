package capstan_test

import (
	"cmp"
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/internal/drive"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/faulty"
	"github.com/capstan-pay/capstan/store/memory"
)

// says asks the admin listener, and fails when it says something else.
func says(t *testing.T, s *capstantest.Server, path string, status int, want string) {
	t.Helper()
	w := httptest.NewRecorder()
	s.Admin().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	if w.Code != status || w.Body.String() != want+"\n" {
		t.Errorf("%s: %d %q, want %d %q", path, w.Code, w.Body, status, want)
	}
}

func TestHealth(t *testing.T) {
	s := capstantest.Run(t)
	says(t, s, "/healthz", 200, "ok")
	says(t, s, "/readyz", 503, "starting")
	s.Ready()
	says(t, s, "/readyz", 200, "ready")
	s.Hurry()
	says(t, s, "/readyz", 503, "draining")
	says(t, s, "/healthz", 200, "ok")
}

// noRoom is a store that takes no changes while it is full, and counts the
// probes that it gets.
type noRoom struct {
	store.Store
	full   atomic.Bool
	err    error // what it says while it is full; nil is ErrFull
	probes atomic.Int64
}

func (n *noRoom) PutMeta(ctx context.Context, name string, value []byte, once bool) ([]byte, error) {
	if name == "probe" {
		n.probes.Add(1)
		if n.full.Load() {
			return nil, cmp.Or(n.err, store.ErrFull)
		}
	}
	return n.Store.PutMeta(ctx, name, value, once)
}

// A store that takes no changes is no reason to end the process, and one to
// send requests elsewhere, until it takes them again.
func TestReadyWhileWritable(t *testing.T) {
	st := &noRoom{Store: memory.Open()}
	s := capstantest.Run(t, capstantest.On(st))
	s.Ready()
	st.full.Store(true)
	says(t, s, "/readyz", 503, "store not writable")
	says(t, s, "/healthz", 200, "ok")
	for range 100 {
		says(t, s, "/readyz", 503, "store not writable")
	}
	if n := st.probes.Load(); n != 1 {
		t.Errorf("the store was probed %d times at once", n)
	}
	st.full.Store(false)
	s.ProbeAgain()
	says(t, s, "/readyz", 200, "ready")

	client := clients(t, s)["intents"] // what commands write needs no probe
	if r, err := client.Authorize(t.Context(), 1000, "written"); err != nil || r.Verdict != drive.Done {
		t.Fatalf("%s %v", r.Answer, err)
	}
	probes := st.probes.Load()
	s.ProbeAgain()
	says(t, s, "/readyz", 200, "ready")
	if n := st.probes.Load() - probes; n != 0 {
		t.Errorf("%d probes though something was just written", n)
	}
}

// A command that finds no room is believed at once, whatever was known before.
func TestUnreadyAtTheFirstFailure(t *testing.T) {
	var full atomic.Bool
	st := &noRoom{Store: faulty.New(memory.Open(), func(call faulty.Call) faulty.Fault {
		if full.Load() && call == faulty.Commit {
			return faulty.Fault{Err: store.ErrFull}
		}
		return faulty.Fault{}
	})}
	s := capstantest.Run(t, capstantest.On(st))
	s.Ready()
	client := clients(t, s)["intents"]
	if r, err := client.Authorize(t.Context(), 1000, "before"); err != nil || r.Verdict != drive.Done {
		t.Fatalf("%s %v", r.Answer, err)
	}
	says(t, s, "/readyz", 200, "ready")
	full.Store(true)
	st.full.Store(true)
	_, _ = client.Authorize(t.Context(), 1000, "while full")
	says(t, s, "/readyz", 503, "store not writable")
	full.Store(false)
	st.full.Store(false)
	s.ProbeAgain()
	says(t, s, "/readyz", 200, "ready")
}

// A probe notices a broken store though nobody asks for anything.
func TestProbeOfABrokenStore(t *testing.T) {
	st := &noRoom{Store: memory.Open(), err: store.ErrBroken}
	s := capstantest.Run(t, capstantest.On(st))
	s.Ready()
	says(t, s, "/readyz", 200, "ready")
	st.full.Store(true)
	s.ProbeAgain()
	says(t, s, "/readyz", 503, "store not writable")
	says(t, s, "/readyz", 503, "storage failed")
	says(t, s, "/healthz", 503, "storage failed")
}

func TestStorageFailed(t *testing.T) {
	var broken atomic.Bool
	st := faulty.New(memory.Open(), func(call faulty.Call) faulty.Fault {
		if broken.Load() && call == faulty.Commit {
			return faulty.Fault{Err: store.ErrBroken}
		}
		return faulty.Fault{}
	})
	s := capstantest.Run(t, capstantest.On(st))
	s.Ready()
	says(t, s, "/readyz", 200, "ready")
	broken.Store(true)
	_, _ = clients(t, s)["begateway"].Authorize(t.Context(), 1000, "")
	for end := time.Now().Add(10 * time.Second); !s.Engine.Failed() && time.Now().Before(end); time.Sleep(time.Millisecond) {
	}
	says(t, s, "/readyz", 503, "storage failed")
	says(t, s, "/healthz", 503, "storage failed")
}
