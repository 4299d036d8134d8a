package storetest

import (
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// paper is a new document of the tests' merchant.
func paper(id string) *document.Document {
	return &document.Document{
		Name:  document.Name{Tenant: tenant, Merchant: merchantID, Dialect: "intents", Kind: "customer", ID: id},
		Owner: "o", CreatedAt: noon, UpdatedAt: noon, Body: []byte("body of " + id),
	}
}

func testDocuments(t *testing.T, s store.Store) {
	d := paper("a")
	d.Sealed, d.Expires = []byte{0, 1}, noon.Add(time.Hour)
	want := *d
	check(t, s.PutDocument(ctx, d))
	if want.Version, want.Serial = 1, d.Serial; d.Serial == 0 {
		t.Error("no serial")
	}
	equal(t, "put", *d, want)
	read := func(n document.Name) *document.Document {
		t.Helper()
		found, err := s.Document(ctx, n)
		check(t, err)
		return found
	}
	equal(t, "read", *read(d.Name), want)
	if err := s.PutDocument(ctx, paper("a")); !errors.Is(err, document.ErrExists) {
		t.Errorf("a new one with its name: %v", err)
	}

	next := *d
	next.Body, next.Sealed, next.Expires, next.UpdatedAt = nil, nil, time.Time{}, noon.Add(time.Second)
	next.Owner, next.CreatedAt = "another", noon.Add(time.Hour) // stay as they are
	stale := next
	check(t, s.PutDocument(ctx, &next))
	want.Version, want.Body, want.Sealed, want.Expires, want.UpdatedAt = 2, nil, nil, time.Time{}, noon.Add(time.Second)
	equal(t, "changed", next, want)
	equal(t, "read again", *read(d.Name), want)
	if err := s.PutDocument(ctx, &stale); !errors.Is(err, document.ErrMoved) {
		t.Errorf("a change of an old version: %v", err)
	}
	ahead := next
	ahead.Version++
	if err := s.PutDocument(ctx, &ahead); !errors.Is(err, document.ErrMoved) {
		t.Errorf("a change of a version to come: %v", err)
	}
	if err := s.DeleteDocument(ctx, d.Name, 1); !errors.Is(err, document.ErrMoved) {
		t.Errorf("deleting an old version: %v", err)
	}
	equal(t, "after what was refused", *read(d.Name), want)

	for i, other := range []document.Name{
		{Tenant: tenant + 1, Merchant: merchantID, Dialect: "intents", Kind: "customer", ID: "a"},
		{Tenant: tenant, Merchant: merchantID + 1, Dialect: "intents", Kind: "customer", ID: "a"},
		{Tenant: tenant, Merchant: merchantID, Dialect: "wepay", Kind: "customer", ID: "a"},
		{Tenant: tenant, Merchant: merchantID, Dialect: "intents", Kind: "token", ID: "a"},
		{Tenant: tenant, Merchant: merchantID, Dialect: "intents", Kind: "customer", ID: "A"},
	} {
		if read(other) != nil {
			t.Errorf("%+v is there", other)
		}
		check(t, s.PutDocument(ctx, &document.Document{Name: other, CreatedAt: noon, UpdatedAt: noon, Body: []byte{byte(i)}}))
	}
	equal(t, "among others", *read(d.Name), want)

	check(t, s.DeleteDocument(ctx, d.Name, 2))
	if read(d.Name) != nil {
		t.Error("it is there after it was deleted")
	}
	if err := s.DeleteDocument(ctx, d.Name, 2); !errors.Is(err, document.ErrMoved) {
		t.Errorf("deleting it again: %v", err)
	}
	again := paper("a")
	check(t, s.PutDocument(ctx, again))
	if again.Version != 1 || again.Serial <= d.Serial {
		t.Errorf("a new one with its name has version %d and serial %d after %d", again.Version, again.Serial, d.Serial)
	}
}

func testDocumentPages(t *testing.T, s store.Store) {
	ids := func(l document.Listing) (all string) {
		t.Helper()
		l.Tenant, l.Merchant, l.Dialect, l.Kind = tenant, merchantID, "intents", "customer"
		for {
			page, err := s.Documents(ctx, l)
			check(t, err)
			if len(page) == 0 {
				return all
			}
			for _, d := range page {
				all += d.ID
			}
			l.After = page[len(page)-1].Serial
		}
	}
	var last *document.Document
	for i, id := range []string{"c", "a", "e", "b", "d"} {
		d := paper(id)
		d.CreatedAt = noon.Add(time.Duration(i/2) * time.Second)
		if id == "e" || id == "b" {
			d.Owner = "p"
		}
		check(t, s.PutDocument(ctx, d))
		last = d
	}
	check(t, s.PutDocument(ctx, last)) // changed, it stays where it was
	other := paper("x")
	other.Kind = "token"
	check(t, s.PutDocument(ctx, other))
	for limit := 1; limit < 7; limit++ {
		equal(t, "newest first", ids(document.Listing{Limit: limit}), "dbeac")
		equal(t, "oldest first", ids(document.Listing{Limit: limit, OldestFirst: true}), "caebd")
		equal(t, "of an owner", ids(document.Listing{Limit: limit, Owner: "p"}), "be")
		equal(t, "of an owner, oldest first", ids(document.Listing{Limit: limit, Owner: "o", OldestFirst: true}), "cad")
		equal(t, "from", ids(document.Listing{Limit: limit, From: noon.Add(time.Second)}), "dbe")
		equal(t, "until", ids(document.Listing{Limit: limit, Until: noon.Add(time.Second)}), "ac")
		equal(t, "until a little later", ids(document.Listing{Limit: limit, Until: noon.Add(time.Second + time.Nanosecond)}), "beac")
	}
	equal(t, "nothing asked of", ids(document.Listing{}), "")

	// Deleting and adding while paging.
	l := document.Listing{Tenant: tenant, Merchant: merchantID, Dialect: "intents", Kind: "customer", Limit: 2}
	page, err := s.Documents(ctx, l)
	check(t, err)
	check(t, s.DeleteDocument(ctx, page[1].Name, page[1].Version))
	check(t, s.PutDocument(ctx, paper("f")))
	l.After = page[1].Serial
	page, err = s.Documents(ctx, l)
	check(t, err)
	equal(t, "the next page", page[0].ID+page[1].ID, "ea")
}

func testDocumentRace(t *testing.T, s store.Store) {
	check(t, s.PutDocument(ctx, paper("a")))
	const writers, each = 6, 10
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for done := 0; done < each; {
				d, err := s.Document(ctx, paper("a").Name)
				if err != nil || d == nil {
					t.Errorf("%v, %v", d, err)
					return
				}
				n, _ := strconv.Atoi(string(d.Body))
				d.Body = strconv.AppendInt(nil, int64(n+1), 10)
				switch err := s.PutDocument(ctx, d); {
				case err == nil:
					done++
				case !errors.Is(err, document.ErrMoved):
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	d, err := s.Document(ctx, paper("a").Name)
	check(t, err)
	equal(t, "version", d.Version, 1+writers*each)
	equal(t, "how many changes are in it", string(d.Body), strconv.Itoa(writers*each))

	gone := make(chan error, writers)
	for range writers {
		go func() { gone <- s.DeleteDocument(ctx, d.Name, d.Version) }()
	}
	deleted := 0
	for range writers {
		if err := <-gone; err == nil {
			deleted++
		} else if !errors.Is(err, document.ErrMoved) {
			t.Error(err)
		}
	}
	equal(t, "how many deleted it", deleted, 1)
}

func testDocumentsOfChange(t *testing.T, s store.Store) {
	a := newAuthor(t)
	created := a.create(card(1000, "USD"))
	created.Documents = []document.Document{*paper("a"), *paper("b")}
	bare := store.Change{Record: store.Record{Key: a.key(), Tenant: tenant, At: noon}, Documents: []document.Document{*paper("c")}}
	must(t, s, created, bare)
	before := take(t, s)
	equal(t, "documents", len(before.Documents), 3)
	equal(t, "its body", string(before.Documents[1].Body), "body of b")

	for what, d := range map[string]document.Document{"exists": *paper("c"), "moved": before.Documents[0]} {
		if what == "moved" {
			d.Version = 7
		}
		c := a.create(card(700, "USD"))
		c.Documents = []document.Document{*paper("d"), d}
		err := commit(s, c)
		if !errors.Is(err, document.ErrExists) && !errors.Is(err, document.ErrMoved) || errors.Is(err, store.ErrConflict) {
			t.Errorf("a document that %s: %v", what, err)
		}
		equal(t, "everything after a document that "+what, take(t, s), before)
	}
	next := before.Documents[2]
	next.Body = nil
	must(t, s, store.Change{Record: store.Record{Key: a.key(), Tenant: tenant, At: noon}, Documents: []document.Document{next}})
	d, err := s.Document(ctx, next.Name)
	check(t, err)
	equal(t, "version", d.Version, 2)

	b, err := s.Begin(ctx, store.Touched{Payments: []store.Ref[payment.ID]{{Tenant: tenant, Name: created.Payment.ID}}})
	check(t, err)
	b.Rollback()
}
