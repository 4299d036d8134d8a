package verify

import (
	"errors"
	"fmt"
	"iter"

	"github.com/capstan-pay/capstan/payment"
)

// cursor hands out what a walk through a store gives, one payment after the
// other: only the next item is in memory.
type cursor[T any] struct {
	pull func() (payment.ID, T, bool)
	stop func()
	err  error // of the walk

	disorder error

	id   payment.ID // of the next item
	item T
	more bool
}

var errStopped = errors.New("stopped")

// follow starts a walk whose items come by payment.
func follow[T any](walk func(func(payment.ID, T) error) error) *cursor[T] {
	c := &cursor[T]{}
	c.pull, c.stop = iter.Pull2(func(yield func(payment.ID, T) bool) {
		c.err = walk(func(id payment.ID, item T) error {
			if !yield(id, item) {
				return errStopped
			}
			return nil
		})
	})
	c.move()
	return c
}

func (c *cursor[T]) move() {
	last, before := c.id, c.more
	c.id, c.item, c.more = c.pull()
	if before && c.more && c.id < last {
		c.disorder, c.more = fmt.Errorf("verify: a walk goes from payment %s back to %s", last, c.id), false
	}
}

// of calls fn with the items of a payment, which is the next one.
func (c *cursor[T]) of(id payment.ID, fn func(T)) {
	for c.more && c.id == id {
		fn(c.item)
		c.move()
	}
}

// next is the payment of the next item, if there is one.
func (c *cursor[T]) next() (payment.ID, bool) { return c.id, c.more }

// end stops the walk, and returns what went wrong with it.
func (c *cursor[T]) end() error {
	c.stop()
	if c.err == nil || errors.Is(c.err, errStopped) {
		return c.disorder
	}
	return c.err
}

// walk is a cursor of any kind of item.
type walk interface {
	next() (payment.ID, bool)
	end() error
}

// first is the first payment of which any of the walks has something.
func first(walks []walk) (id payment.ID, more bool) {
	for _, w := range walks {
		if next, ok := w.next(); ok && (!more || next < id) {
			id, more = next, true
		}
	}
	return id, more
}
