package verify

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/capstan-pay/capstan/store"
)

// act holds an act of administration against the one before it.
func (a *audit) act(act store.Act) error {
	a.report.Acts++
	if want := a.lastAct + 1; act.Number != want {
		a.report.add(0, "the log of administration goes from act %d to act %d", a.lastAct, act.Number)
	}
	chain := a.chain
	text := append(chain[:], numbers(act.Number, act.At.UnixMilli(), act.Merchant)...)
	for _, part := range [][]byte{[]byte(act.By), []byte(act.Action), []byte(act.Subject), act.Details} {
		text = append(append(text, numbers(int64(len(part)))...), part...)
	}
	if sha256.Sum256(text) != act.Chain {
		a.report.add(0, "act %d of the log of administration was changed, or one before it", act.Number)
	}
	a.lastAct, a.chain = act.Number, act.Chain
	return nil
}

func numbers(all ...int64) (b []byte) {
	for _, n := range all {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	return b
}
