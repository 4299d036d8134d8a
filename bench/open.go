package bench

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// OpenResult is what was measured of a load that does not wait for answers.
type OpenResult struct {
	Result

	Arrived    int     `json:"arrived"`        // requests that fell due, and were sent
	Refused    int     `json:"refused"`        // answers that told to come again; each was sent again later, under its own key
	RefusedP50 float64 `json:"refused_p50_ms"` // how long those answers took
	RefusedP99 float64 `json:"refused_p99_ms"`
	LateP50    float64 `json:"late_p50_ms"` // how long after it fell due a request was sent: for want of a free connection, or because the generator is slow
}

// CaptureOpen sends perSecond captures a second, whatever becomes of them, until
// d is over or the holds run out. The times of answers count from the moment at
// which the request fell due. A hold whose capture was refused because the server
// is busy is captured again later by the very same request. Result.Errors are
// neither captures nor refusals. A Load can be captured once.
func (l *Load) CaptureOpen(ctx context.Context, perSecond float64, d time.Duration) (OpenResult, error) {
	left := &line{waiting: l.captures}
	l.captures = nil
	arrivals := &counter{limit: int(perSecond * d.Seconds())}
	problems := &problems{out: l.options.Log, phase: "capture"}
	var refused, late histogram
	var both sync.Mutex
	runtime.GC() // what the untimed phase left is not to be cleared away while the clock runs
	begin := time.Now().Add(opening)
	spans, err := l.each(ctx, l.options.Connections, func(c *conn, h *histogram) error {
		var refusals, lateness histogram
		defer func() {
			both.Lock()
			defer both.Unlock()
			refused.merge(&refusals)
			late.merge(&lateness)
		}()
		for {
			n, ok := arrivals.take()
			if !ok {
				return nil
			}
			due := begin.Add(time.Duration(float64(n) / perSecond * float64(time.Second)))
			if wait := time.Until(due); wait > 0 {
				time.Sleep(wait)
			}
			r, ok := left.take()
			if !ok {
				return nil
			}
			now := time.Now()
			lateness.add(now.Sub(due))
			c.keep(now)
			a, err := c.exchange(r.bytes)
			if err != nil && ctx.Err() != nil {
				return ctx.Err()
			}
			by := l.dialects[r.merchant]
			switch {
			case err != nil:
				_ = problems.report(err.Error())
			case by.captured(a):
				h.add(time.Since(due))
			case by.busy(a):
				refusals.add(time.Since(now))
				left.back(r)
			default:
				_ = problems.report(describe(by, a))
			}
			if err := c.restore(ctx, l.target, err); err != nil {
				return err
			}
		}
	})
	result := OpenResult{
		Result:  Result{Captures: spans.total, Seconds: time.Since(begin).Seconds(), Errors: problems.count()},
		Arrived: late.total, Refused: refused.total,
	}
	result.PerSecond = float64(result.Captures) / result.Seconds
	result.P50, result.P90, result.P99, result.P999 = spans.ms(0.5), spans.ms(0.9), spans.ms(0.99), spans.ms(0.999)
	result.RefusedP50, result.RefusedP99, result.LateP50 = refused.ms(0.5), refused.ms(0.99), late.ms(0.5)
	return result, err
}

// opening is how long the connections have to be made before the first request
// falls due.
const opening = 100 * time.Millisecond

// ms is a quantile in milliseconds.
func (h *histogram) ms(q float64) float64 { return float64(h.quantile(q)) / float64(time.Millisecond) }

// line is where captures wait for their turn.
type line struct {
	mu      sync.Mutex
	waiting []request
	again   []request // that were refused
}

// take returns the next one: first those that were never sent.
func (l *line) take() (request, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		l.waiting, l.again = l.again, nil
	}
	if len(l.waiting) == 0 {
		return request{}, false
	}
	r := l.waiting[0]
	l.waiting = l.waiting[1:]
	return r, true
}

// back puts one behind the others.
func (l *line) back(r request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.again = append(l.again, r)
}
