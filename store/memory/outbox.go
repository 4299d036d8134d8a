package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/store"
)

// mail is the outbox: notices without their deliveries, which are apart.
type mail struct {
	notices    map[outbox.NoticeID]notice
	deliveries map[outbox.DeliveryID]outbox.Delivery
	attempts   map[outbox.DeliveryID][]outbox.Attempt
	claimed    map[outbox.DeliveryID]time.Time // until when
	swept      time.Time                       // notices of what happened by then may be gone
}

// notice is a notice and how many deliveries it was written with.
type notice struct {
	outbox.Notice
	told int
}

func newMail() mail {
	return mail{
		notices:    map[outbox.NoticeID]notice{},
		deliveries: map[outbox.DeliveryID]outbox.Delivery{},
		attempts:   map[outbox.DeliveryID][]outbox.Attempt{},
		claimed:    map[outbox.DeliveryID]time.Time{},
	}
}

func (m mail) clone() mail {
	return mail{notices: maps.Clone(m.notices), deliveries: maps.Clone(m.deliveries), attempts: maps.Clone(m.attempts), swept: m.swept}
}

// notices writes the notices of a change with their deliveries.
func (w *writing) notices(c *store.Change) error {
	m := &w.s.outbox
	for _, n := range c.Notices {
		if _, there := m.notices[n.NoticeID]; there {
			return store.ErrConflict
		}
		deliveries := n.Deliveries
		n.Deliveries, n.Context = nil, slices.Clone(n.Context)
		m.notices[n.NoticeID] = notice{n, len(deliveries)}
		w.undos = append(w.undos, func() { delete(m.notices, n.NoticeID) })
		for _, d := range deliveries {
			if _, there := m.deliveries[d.DeliveryID]; there {
				return store.ErrConflict
			}
			if d.Ordered {
				if first := m.first(d); first != nil && before(first.NoticeID, d.NoticeID) {
					d.Due = time.Time{}
				}
			}
			m.deliveries[d.DeliveryID] = d
			w.undos = append(w.undos, func() { delete(m.deliveries, d.DeliveryID) })
		}
	}
	return nil
}

// first returns the first ordered delivery that waits in d's queue: those of
// its payment and dialect to its endpoint.
func (m *mail) first(d outbox.Delivery) *outbox.Delivery {
	var first *outbox.Delivery
	for _, other := range m.deliveries {
		same := other.Payment == d.Payment && other.Dialect == d.Dialect && other.Endpoint == d.Endpoint
		if same && other.Ordered && other.State == outbox.Waiting && (first == nil || before(other.NoticeID, first.NoticeID)) {
			first = &other
		}
	}
	return first
}

// before tells whether notice a comes before b, of the same payment.
func before(a, b outbox.NoticeID) bool {
	return cmp.Or(cmp.Compare(a.Version, b.Version), cmp.Compare(a.Number, b.Number)) < 0
}

func byNotice(a, b outbox.NoticeID) int {
	return cmp.Or(cmp.Compare(a.Payment, b.Payment), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Dialect, b.Dialect), cmp.Compare(a.Number, b.Number))
}

func byDelivery(a, b outbox.DeliveryID) int {
	return cmp.Or(cmp.Compare(a.Payment, b.Payment), cmp.Compare(a.Dialect, b.Dialect), cmp.Compare(a.Endpoint, b.Endpoint),
		cmp.Compare(a.Version, b.Version), cmp.Compare(a.Number, b.Number))
}

func byDeliveryDue(a, b outbox.Delivery) int {
	return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.Payment, b.Payment), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Number, b.Number),
		cmp.Compare(a.Dialect, b.Dialect), cmp.Compare(a.Endpoint, b.Endpoint))
}

// ClaimDeliveries implements store.Outbox.
func (s *Store) ClaimDeliveries(_ context.Context, c outbox.Claim) ([]outbox.Delivery, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := &s.outbox
	maps.DeleteFunc(m.claimed, func(_ outbox.DeliveryID, until time.Time) bool { return !until.After(c.Now) })
	lanes := map[outbox.Lane][]outbox.Delivery{}
	for id, d := range m.deliveries {
		if _, full := c.Passed(d.Lane); full {
			continue
		}
		if _, claimed := m.claimed[id]; !claimed && !d.Due.IsZero() && !d.Due.After(c.Due) {
			lanes[d.Lane] = append(lanes[d.Lane], d)
		}
	}
	order := slices.SortedFunc(maps.Keys(lanes), func(a, b outbox.Lane) int {
		if (a > c.After) != (b > c.After) { // those after it come first
			return cmp.Compare(b, a)
		}
		return cmp.Compare(a, b)
	})
	var given []outbox.Delivery
	for _, lane := range order {
		due := lanes[lane]
		slices.SortFunc(due, byDeliveryDue)
		given = append(given, due[:max(0, min(len(due), c.RoomIn(lane), c.Limit-len(given)))]...)
	}
	for _, d := range given {
		m.claimed[d.DeliveryID] = c.Now.Add(c.Lease)
	}
	slices.SortFunc(given, byDeliveryDue)
	return given, nil
}

// ReleaseDeliveries implements store.Outbox.
func (s *Store) ReleaseDeliveries(_ context.Context, deliveries []outbox.Delivery) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range deliveries {
		delete(s.outbox.claimed, d.DeliveryID)
	}
	return nil
}

// Attempted implements store.Outbox.
func (s *Store) Attempted(_ context.Context, attempts []outbox.Attempt) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := &s.outbox
	for _, a := range attempts {
		d, there := m.deliveries[a.DeliveryID]
		if !there || d.Tenant != a.Tenant || d.State != outbox.Waiting || d.Attempts != a.Number-1 {
			continue
		}
		delete(m.claimed, a.DeliveryID)
		a.Sealed = slices.Clone(a.Sealed)
		m.attempts[a.DeliveryID] = append(m.attempts[a.DeliveryID], a)
		d.Attempts, d.State, d.Due = a.Number, a.State, a.Due
		m.deliveries[a.DeliveryID] = d
		if !d.Ordered || d.State == outbox.Waiting {
			continue
		}
		if next := m.first(d); next != nil && next.Due.IsZero() {
			next.Due = m.notBefore(*next, a.At)
			m.deliveries[next.DeliveryID] = *next
		}
	}
	return nil
}

// notBefore is a moment, or if that is later the one at which what a delivery
// tells of happened.
func (m *mail) notBefore(d outbox.Delivery, due time.Time) time.Time {
	if n := m.notices[d.NoticeID]; n.At.After(due) {
		return n.At
	}
	return due
}

// NextDelivery implements store.Outbox.
func (s *Store) NextDelivery(context.Context) (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var next time.Time
	for _, d := range s.outbox.deliveries {
		if !d.Due.IsZero() && (next.IsZero() || d.Due.Before(next)) {
			next = d.Due
		}
	}
	return next, nil
}

// Backlog implements store.Outbox.
func (s *Store) Backlog(_ context.Context, limit int) ([]store.Backlog, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var due []outbox.Delivery
	for _, d := range s.outbox.deliveries {
		if !d.Due.IsZero() {
			due = append(due, d)
		}
	}
	slices.SortFunc(due, func(a, b outbox.Delivery) int { return a.Due.Compare(b.Due) })
	found := map[string]store.Backlog{}
	for _, d := range due[:min(limit, len(due))] {
		b, ok := found[d.Dialect]
		if !ok {
			b = store.Backlog{Dialect: d.Dialect, Due: d.Due}
		}
		b.Deliveries++
		found[d.Dialect] = b
	}
	return slices.SortedFunc(maps.Values(found), func(a, b store.Backlog) int { return cmp.Compare(a.Dialect, b.Dialect) }), nil
}

// Notice implements store.Outbox.
func (s *Store) Notice(_ context.Context, tenant int64, id outbox.NoticeID) (*outbox.Notice, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, ok := s.outbox.notices[id]
	if !ok || n.Tenant != tenant {
		return nil, nil
	}
	whole := s.outbox.whole(n)
	return &whole, nil
}

// whole is a notice with its deliveries, by endpoint.
func (m *mail) whole(n notice) outbox.Notice {
	for id, d := range m.deliveries {
		if id.NoticeID == n.NoticeID {
			n.Deliveries = append(n.Deliveries, d)
		}
	}
	slices.SortFunc(n.Deliveries, func(a, b outbox.Delivery) int { return cmp.Compare(a.Endpoint, b.Endpoint) })
	return n.Notice
}

// Notices implements store.Outbox.
func (s *Store) Notices(_ context.Context, q store.NoticeQuery) ([]outbox.Notice, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	latest := func(a, b outbox.Notice) int { return cmp.Or(b.At.Compare(a.At), byNotice(b.NoticeID, a.NoticeID)) }
	var found []outbox.Notice
	for _, n := range s.outbox.notices {
		switch {
		case n.Tenant != q.Tenant, n.Merchant != q.Merchant:
		case q.Dialect != "" && n.Dialect != q.Dialect, q.Payment != 0 && n.Payment != q.Payment:
		case !q.From.IsZero() && n.At.Before(q.From), !q.Until.IsZero() && !n.At.Before(q.Until):
		case q.Before != nil && latest(*q.Before, n.Notice) >= 0:
		default:
			found = append(found, s.outbox.whole(n))
		}
	}
	slices.SortFunc(found, latest)
	if q.Limit > 0 {
		found = found[:min(q.Limit, len(found))]
	}
	return found, nil
}

// Attempts implements store.Outbox.
func (s *Store) Attempts(_ context.Context, tenant int64, id outbox.NoticeID) ([]outbox.Attempt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []outbox.Attempt
	for of, attempts := range s.outbox.attempts {
		if of.NoticeID == id && attempts[0].Tenant == tenant {
			found = append(found, attempts...)
		}
	}
	slices.SortStableFunc(found, func(a, b outbox.Attempt) int { return cmp.Compare(a.Endpoint, b.Endpoint) })
	return found, nil
}

// Redeliver implements store.Outbox.
func (s *Store) Redeliver(_ context.Context, tenant int64, id outbox.DeliveryID, at time.Time) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.outbox.deliveries[id]
	if !ok || d.Tenant != tenant {
		return false, nil
	}
	d.State, d.Due = outbox.Waiting, s.outbox.notBefore(d, at)
	s.outbox.deliveries[id] = d
	return true, nil
}

func (a *audit) Notices(fn func(outbox.Notice, int) error) error {
	for _, id := range slices.SortedFunc(maps.Keys(a.outbox.notices), byNotice) {
		n := a.outbox.notices[id]
		if err := fn(a.outbox.whole(n), n.told); err != nil {
			return err
		}
	}
	return nil
}

func (a *audit) NoticesSwept() (time.Time, error) { return a.outbox.swept, nil }

func (a *audit) Deliveries(fn func(outbox.Delivery) error) error {
	for _, id := range slices.SortedFunc(maps.Keys(a.outbox.deliveries), byDelivery) {
		if err := fn(a.outbox.deliveries[id]); err != nil {
			return err
		}
	}
	return nil
}

func (a *audit) Attempts(fn func(outbox.Attempt) error) error {
	for _, id := range slices.SortedFunc(maps.Keys(a.outbox.attempts), byDelivery) {
		for _, attempt := range a.outbox.attempts[id] {
			if err := fn(attempt); err != nil {
				return err
			}
		}
	}
	return nil
}
