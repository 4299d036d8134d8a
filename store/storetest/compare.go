package storetest

import (
	"fmt"
	"reflect"
	"time"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/wallet"
)

// snapshot is everything that can be read of a store.
type snapshot struct {
	States    []store.State
	Events    []event
	Postings  []posting
	Records   map[payment.Key]store.Record
	Timers    []payment.Timer // as they fall due
	Agenda    map[payment.Timer]bool
	Wallets   map[string]int64
	Counters  map[store.Ref[string]]store.Counter
	Marks     map[store.Mark]bool
	Documents []document.Document
	Acts      []store.Act
	Balances  ledger.Balances
	Next      time.Time

	Notices    []noticed
	Deliveries []outbox.Delivery
	Attempts   []outbox.Attempt
	NextSent   time.Time
}

// noticed is a notice and with how many deliveries it was written.
type noticed struct {
	outbox.Notice
	Told int
}

type event struct {
	ID       payment.ID
	Sequence int
	Event    payment.Event
}

type posting struct {
	ID       payment.ID
	Sequence int
	Posting  ledger.Posting
}

// take reads everything of a store.
func take(t fataler, s store.Store) snapshot {
	t.Helper()
	n := snapshot{Records: map[payment.Key]store.Record{}, Agenda: map[payment.Timer]bool{}, Wallets: map[string]int64{}, Counters: map[store.Ref[string]]store.Counter{}, Marks: map[store.Mark]bool{}}
	err := s.Audit(ctx, func(a store.Audit) error { return n.audit(a) })
	if err == nil {
		n.Balances, err = s.Balances(ctx, 0)
	}
	if err == nil {
		n.Next, err = s.NextDue(ctx)
	}
	if err == nil {
		n.NextSent, err = s.NextDelivery(ctx)
	}
	if err == nil {
		n.Timers, err = s.Due(ctx, noon.AddDate(100, 0, 0), 1_000_000)
	}
	if err != nil {
		t.Fatalf("read everything: %v", err)
	}
	return n
}

func (n *snapshot) audit(a store.Audit) error {
	for _, walk := range []func() error{
		func() error {
			return a.States(func(s store.State) error { n.States = append(n.States, s); return nil })
		},
		func() error {
			return a.Events(func(id payment.ID, sequence int, e payment.Event) error {
				n.Events = append(n.Events, event{id, sequence, e})
				return nil
			})
		},
		func() error {
			return a.Postings(func(id payment.ID, sequence int, p ledger.Posting) error {
				n.Postings = append(n.Postings, posting{id, sequence, p})
				return nil
			})
		},
		func() error {
			return a.Records(func(r store.Record) error {
				if _, twice := n.Records[r.Key]; twice {
					return fmt.Errorf("two records under key %x", r.Key)
				}
				n.Records[r.Key] = r
				return nil
			})
		},
		func() error {
			return a.Timers(func(t payment.Timer) error { n.Agenda[t] = true; return nil })
		},
		func() error {
			return a.WalletBalances(func(tenant int64, b wallet.Balance) error {
				n.Wallets[fmt.Sprint(tenant, b.User, b.Currency)] = b.Available
				return nil
			})
		},
		func() error {
			return a.Notices(func(one outbox.Notice, told int) error { n.Notices = append(n.Notices, noticed{one, told}); return nil })
		},
		func() error {
			return a.Deliveries(func(d outbox.Delivery) error { n.Deliveries = append(n.Deliveries, d); return nil })
		},
		func() error {
			return a.Attempts(func(one outbox.Attempt) error { n.Attempts = append(n.Attempts, one); return nil })
		},
		func() error {
			return a.Counters(func(c store.Counter) error {
				n.Counters[store.Ref[string]{Tenant: c.Tenant, Name: c.Name}] = c
				return nil
			})
		},
		func() error {
			return a.Acts(func(act store.Act) error { n.Acts = append(n.Acts, act); return nil })
		},
		func() error {
			return a.Marks(func(m store.Mark) error {
				if n.Marks[m] {
					return fmt.Errorf("%+v stands twice", m)
				}
				n.Marks[m] = true
				return nil
			})
		},
		func() error {
			return a.Documents(func(d document.Document) error { n.Documents = append(n.Documents, d); return nil })
		},
	} {
		if err := walk(); err != nil {
			return err
		}
	}
	return nil
}

// Same fails the test when two stores differ in anything that can be read.
func Same(t fataler, got, want store.Store) {
	t.Helper()
	a, b := take(t, got), take(t, want)
	equal(t, "everything", a, b)
	for _, state := range b.States {
		if len(b.States) > 20 && state.Payment%7 != 0 {
			continue
		}
		for version := range state.Version + 2 {
			p, err := got.Payment(ctx, state.Tenant, state.Payment, version)
			q, err2 := want.Payment(ctx, state.Tenant, state.Payment, version)
			if err != nil || err2 != nil {
				t.Fatalf("payment %s at version %d: %v, %v", state.Payment, version, err, err2)
			}
			equal(t, fmt.Sprintf("payment %s at version %d", state.Payment, version), p, q)
		}
	}
}

// equal fails the test when got is not want, naming the first field that
// differs.
func equal(t fataler, what string, got, want any) {
	t.Helper()
	if path, a, b := difference(what, reflect.ValueOf(got), reflect.ValueOf(want)); path != "" {
		t.Fatalf("%s is\n\t%+v\nnot\n\t%+v", path, a, b)
	}
}

var timeType = reflect.TypeFor[time.Time]()

// difference finds where two values differ; path is empty where they do not.
func difference(path string, a, b reflect.Value) (string, any, any) {
	if reflect.DeepEqual(a.Interface(), b.Interface()) {
		return "", nil, nil
	}
	switch a.Kind() {
	case reflect.Struct:
		if a.Type() == timeType {
			break
		}
		for i := range a.NumField() {
			if p, x, y := difference(path+"."+a.Type().Field(i).Name, a.Field(i), b.Field(i)); p != "" {
				return p, x, y
			}
		}
	case reflect.Pointer:
		if !a.IsNil() && !b.IsNil() {
			return difference(path, a.Elem(), b.Elem())
		}
	case reflect.Slice:
		if a.Len() != b.Len() || a.Type().Elem().Kind() == reflect.Uint8 {
			break
		}
		for i := range a.Len() {
			if p, x, y := difference(fmt.Sprintf("%s[%d]", path, i), a.Index(i), b.Index(i)); p != "" {
				return p, x, y
			}
		}
	}
	return path, a.Interface(), b.Interface()
}
