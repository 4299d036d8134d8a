package verify

import (
	"time"

	"github.com/capstan-pay/capstan/store"
)

// state holds a stored state row against the history.
func (acc *account) state(s store.State) {
	if acc.stated {
		acc.add("has two state rows")
	}
	acc.stated = true
	acc.tenant, acc.merchant = s.Tenant, s.Merchant
	if acc.version == 0 {
		acc.add("has a state row but no events")
		return
	}
	differ := func(what string, stored, computed any) {
		if stored != computed {
			acc.add("%s is stored as %v, its history says %v", what, stored, computed)
		}
	}
	differ("version", s.Version, acc.version)
	differ("status", s.Status, acc.status)
	differ("authorized", s.Authorized, acc.authorized)
	differ("extended", s.Extended, acc.extended)
	differ("captured", s.Captured, acc.captured)
	differ("voided", s.Voided, acc.voided)
	differ("released", s.Released, acc.released)
	differ("refunded", s.Refunded, acc.refunded)
	if !s.UpdatedAt.Equal(acc.updated) {
		differ("time of the last event", s.UpdatedAt.Format(time.RFC3339Nano), acc.updated.Format(time.RFC3339Nano))
	}
}

// known looks whether there is all that a payment consists of.
func (acc *account) known() {
	switch {
	case acc.id == 0 || acc.stated:
	case acc.version > 0:
		acc.add("has events but no state row")
	default:
		acc.add("something is written of it, but it has no events")
	}
}
