package bench

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

// each dials n connections and then runs work on each of them, until all are
// done or one fails. It returns the merged histograms.
func (l *Load) each(ctx context.Context, n int, work func(*conn, *histogram) error) (*histogram, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	conns := make([]*conn, n)
	spans := make([]histogram, len(conns))
	for i := range conns {
		c, err := dial(ctx, l.target)
		if err != nil {
			for _, open := range conns[:i] {
				open.hangUp()
			}
			return &histogram{}, err
		}
		conns[i] = c
	}
	defer context.AfterFunc(ctx, func() {
		for _, c := range conns {
			c.hangUp()
		}
	})()
	var workers sync.WaitGroup
	for i, c := range conns {
		workers.Go(func() {
			defer c.hangUp()
			if err := work(c, &spans[i]); err != nil {
				cancel(err)
			}
		})
	}
	workers.Wait()
	for i := range spans[1:] {
		spans[0].merge(&spans[i+1])
	}
	return &spans[0], context.Cause(ctx)
}

// counter deals out the numbers below a limit, each once.
type counter struct {
	next  atomic.Int64
	limit int
}

func (c *counter) take() (int, bool) {
	i := int(c.next.Add(1)) - 1
	return i, i < c.limit
}

// arena keeps many small byte slices in few large ones.
type arena struct{ free []byte }

func (a *arena) copy(b []byte) []byte {
	if len(a.free) < len(b) {
		a.free = make([]byte, max(64<<10, len(b)))
	}
	n := copy(a.free, b)
	kept := a.free[:n:n]
	a.free = a.free[n:]
	return kept
}

// problems counts what went wrong in a phase and tells of the first few.
type problems struct {
	out   io.Writer
	phase string
	most  int // that are borne; 0 is any number
	mu    sync.Mutex
	n     int
}

// shown is how many problems of a phase are told.
const shown = 5

// report notes a problem. It returns an error when there have been too many.
func (p *problems) report(what string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n++
	if p.n <= shown {
		fmt.Fprintf(p.out, "%s: %s\n", p.phase, what)
	} else if p.n == shown+1 {
		fmt.Fprintf(p.out, "%s: more problems, not shown\n", p.phase)
	}
	if p.most > 0 && p.n >= p.most {
		return fmt.Errorf("%s: %d requests failed, giving up", p.phase, p.n)
	}
	return nil
}

func (p *problems) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n
}
