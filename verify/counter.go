package verify

import (
	"fmt"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/risk"
	"github.com/capstan-pay/capstan/store"
)

// counted is what the history adds up to under the name of a counter of risk
// checks: operations that succeeded, and operations that wait.
type counted struct{ volume, count, heldVolume, heldCount int64 }

// counter holds a counter against the operations that count towards it. One
// that is missing may have been forgotten, and what rules have seen lately is
// in no history, so neither is looked at.
func (a *audit) counter(c store.Counter) error {
	a.report.Counters++
	if a.counters == nil {
		a.addUp()
	}
	t, err := risk.ParseTally(c.Value)
	if err != nil {
		a.report.add(0, "the counter %q of tenant %d cannot be read", c.Name, c.Tenant)
		return nil
	}
	stored := counted{t.Volume, t.Count, t.HeldVolume, t.HeldCount}
	if want := a.counters[store.Ref[string]{Tenant: c.Tenant, Name: c.Name}]; stored != want {
		a.report.add(0, "the counter %q of tenant %d is %+v, the history says %+v", c.Name, c.Tenant, stored, want)
	}
	return nil
}

// addUp adds up what every operation counts for. A capture counts; so does an
// authorization that is captured at once, while it waits for its processor.
func (a *audit) addUp() {
	a.counters = map[store.Ref[string]]counted{}
	for _, acc := range a.accounts {
		for _, op := range acc.operations {
			held := op.pending && (op.kind == payment.OpCapture || op.kind == payment.OpAuthorize && acc.automatic)
			if !held && !op.approved {
				continue
			}
			for _, name := range op.counted {
				ref := store.Ref[string]{Tenant: acc.tenant, Name: fmt.Sprintf("%d/%s", acc.merchant, name)}
				c := a.counters[ref]
				if held {
					c.heldVolume += op.amount
					c.heldCount++
				} else {
					c.volume += op.amount
					c.count++
				}
				a.counters[ref] = c
			}
		}
	}
}
