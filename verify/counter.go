package verify

import (
	"fmt"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/risk"
	"github.com/capstan-pay/capstan/store"
)

// counter is a counter of risk checks: what is stored, and what the history
// adds up to under its name, of operations that succeeded and that wait.
type counter struct {
	unreadable  bool
	stored, sum counted
}

type counted struct{ volume, count, heldVolume, heldCount int64 }

// counter notes a counter, to be held against the operations that count
// towards it. One that is missing may have been forgotten, and what rules have
// seen lately is in no history, so neither is looked at.
func (a *audit) counter(c store.Counter) error {
	a.report.Counters++
	t, err := risk.ParseTally(c.Value)
	a.counters[store.Ref[string]{Tenant: c.Tenant, Name: c.Name}] = &counter{
		unreadable: err != nil, stored: counted{t.Volume, t.Count, t.HeldVolume, t.HeldCount},
	}
	return nil
}

// count adds up what the operations of a payment count for. A capture counts;
// so does an authorization that is captured at once, while it waits for its
// processor or for an operator.
func (a *audit) count(acc *account) {
	if len(a.counters) == 0 {
		return
	}
	for i, op := range acc.operations {
		waits := op.pending || i+1 == acc.authorization && acc.heldUp()
		held := waits && (op.kind == payment.OpCapture || op.kind == payment.OpAuthorize && acc.policy.AutoCapture)
		if !held && !(op.kind == payment.OpCapture && op.approved) {
			continue
		}
		for _, name := range op.counted {
			c := a.counters[store.Ref[string]{Tenant: acc.tenant, Name: fmt.Sprintf("%d/%s", acc.merchant, name)}]
			switch {
			case c == nil:
			case held:
				c.sum.heldVolume += op.amount
				c.sum.heldCount++
			default:
				c.sum.volume += op.amount
				c.sum.count++
			}
		}
	}
}

// compareCounters holds the counters against what was added up.
func (a *audit) compareCounters() {
	for of, c := range a.counters {
		switch {
		case c.unreadable:
			a.report.add(0, "the counter %q of tenant %d cannot be read", of.Name, of.Tenant)
		case c.stored != c.sum:
			a.report.add(0, "the counter %q of tenant %d is %+v, the history says %+v", of.Name, of.Tenant, c.stored, c.sum)
		}
	}
}
