package engine

import (
	"context"
	"flag"
)

// Seed is what random tests begin with.
var Seed = flag.Uint64("seed", 0, "of random tests; a simulation runs nothing else then")

// Load is how many commands wait in the queue and how many keys are being
// worked on.
func (e *Engine) Load() (waiting, keys int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.queue), len(e.inFlight)
}

// SweepNow forgets what is over.
func (e *Engine) SweepNow(ctx context.Context) error { return e.sweepNow(ctx) }
