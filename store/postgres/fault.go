package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/capstan-pay/capstan/store"
)

// What the database answers, by SQLSTATE.
const (
	tooFewRows        = "CPSLS" // our own: see the function expect
	uniqueViolation   = "23505"
	checkViolation    = "23514"
	diskFull          = "53100"
	completionUnknown = "40003"
)

// codeOf is the SQLSTATE of an error, empty if it is none of the database's.
func codeOf(err error) string {
	if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// collided tells whether the database gave up a transaction because of another
// one: nothing was written, and the same may be tried again.
func collided(err error) bool {
	switch codeOf(err) {
	case "40001", "40P01", "55P03":
		return true
	}
	return false
}

// severed tells whether the connection was lost, or the database ended it:
// then it is not known what the last thing sent has done.
func severed(err error) bool {
	pg := (*pgconn.PgError)(nil)
	if !errors.As(err, &pg) {
		return true // not an answer of the database
	}
	return pg.Severity == "FATAL" || pg.Severity == "PANIC" || pg.Code == completionUnknown || strings.HasPrefix(pg.Code, "08")
}

// fault makes of the database's errors those of package store, for work of
// which nothing was committed.
func fault(err error) error {
	switch {
	case err == nil:
		return nil
	case collided(err):
		return fmt.Errorf("%w: %w", store.ErrConflict, err)
	case codeOf(err) == diskFull:
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	return err
}

// patience bounds how long the database may take for one round trip of a
// batch. After it the connection is given up.
var patience = 30 * time.Second

// collisions is how often a transaction is tried that others get in the way
// of.
const collisions = 20

// again tries something until it does not collide with others any more.
func again(ctx context.Context, try func() error) error {
	var err error
	for attempt := range collisions {
		if err = try(); !collided(err) {
			return err
		}
		if e := pause(ctx, attempt); e != nil {
			return e
		}
	}
	return err
}

// pause waits a little, longer with each attempt, and not the same as others.
func pause(ctx context.Context, attempt int) error {
	limit := time.Millisecond << min(attempt, 5)
	select {
	case <-time.After(rand.N(limit)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
