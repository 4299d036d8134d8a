package move

import (
	"context"
	"errors"
	"fmt"

	"github.com/capstan-pay/capstan/store"
)

// perParcel is about how many rows are committed at a time.
const perParcel = 2000

// carrier fills parcels with what a walk gives, and sends them.
type carrier struct {
	ctx  context.Context //nolint:containedctx // it lives as long as a move
	to   Place
	mark mark
	tell func(Progress)

	parcel  store.Parcel
	skip    int64 // items of the phase that are there already
	items   int64 // of the phase that were sent, or are in the parcel
	rows    int   // in the parcel
	arrived int64 // rows, of all phases
	total   int64
}

// carry walks through the source once. What an earlier move has committed it
// only looks at, for the digests.
func carry(ctx context.Context, from, to Place, m *mark, r *Result, tell func(Progress)) (digests []Digest, err error) {
	err = from.Export(ctx, func(v store.Export) error {
		c := &carrier{ctx: ctx, to: to, mark: *m, tell: tell}
		if c.total, err = v.Rows(); err != nil {
			return err
		}
		resume := *m
		for i, p := range phases {
			c.items, c.skip = 0, 0
			switch {
			case i < resume.Phase:
				c.skip = 1 << 62
			case i == resume.Phase:
				c.skip = resume.Items
			}
			c.mark.Phase = max(i, resume.Phase)
			d := newSum(p.what)
			err := p.walk(v, func(rows int, put func(*store.Parcel), print func(*sum)) error {
				d.item(print)
				return c.take(p.what, rows, put)
			})
			if err == nil && i >= resume.Phase {
				err = c.send(p.what)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", p.what, err)
			}
			digests = append(digests, d.digest())
		}
		r.Rows = c.arrived
		return nil
	})
	return digests, err
}

// take puts an item into the parcel, and sends it when it is full.
func (c *carrier) take(what string, rows int, put func(*store.Parcel)) error {
	c.items++
	if c.items <= c.skip {
		c.arrived += int64(rows)
		return c.ctx.Err()
	}
	put(&c.parcel)
	if c.rows += rows; c.rows < perParcel {
		return nil
	}
	return c.send(what)
}

// send commits the parcel together with the mark of how far it is.
func (c *carrier) send(what string) error {
	if c.rows == 0 {
		return nil
	}
	c.mark.Items = c.items
	c.parcel.Meta = append(c.parcel.Meta, c.mark.meta())
	if err := c.to.Import(c.ctx, &c.parcel); err != nil {
		return err
	}
	c.arrived += int64(c.rows)
	c.parcel, c.rows = store.Parcel{}, 0
	if c.tell != nil {
		c.tell(Progress{What: what, Rows: c.arrived, Total: max(c.total, c.arrived)})
	}
	return nil
}

// digest walks through a store for its digests alone.
func digest(ctx context.Context, of Place) (digests []Digest, err error) {
	err = of.Export(ctx, func(v store.Export) error {
		for _, p := range phases {
			d := newSum(p.what)
			err := p.walk(v, func(_ int, _ func(*store.Parcel), print func(*sum)) error {
				d.item(print)
				return ctx.Err()
			})
			if err != nil {
				return fmt.Errorf("%s: %w", p.what, err)
			}
			digests = append(digests, d.digest())
		}
		return nil
	})
	return digests, err
}

var errUnjoined = errors.New("events and postings do not belong to payments that are there: see capstan verify")
