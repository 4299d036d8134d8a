package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/capstan-pay/capstan/internal/failpoint"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// batch is a transaction on a connection of its own. The payments, wallet
// balances and counters that it has loaded are locked until it is over.
type batch struct {
	s        *Store
	conn     *pgxpool.Conn
	now      time.Time
	records  map[name[payment.Key]]*kept // of the keys that were looked up
	byKey    map[payment.Key]*kept       // the same, of the tenant that asked
	payments map[payment.ID]*loaded
	counters map[store.Ref[string]]int64 // the versions that were loaded
	over     bool
}

type name[N comparable] = store.Ref[N]

// kept is what is kept under a key, and what the batch makes of it.
type kept struct {
	was, now *store.Record // nil is none
}

// loaded is a payment of a batch: as it was loaded, and where the changes of
// the batch have brought it.
type loaded struct {
	payment *payment.Payment
	tenant  int64
	version int
}

// Begin implements store.Store. It waits while other batches have a payment
// that is touched.
func (s *Store) Begin(ctx context.Context, touched store.Touched) (store.Batch, error) {
	if s.readOnly {
		return nil, ErrReadOnly
	}
	select {
	case s.turns <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	var b *batch
	err := again(ctx, func() (err error) {
		b, err = s.begin(ctx, touched)
		return err
	})
	if err != nil {
		<-s.turns
		return nil, fault(err)
	}
	return b, nil
}

func (s *Store) begin(ctx context.Context, touched store.Touched) (*batch, error) {
	conn, err := s.writers.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	b := &batch{
		s: s, conn: conn,
		records:  make(map[name[payment.Key]]*kept, len(touched.Keys)),
		byKey:    make(map[payment.Key]*kept, len(touched.Keys)),
		payments: make(map[payment.ID]*loaded, len(touched.Payments)),
	}
	err = b.load(ctx, touched)
	if err == nil {
		err = s.confirm(ctx)
	}
	if err != nil {
		b.undo()
		return nil, fmt.Errorf("postgres: load a batch: %w", err)
	}
	failpoint.Reach("postgres.batch.locked")
	return b, nil
}

// load begins the transaction, locks the payments that are touched and loads
// them, with the records: one round trip.
func (b *batch) load(ctx context.Context, touched store.Touched) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var states, keys, events rows
	states.reset(lockStates)
	events.reset(selectEvents)
	for _, ref := range sorted(touched.Payments, func(a, b payment.ID) int { return cmp.Compare(a, b) }) {
		for _, r := range []*rows{&states, &events} {
			c := r.next()
			c[0].int8(ref.Tenant)
			c[1].int8(int64(ref.Name))
		}
	}
	keys.reset(selectRecords)
	for _, ref := range sorted(touched.Keys, func(a, b payment.Key) int { return slices.Compare(a[:], b[:]) }) {
		c := keys.next()
		c[0].int8(ref.Tenant)
		c[1].uuid(ref.Name)
		k := &kept{}
		b.records[ref], b.byKey[ref.Name] = k, k
	}
	histories := map[name[payment.ID]]*history{}
	t := travel(ctx, b.conn.Conn())
	t.do(beginWork, nil)
	t.send(&states, func(r row) error {
		h := &history{merchant: r.int(2), events: make([]payment.Event, r.int(3))}
		histories[name[payment.ID]{Tenant: r.int(0), Name: payment.ID(r.int(1))}] = h
		return nil
	})
	t.send(&events, func(r row) error {
		id := payment.ID(r.int(1))
		h := histories[name[payment.ID]{Tenant: r.int(0), Name: id}]
		if h == nil {
			return fmt.Errorf("events of payment %s, which has no state", id)
		}
		return h.read(id, r)
	})
	t.send(&keys, func(r row) error {
		record, err := readRecord(r)
		if k := b.records[name[payment.Key]{Tenant: record.Tenant, Name: record.Key}]; k != nil {
			k.was, k.now = record, record
		}
		return err
	})
	t.do(selectTime, func(r row) error {
		b.now = time.UnixMilli(r.int(0) + r.int(1)).UTC()
		if r.bool(2) { // an instance that stood still meanwhile: whoever moves the store has not seen it
			return fmt.Errorf("%w: the store is being moved, or was", store.ErrBroken)
		}
		return nil
	})
	if _, err := t.home(); err != nil {
		return err
	}
	for ref, h := range histories {
		p, err := h.fold(ref.Tenant, ref.Name)
		if err != nil {
			return err
		}
		b.payments[ref.Name] = &loaded{payment: p, tenant: p.Tenant, version: p.Version}
	}
	return nil
}

// sorted returns names without repeats, by tenant and name.
func sorted[N comparable](refs []store.Ref[N], compare func(a, b N) int) []store.Ref[N] {
	refs = slices.Clone(refs)
	slices.SortFunc(refs, func(a, b store.Ref[N]) int { return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), compare(a.Name, b.Name)) })
	return slices.Compact(refs)
}

// Time implements store.Batch.
func (b *batch) Time() time.Time {
	if b.s.options.MachineTime == nil {
		return time.Time{}
	}
	return b.now
}

func (b *batch) Record(key payment.Key) (store.Record, bool) {
	if k := b.byKey[key]; k != nil && k.was != nil {
		return *k.was, true
	}
	return store.Record{}, false
}

func (b *batch) Payment(id payment.ID) *payment.Payment {
	if l := b.payments[id]; l != nil {
		return l.payment
	}
	return nil
}

// Payers implements store.Batch. The balances stay as they are until the batch
// is over.
func (b *batch) Payers(ctx context.Context, now time.Time, of []store.PayerRef) ([]payment.Payer, error) {
	if b.over {
		return nil, errOver
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var users, balances, grants rows
	users.reset(selectPayers)
	balances.reset(lockPurses)
	grants.reset(selectGrants)
	payers := make([]payment.Payer, len(of))
	for i, ref := range of {
		payers[i] = payment.Payer{User: ref.User, Frozen: true, GrantOver: ref.Grant != ""}
		c := users.next()
		c[0].int8(ref.Tenant)
		c[1].int8(ref.User)
		if ref.Grant != "" {
			c = grants.next()
			c[0].int8(ref.Tenant)
			c[1].text(ref.Grant)
		}
	}
	order := slices.Clone(of)
	for i := range order {
		order[i].Grant = ""
	}
	slices.SortFunc(order, func(a, b store.PayerRef) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.User, b.User), cmp.Compare(a.Currency, b.Currency))
	})
	for _, ref := range slices.Compact(order) {
		c := balances.next()
		c[0].int8(ref.Tenant)
		c[1].int8(ref.User)
		c[2].text(string(ref.Currency))
	}
	type person struct{ tenant, user int64 }
	asked := make(map[person][]int, len(of)) // by whom they name
	charged := map[name[string]][]int{}      // by the grant
	for i := range of {
		who := person{of[i].Tenant, of[i].User}
		asked[who] = append(asked[who], i)
		if of[i].Grant != "" {
			by := name[string]{Tenant: of[i].Tenant, Name: of[i].Grant}
			charged[by] = append(charged[by], i)
		}
	}
	t := travel(ctx, b.conn.Conn())
	t.send(&users, func(r row) error {
		for _, i := range asked[person{r.int(0), r.int(1)}] {
			payers[i].Frozen = r.bool(2)
		}
		return nil
	})
	t.send(&balances, func(r row) error {
		for _, i := range asked[person{r.int(0), r.int(1)}] {
			if string(of[i].Currency) == r.text(2) {
				payers[i].Available = r.int(3)
			}
		}
		return nil
	})
	t.send(&grants, func(r row) error {
		g := grantOf(r)
		for _, i := range charged[name[string]{Tenant: g.Tenant, Name: g.Name}] {
			payers[i].GrantOver = g.User != of[i].User || !g.Valid(now)
		}
		return nil
	})
	if _, err := t.home(); err != nil {
		return nil, fault(fmt.Errorf("postgres: load wallet users: %w", err))
	}
	return payers, nil
}

// Counters implements store.Batch. Those that exist stay as they are until the
// batch is over.
func (b *batch) Counters(ctx context.Context, of []store.Ref[string]) ([]store.Counter, error) {
	if b.over {
		return nil, errOver
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if b.counters == nil {
		b.counters = map[store.Ref[string]]int64{}
	}
	var names rows
	names.reset(lockCounters)
	for _, ref := range sorted(of, func(a, b string) int { return cmp.Compare(a, b) }) {
		c := names.next()
		c[0].int8(ref.Tenant)
		c[1].text(ref.Name)
	}
	found := map[store.Ref[string]]store.Counter{}
	versions := map[store.Ref[string]]int64{}
	t := travel(ctx, b.conn.Conn())
	t.send(&names, func(r row) error {
		ref := store.Ref[string]{Tenant: r.int(0), Name: r.text(1)}
		found[ref] = store.Counter{Tenant: ref.Tenant, Name: ref.Name, Expires: r.time(3), Value: r.bytes(4)}
		versions[ref] = r.int(2)
		return nil
	})
	if _, err := t.home(); err != nil {
		return nil, fault(fmt.Errorf("postgres: load counters: %w", err))
	}
	counters := make([]store.Counter, len(of))
	for i, ref := range of {
		counters[i] = store.Counter{Tenant: ref.Tenant, Name: ref.Name}
		if c, ok := found[ref]; ok {
			counters[i] = c
		}
		b.counters[ref] = versions[ref]
	}
	return counters, nil
}

var errOver = errors.New("postgres: the batch is over")

// Rollback implements store.Batch.
func (b *batch) Rollback() {
	if !b.over {
		b.over = true
		b.undo()
		<-b.s.turns
	}
}

// undo ends the transaction without writing and gives the connection back.
func (b *batch) undo() {
	rollback(b.conn.Conn())
	b.conn.Release()
}

// rollback ends a transaction. A connection on which that fails is closed; the
// database ends the transaction then.
func rollback(conn *pgx.Conn) {
	if conn.IsClosed() || conn.PgConn().TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	t := travel(ctx, conn)
	t.do(rollbackWork, nil)
	if _, err := t.home(); err != nil {
		_ = conn.Close(ctx)
	}
}
