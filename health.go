package capstan

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/store"
)

// health is what a server knows of its own.
type health struct {
	ready    atomic.Bool
	draining atomic.Bool

	probing  sync.Mutex
	probed   bool          // writable and at are known
	at       time.Duration // of the last probe, in clock.Ticks
	writable bool

	broken atomic.Bool // a probe found that the storage failed
}

const (
	// probeEvery is how long the store is believed to be writable, or not to be.
	probeEvery = 5 * time.Second
	// probeTimeout is how long a probe may wait for its turn to write.
	probeTimeout = 2 * time.Second
)

// metaProbe is the value that a probe writes.
const metaProbe = "probe"

// Ready says that the server takes requests: /readyz turns 200.
func (s *Server) Ready() { s.health.ready.Store(true) }

// sick says why the process has to be replaced, empty if it has not.
func (s *Server) sick() string {
	if s.Engine.Failed() || s.health.broken.Load() {
		return "storage failed"
	}
	return ""
}

// endWith says that the process has to end once the storage fails, whatever it
// was that was read or written: until a command is to be written next, that may
// take a while.
func (s *Server) endWith(ctx context.Context, failed <-chan error, fatal func(error)) {
	select {
	case err := <-failed:
		s.health.broken.Store(true)
		s.Logger.Error("storage failed: the process has to end", "error", err)
		if fatal != nil {
			fatal(err)
		}
	case <-ctx.Done():
	}
}

// unready says why requests had better go elsewhere, empty if they had not.
func (s *Server) unready(ctx context.Context) string {
	switch sick := s.sick(); {
	case sick != "":
		return sick
	case s.health.draining.Load():
		return "draining"
	case !s.health.ready.Load():
		return "starting"
	case !s.canWrite(ctx):
		return "store not writable"
	}
	return ""
}

// canWrite tells whether the store takes changes: when a command was written
// since it was last asked it does, else a small change is tried. Either is
// believed for a few seconds, that it does only until a command could not be
// written.
func (s *Server) canWrite(ctx context.Context) bool {
	h := &s.health
	h.probing.Lock()
	defer h.probing.Unlock()
	if doubted := h.writable && s.watcher.Metrics.Engine.Failing(); h.probed && !doubted && clock.Ticks()-h.at < probeEvery {
		return h.writable
	}
	h.writable = s.watcher.Metrics.Engine.Wrote()
	if !h.writable {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTimeout)
		defer cancel()
		_, err := s.Store.PutMeta(ctx, metaProbe, []byte(s.Clock.Now().Format(time.RFC3339)), false)
		if err != nil {
			s.Logger.Warn("the store cannot be written", "error", err)
		}
		h.broken.Store(errors.Is(err, store.ErrBroken))
		h.writable = err == nil
	}
	h.probed, h.at = true, clock.Ticks()
	return h.writable
}
