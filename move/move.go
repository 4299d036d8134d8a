// Package move carries everything from one store into an empty one, of the
// same kind or another: books, idempotency records, timers, notices, documents,
// credentials and what is sealed, the log of administration.
//
// From its first step on both stores are marked, so that no server takes
// either: the target until all is in it, the source for good. A move that was
// interrupted goes on where the last commit was.
package move

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/capstan-pay/capstan/store"
)

// MetaName is under what a store is marked that is being moved, or was.
const MetaName = store.MetaMove

// mark is what is kept under MetaName.
type mark struct {
	ID    string `json:"id"`             // of the move
	From  string `json:"from,omitempty"` // in the target
	To    string `json:"to,omitempty"`   // in the source
	Done  bool   `json:"done,omitempty"` // in the source: all is in the target
	Phase int    `json:"phase,omitempty"`
	Items int64  `json:"items,omitempty"` // of the phase that are in the target
}

// What Run may answer instead of moving.
var (
	ErrInUse    = errors.New("a server has the source open: stop it first")
	ErrNotEmpty = errors.New("the target is not empty")
	ErrMoved    = errors.New("the source was moved already")
	ErrDiffers  = errors.New("what is in the target is not what is in the source")
)

// Check refuses a store that is being moved, or was moved elsewhere.
func Check(ctx context.Context, st store.Registry) error {
	m, err := read(ctx, st)
	switch {
	case err != nil:
		return err
	case m == nil:
		return nil
	case m.Done:
		return fmt.Errorf("the store was moved to %s: serve that one", m.To)
	case m.To != "":
		return fmt.Errorf("the store is being moved to %s: let `capstan move` end, or give it up with --abandon", m.To)
	}
	return fmt.Errorf("the store is not complete: call `capstan move` from %s again", m.From)
}

func read(ctx context.Context, st store.Registry) (*mark, error) {
	text, err := st.Meta(ctx, MetaName)
	if err != nil || len(text) == 0 {
		return nil, err
	}
	m := &mark{}
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("the mark of a move cannot be read: %w", err)
	}
	return m, nil
}

func (m mark) meta() store.Meta {
	text, err := json.Marshal(m)
	if err != nil {
		panic(err) // only texts and numbers
	}
	return store.Meta{Name: MetaName, Value: text}
}

// Place is a store with what it may be called in messages.
type Place struct {
	store.Movable
	Name string
}

// Progress is how far a move is.
type Progress struct {
	What  string // that is being moved, such as "payments"
	Rows  int64  // that are in the target
	Total int64  // about
}

// Result is what was moved.
type Result struct {
	Rows    int64
	Resumed bool          // it went on from an earlier one's last commit
	Digests []Digest      // of the source, and of the target: they are the same
	Ahead   time.Duration // how far the sandbox's clock is
}

// Run moves all that is in one store into the other, and reads the target to
// see that it is there. Tell, which may be nil, is called after each commit.
func Run(ctx context.Context, from, to Place, tell func(Progress)) (*Result, error) {
	m, resumed, err := begin(ctx, from, to)
	if err != nil {
		return nil, err
	}
	r := &Result{Resumed: resumed}
	source, err := carry(ctx, from, to, m, r, tell)
	if err != nil {
		return nil, err
	}
	target, err := digest(ctx, to)
	if err != nil {
		return nil, err
	}
	if r.Digests = source; !same(source, target) {
		return nil, fmt.Errorf("%w: %s", ErrDiffers, difference(source, target))
	}
	if r.Ahead, err = from.ClockAhead(ctx); err == nil && r.Ahead > 0 {
		_, err = to.MoveClock(ctx, r.Ahead)
	}
	if err != nil {
		return nil, err
	}
	// From here on the source is history: first it is closed, then the target is opened.
	if err := from.Import(ctx, &store.Parcel{Meta: []store.Meta{mark{ID: m.ID, To: to.Name, Done: true}.meta()}}); err != nil {
		return nil, err
	}
	return r, to.Import(ctx, &store.Parcel{Forget: []string{MetaName}})
}

// begin marks both stores, or finds the marks of a move that has to go on.
func begin(ctx context.Context, from, to Place) (m *mark, resumed bool, err error) {
	source, err := read(ctx, from)
	if err != nil {
		return nil, false, err
	}
	target, err := read(ctx, to)
	if err != nil {
		return nil, false, err
	}
	switch {
	case source != nil && source.To == "":
		return nil, false, fmt.Errorf("the source is not complete itself: %w", Check(ctx, from))
	case target != nil && (source == nil || target.ID != source.ID):
		return nil, false, fmt.Errorf("%w: there is a part of another move in it, from %s%s", ErrNotEmpty, target.From, target.To)
	case source != nil && target == nil && source.Done:
		return nil, false, fmt.Errorf("%w, to %s", ErrMoved, source.To)
	}
	if target == nil {
		if err := empty(ctx, to); err != nil {
			return nil, false, err
		}
	}
	if source == nil {
		source = &mark{ID: rand.Text(), To: to.Name}
		if err := from.Import(ctx, &store.Parcel{Meta: []store.Meta{source.meta()}}); err != nil {
			return nil, false, err
		}
		// Whoever opened it before the mark was there is seen now; whoever comes later sees the mark.
		if err := alone(ctx, from); err != nil {
			return nil, false, errors.Join(err, from.Import(context.WithoutCancel(ctx), &store.Parcel{Forget: []string{MetaName}}))
		}
	} else if err := alone(ctx, from); err != nil {
		return nil, false, err
	}
	if err := alone(ctx, to); err != nil {
		return nil, false, err
	}
	if target != nil {
		return target, true, nil
	}
	target = &mark{ID: source.ID, From: from.Name}
	return target, false, to.Import(ctx, &store.Parcel{Meta: []store.Meta{target.meta()}})
}

// alone waits for the leases to end that processes have left which died. One
// that gives a sign of life is ErrInUse.
func alone(ctx context.Context, p Place) error {
	first, err := p.InUse(ctx)
	for until := first; err == nil && !until.IsZero(); until, err = p.InUse(ctx) {
		if until.After(first) {
			return fmt.Errorf("%s: %w", p.Name, ErrInUse)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}

func empty(ctx context.Context, to Place) error {
	return to.Export(ctx, func(v store.Export) error {
		rows, err := v.Rows()
		if err == nil && rows > 0 {
			err = fmt.Errorf("%w: %s has %d rows", ErrNotEmpty, to.Name, rows)
		}
		return err
	})
}

// Abandon gives up a move that has not ended: the source can be served again.
// What is in the target stays incomplete.
func Abandon(ctx context.Context, from Place) error {
	m, err := read(ctx, from)
	switch {
	case err != nil:
		return err
	case m == nil || m.To == "":
		return errors.New("the source is not being moved")
	case m.Done:
		return fmt.Errorf("%w, to %s", ErrMoved, m.To)
	}
	if err := alone(ctx, from); err != nil { // it may be moving at this moment
		return err
	}
	return from.Import(ctx, &store.Parcel{Forget: []string{MetaName}})
}
