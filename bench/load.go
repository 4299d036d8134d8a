package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"
)

// Load is a number of authorized payments that wait to be captured.
type Load struct {
	options  Options
	target   target
	dialects []dialect // one of each merchant
	captures []request
}

// request captures one hold.
type request struct {
	merchant int32
	bytes    []byte
}

// giveUp is how many authorizations may fail before the measurement is called
// off.
const giveUp = 100

// Prepare authorizes the payments of a measurement over its connections, 256 at most,
// and builds (and signs) the requests that will capture them. It fails when
// hardly anything can be authorized; single failures are reported to the log
// and leave fewer holds.
func Prepare(ctx context.Context, o Options) (*Load, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	t, err := parseTarget(o.Target)
	if err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	l := &Load{options: o, target: t}
	merchants, err := t.merchants(ctx, o.Credentials, o.Merchants)
	if err != nil {
		return nil, err
	}
	run := newRun()
	for _, c := range merchants {
		d, err := dialects[o.Dialect](ctx, setup{target: t, credentials: c, run: run, payments: (o.Payments-1)/len(merchants) + 1})
		if err != nil {
			return nil, err
		}
		l.dialects = append(l.dialects, d)
	}
	if err := l.authorize(ctx); err != nil {
		return nil, err
	}
	return l, nil
}

// Holds is how many payments wait to be captured.
func (l *Load) Holds() int { return len(l.captures) }

// authorizing is over how many connections holds are authorized at most.
const authorizing = 256

// A server that is busy is asked again after a pause, that often.
const (
	calm  = 1000
	pause = 10 * time.Millisecond
)

// authorize fills l.captures, in an order that has nothing to do with that of
// the authorizations.
func (l *Load) authorize(ctx context.Context) error {
	l.captures = make([]request, l.options.Payments)
	next := &counter{limit: l.options.Payments}
	problems := &problems{out: l.options.Log, phase: "authorize", most: giveUp}
	_, err := l.each(ctx, min(l.options.Connections, authorizing), func(c *conn, _ *histogram) error {
		var b []byte
		var kept arena
		for i, ok := next.take(); ok; i, ok = next.take() {
			m := i % len(l.dialects)
			d := l.dialects[m]
			var err error
			if b, err = d.authorize(b[:0], i); err != nil {
				return err
			}
			c.keep(time.Now())
			held, failed := c.exchange(b)
			for n := 0; n < calm && failed == nil && !c.closing && d.busy(held); n++ {
				time.Sleep(pause) // it is not what is measured: the same request comes again
				held, failed = c.exchange(b)
			}
			if failed == nil {
				if b, ok, err = d.capture(b[:0], i, held); err != nil {
					return err
				}
			}
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case failed != nil:
				err = problems.report(failed.Error())
			case !ok:
				err = problems.report(describe(d, held))
			default:
				l.captures[i] = request{int32(m), kept.copy(b)}
			}
			if err = errors.Join(err, c.restore(ctx, l.target, failed)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	held := l.captures[:0]
	for _, r := range l.captures {
		if r.bytes != nil {
			held = append(held, r)
		}
	}
	l.captures = held
	if len(held) == 0 {
		return fmt.Errorf("authorize: none of %d payments was authorized", l.options.Payments)
	}
	order := rand.New(rand.NewPCG(uint64(len(held)), 1)) // the same for the same number
	order.Shuffle(len(held), func(i, j int) { held[i], held[j] = held[j], held[i] })
	return nil
}

// Capture captures each hold once. It ends when there are no more, or when d is
// over: requests that are under way then are waited for and counted. When ctx
// ends they are abandoned, and the result comes with an error. A Load can be
// captured once.
func (l *Load) Capture(ctx context.Context, d time.Duration) (Result, error) {
	captures := l.captures
	l.captures = nil
	next := &counter{limit: len(captures)}
	problems := &problems{out: l.options.Log, phase: "capture"}
	runtime.GC() // what the untimed phase left is not to be cleared away while the clock runs
	var clock sync.Once
	var begin time.Time
	spans, err := l.each(ctx, l.options.Connections, func(c *conn, h *histogram) error {
		clock.Do(func() { begin = time.Now() })
		for now := time.Now(); now.Sub(begin) < d; {
			i, ok := next.take()
			if !ok {
				return nil
			}
			c.keep(now)
			r := captures[i]
			a, err := c.exchange(r.bytes)
			if err != nil && ctx.Err() != nil {
				return ctx.Err()
			}
			then := time.Now()
			if err == nil && l.dialects[r.merchant].captured(a) {
				h.add(then.Sub(now))
			} else if err == nil {
				_ = problems.report(describe(l.dialects[r.merchant], a))
			} else {
				_ = problems.report(err.Error())
			}
			if err := c.restore(ctx, l.target, err); err != nil {
				return err
			}
			now = then
		}
		return nil
	})
	if begin.IsZero() { // not one connection was made
		return Result{}, err
	}
	result := Result{Captures: spans.total, Seconds: time.Since(begin).Seconds(), Errors: problems.count()}
	result.PerSecond = float64(result.Captures) / result.Seconds
	result.P50, result.P90, result.P99, result.P999 = spans.ms(0.5), spans.ms(0.9), spans.ms(0.99), spans.ms(0.999)
	return result, err
}
