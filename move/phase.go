package move

import (
	"encoding/json"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/wallet"
)

// visitor is called with every item of a phase: how many rows it is, how it is
// put into a parcel, and how it is printed into a sum.
type visitor func(rows int, put func(*store.Parcel), print func(*sum)) error

// phase is one part of a store. The order of phases, and of what is in them, is
// kept in marks.
type phase struct {
	what string
	walk func(store.Export, visitor) error
}

var phases = []phase{
	{"values", func(v store.Export, visit visitor) error {
		return v.Meta(func(m store.Meta) error {
			if m.Name == MetaName {
				return nil
			}
			return visit(1, func(p *store.Parcel) { p.Meta = append(p.Meta, m) }, func(s *sum) { s.text(m.Name); s.bytes(m.Value) })
		})
	}},
	{"merchants", func(v store.Export, visit visitor) error {
		return v.Merchants(func(m merchant.Merchant) error {
			return visit(1, func(p *store.Parcel) { p.Merchants = append(p.Merchants, m) }, func(s *sum) {
				s.number(m.ID, m.Tenant)
				s.text(m.Name)
				s.flag(m.Disabled)
				s.time(m.CreatedAt)
				settings, _ := json.Marshal(m.Settings) //nolint:errcheck // it was unmarshalled
				s.bytes(settings)
			})
		})
	}},
	{"credentials", func(v store.Export, visit visitor) error {
		return v.Credentials(func(c merchant.Credential) error {
			return visit(1, func(p *store.Parcel) { p.Credentials = append(p.Credentials, c) }, func(s *sum) {
				s.number(c.Merchant)
				s.text(c.Dialect, c.Kind, c.Lookup, c.Hint)
				s.bytes(c.Data, c.Sealed)
				s.flag(c.Disabled)
				s.time(c.CreatedAt, c.ExpiresAt)
			})
		})
	}},
	{"wallet users", func(v store.Export, visit visitor) error {
		return v.Users(func(u wallet.User) error {
			return visit(1, func(p *store.Parcel) { p.Users = append(p.Users, u) }, func(s *sum) { s.number(u.ID, u.Tenant); s.flag(u.Frozen) })
		})
	}},
	{"wallet balances", func(v store.Export, visit visitor) error {
		return v.WalletBalances(func(tenant int64, b wallet.Balance) error {
			return visit(1, func(p *store.Parcel) { p.Purses = append(p.Purses, store.Purse{Tenant: tenant, Balance: b}) }, func(s *sum) {
				s.number(tenant, b.User, b.Available)
				s.text(string(b.Currency))
			})
		})
	}},
	{"grants", func(v store.Export, visit visitor) error {
		return v.Grants(func(g wallet.Grant) error {
			return visit(1, func(p *store.Parcel) { p.Grants = append(p.Grants, g) }, func(s *sum) {
				s.number(g.Tenant, g.User)
				s.text(g.Name)
				s.time(g.ExpiresAt)
				s.flag(g.Revoked)
			})
		})
	}},
	{"deposits", func(v store.Export, visit visitor) error {
		return v.Deposits(func(d store.Deposit) error {
			return visit(1, func(p *store.Parcel) { p.Deposits = append(p.Deposits, d) }, func(s *sum) {
				s.number(d.Tenant, d.Merchant, d.User)
				s.time(d.At)
				s.entry(d.Entry)
			})
		})
	}},
	{"payments", payments},
	{"idempotency records", func(v store.Export, visit visitor) error {
		return v.Records(func(r store.Record) error {
			return visit(1, func(p *store.Parcel) { p.Records = append(p.Records, r) }, func(s *sum) {
				s.bytes(r.Key[:], r.Fingerprint[:], r.Context)
				s.number(r.Tenant, int64(r.Payment), int64(r.Version), int64(r.Operation))
				s.text(store.EncodeRefusal(r.Refusal))
				s.flag(r.Pending)
				s.time(r.At, r.Expires)
			})
		})
	}},
	{"timers", func(v store.Export, visit visitor) error {
		return v.Timers(func(t payment.Timer) error {
			return visit(1, func(p *store.Parcel) { p.Timers = append(p.Timers, t) }, func(s *sum) {
				s.time(t.Due)
				s.number(int64(t.Kind), t.Tenant, t.Merchant, int64(t.Payment), int64(t.Operation), int64(t.Attempt))
			})
		})
	}},
	{"counters", func(v store.Export, visit visitor) error {
		return v.Counters(func(c store.Counter) error {
			return visit(1, func(p *store.Parcel) { p.Counters = append(p.Counters, c) }, func(s *sum) {
				s.number(c.Tenant)
				s.text(c.Name)
				s.bytes(c.Value)
				s.time(c.Expires)
			})
		})
	}},
	{"places in listings", func(v store.Export, visit visitor) error {
		return v.Marks(func(m store.Mark) error {
			return visit(1, func(p *store.Parcel) { p.Marks = append(p.Marks, m) }, func(s *sum) {
				s.number(m.Tenant, m.Merchant, int64(m.Payment), int64(m.Operation))
				s.text(m.Label.Kind, m.Label.Value)
				s.time(m.At)
			})
		})
	}},
	{"documents", func(v store.Export, visit visitor) error {
		return v.Documents(func(d document.Document) error {
			return visit(1, func(p *store.Parcel) { p.Documents = append(p.Documents, d) }, func(s *sum) {
				s.number(d.Tenant, d.Merchant, int64(d.Version), d.Serial)
				s.text(d.Dialect, d.Kind, d.ID, d.Owner)
				s.time(d.CreatedAt, d.UpdatedAt, d.Expires)
				s.bytes(d.Body, d.Sealed)
			})
		})
	}},
	{"notices", func(v store.Export, visit visitor) error {
		return v.Notices(func(n outbox.Notice, told int) error {
			n.Deliveries = nil // they come by themselves
			return visit(1, func(p *store.Parcel) { p.Notices = append(p.Notices, store.Told{Notice: n, Told: told}) }, func(s *sum) {
				s.notice(n.NoticeID)
				s.number(n.Tenant, n.Merchant, int64(told))
				s.text(n.Topic)
				s.time(n.At)
				s.bytes(n.Context)
				s.flag(n.Ordered)
			})
		})
	}},
	{"deliveries", func(v store.Export, visit visitor) error {
		return v.Deliveries(func(d outbox.Delivery) error {
			return visit(1, func(p *store.Parcel) { p.Deliveries = append(p.Deliveries, d) }, func(s *sum) {
				s.notice(d.NoticeID)
				s.text(d.Endpoint)
				s.number(d.Tenant, d.Merchant, int64(d.Lane), int64(d.State), int64(d.Attempts))
				s.flag(d.Ordered)
				s.time(d.Due)
			})
		})
	}},
	{"attempts", func(v store.Export, visit visitor) error {
		return v.Attempts(func(a outbox.Attempt) error {
			return visit(1, func(p *store.Parcel) { p.Attempts = append(p.Attempts, a) }, func(s *sum) {
				s.notice(a.NoticeID)
				s.text(a.Endpoint, a.Fault)
				s.number(a.Tenant, int64(a.Number), a.Took.Milliseconds(), int64(a.Status), int64(a.State))
				s.time(a.At, a.Due)
				s.bytes(a.Sealed)
			})
		})
	}},
	{"acts", func(v store.Export, visit visitor) error {
		return v.Acts(func(a store.Act) error {
			return visit(1, func(p *store.Parcel) { p.Acts = append(p.Acts, a) }, func(s *sum) {
				s.number(a.Number, a.Merchant)
				s.time(a.At)
				s.text(a.By, a.Action, a.Subject)
				s.bytes(a.Details, a.Chain[:])
			})
		})
	}},
}

func (s *sum) notice(id outbox.NoticeID) {
	s.number(int64(id.Payment), int64(id.Version), int64(id.Number))
	s.text(id.Dialect)
}
