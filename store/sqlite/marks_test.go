package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	zombie "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// many is how many payments are paged through.
const many = 100_000

// TestManyPayments pages through 100,000 payments of one merchant, both ways,
// while others are created: each once, without a gap, and the last page is as
// cheap as the first.
func TestManyPayments(t *testing.T) {
	total := many
	if testing.Short() {
		total = many / 10
	}
	s := open(t, filepath.Join(t.TempDir(), "test.db"))
	defer s.Close()
	ids, now := payment.NewIDs(1), time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	create := func(n int) {
		var changes []store.Change
		for range n {
			now = now.Add(time.Millisecond)
			p := &payment.Payment{ID: ids.Next(now), Tenant: 1, Merchant: 1}
			d, err := payment.Decide(p, payment.Create{Intake: payment.Intake{Dialect: "wepay", Currency: "USD", Amount: 1000}}, payment.Env{Now: now})
			if err != nil {
				t.Fatal(err)
			}
			changes = append(changes, store.Change{Payment: d.Payment, Events: d.Events, Entries: d.Entries})
		}
		commit(t, s, changes)
	}
	for n := 0; n < total; n += 1000 {
		create(1000)
	}
	for _, oldest := range []bool{false, true} {
		l := payment.Listing{Tenant: 1, Merchant: 1, Limit: 100, OldestFirst: oldest}
		seen := map[payment.ID]bool{}
		start := time.Now()
		var first, last time.Duration
		for pages := 0; ; pages++ {
			begin := time.Now()
			page, err := s.List(t.Context(), l)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 || pages > 2*many/100 {
				break
			}
			if last = time.Since(begin); pages < 10 {
				first += last / 10
			}
			for _, p := range page {
				if seen[p.Payment] {
					t.Fatalf("payment %s is on two pages", p.Payment)
				}
				if l.After != (payment.Place{}) && (p.Compare(l.After) > 0) != oldest {
					t.Fatalf("payment %s is out of order", p.Payment)
				}
				seen[p.Payment], l.After = true, p
			}
			if pages%100 == 50 {
				create(1)
			}
		}
		if len(seen) < total {
			t.Errorf("%d of %d payments were seen", len(seen), total)
		}
		t.Logf("%d payments in %s; a page at first took %s, the last %s", len(seen), time.Since(start), first, last)
	}
}

// A store of an earlier version has its payments in the listing once it was
// migrated.
func TestOldPaymentsAreListed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	s := open(t, path)
	ids, now := payment.NewIDs(1), time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	for i := range 5 {
		p := &payment.Payment{ID: ids.Next(now), Tenant: 1, Merchant: int64(1 + i%2)}
		d, err := payment.Decide(p, payment.Create{Intake: payment.Intake{Dialect: "wepay", Currency: "USD", Amount: 1000}}, payment.Env{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		commit(t, s, []store.Change{{Payment: d.Payment, Events: d.Events, Entries: d.Entries}})
		now = now.Add(time.Second)
	}
	list := func() []payment.Place {
		t.Helper()
		page, err := s.List(t.Context(), payment.Listing{Tenant: 1, Merchant: 1, Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		return page
	}
	before := list()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("migrations/0005_marks.sql")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := zombie.OpenConn(path, zombie.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	err = sqlitex.ExecuteScript(conn, "DROP TABLE marks;"+string(script), nil)
	if err = errors.Join(err, conn.Close()); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	defer s.Close()
	after := list()
	if len(before) != 3 || len(after) != 3 {
		t.Fatalf("%d payments are listed, then %d", len(before), len(after))
	}
	for i := range before {
		if before[i] != after[i] {
			t.Errorf("%+v became %+v", before[i], after[i])
		}
	}
}
