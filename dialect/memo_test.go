package dialect_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/payment"
)

// says is an engine with one answer.
type says struct {
	dialect.Engine
	out payment.Outcome
	err error
}

func (s says) Do(context.Context, payment.Request) (payment.Outcome, error) { return s.out, s.err }

// noted is a context with a memo.
type noted struct {
	context.Context
	memo *dialect.Memo
}

func (n noted) Value(key any) any { return dialect.WithMemo(n.Context, n.memo, key) }

// TestWatched: what the engine said is the class of the request. That somebody
// else was faster with a document is no fault of the server's.
func TestWatched(t *testing.T) {
	declined := &payment.Payment{Operations: []payment.Operation{{Number: 1, Status: payment.OpFailed}}}
	for _, c := range []struct {
		name string
		says says
		want dialect.Class
	}{
		{"done", says{}, dialect.Done},
		{"pending", says{out: payment.Outcome{Pending: true}}, dialect.Pending},
		{"refused", says{out: payment.Outcome{Refusal: payment.Refuse(payment.NotCapturable)}}, dialect.Refused},
		{"busy", says{out: payment.Outcome{Refusal: payment.Refuse(payment.Busy)}}, dialect.Overloaded},
		{"declined", says{out: payment.Outcome{Payment: declined, Operation: 1}}, dialect.Declined},
		{"broken", says{err: errors.New("disk")}, dialect.Failed},
		{"moved", says{err: fmt.Errorf("put: %w", document.ErrMoved)}, dialect.Unclassed},
		{"there already", says{err: fmt.Errorf("put: %w", document.ErrExists)}, dialect.Unclassed},
	} {
		t.Run(c.name, func(t *testing.T) {
			memo := &dialect.Memo{}
			_, err := dialect.Watched(c.says).Do(noted{t.Context(), memo}, payment.Request{Merchant: 7})
			if memo.Class != c.want || memo.Merchant != 7 || !errors.Is(err, c.says.err) {
				t.Errorf("class %s of merchant %d, %v", memo.Class, memo.Merchant, err)
			}
		})
	}
}
