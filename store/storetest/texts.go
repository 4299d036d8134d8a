package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/wallet"
)

// What callers name things by is theirs: a text of any bytes is kept, found
// again by itself alone, and comes back as it was.
func testTexts(t *testing.T, s store.Store) {
	a := newAuthor(t)
	odd := []string{"", "a", "a\x00", "a\x00b", "\x00", "\x01", "\x0100", "\x00\x00", "\xff", "\xfe", "\ufffd", "é😀", "'; --", strings.Repeat("\x00", 255)}
	merchantOf := &merchant.Merchant{Name: "M\x00\xff", CreatedAt: noon}
	check(t, s.CreateMerchant(ctx, merchantOf, nil))
	found, err := s.Merchant(ctx, merchantOf.ID)
	check(t, err)
	equal(t, "merchant's name", found.Name, merchantOf.Name)
	var places []payment.Place
	for i, text := range odd {
		intake := card(int64(1000+i), "USD")
		intake.Reference, intake.Labels = text, []payment.Label{{Kind: "reference", Value: text}}
		c := a.create(intake)
		tell(&c, 0, true, "https://shop.example/"+text)
		tell(&c, 1, true, "https://shop.example/"+text)
		d := paper("of " + text)
		d.Owner = text
		c.Documents = []document.Document{*d}
		must(t, s, c)
		places = append(places, c.Payment.Place())
		check(t, s.PutDocument(ctx, paper("single "+text)))
		check(t, s.PutGrant(ctx, wallet.Grant{Tenant: tenant, Name: "grant " + text, User: 1, ExpiresAt: noon}))
	}
	for i, text := range odd {
		equal(t, "labelled", list(t, s, payment.Listing{Label: payment.Label{Kind: "reference", Value: text}, Limit: 9}), places[i:i+1])
		p, err := s.Payment(ctx, tenant, places[i].Payment, 0)
		check(t, err)
		equal(t, "reference", p.Reference, text)
		for _, id := range []string{"of " + text, "single " + text} {
			d, err := s.Document(ctx, paper(id).Name)
			check(t, err)
			if d == nil || d.ID != id {
				t.Fatalf("document %q: %+v", id, d)
			}
		}
		if text != "" {
			owned, err := s.Documents(ctx, document.Listing{Tenant: tenant, Merchant: merchantID, Dialect: "intents", Kind: "customer", Owner: text, Limit: 9})
			check(t, err)
			if len(owned) != 1 || owned[0].ID != "of "+text || owned[0].Owner != text {
				t.Errorf("documents of %q: %+v", text, owned)
			}
		}
		g, err := s.Grant(ctx, tenant, "grant "+text)
		check(t, err)
		if g == nil || g.Name != "grant "+text {
			t.Errorf("grant %q: %+v", text, g)
		}
		d, err := s.Document(ctx, paper("single "+text).Name)
		check(t, err)
		check(t, s.DeleteDocument(ctx, d.Name, d.Version))
	}
	told := map[string]int{}
	for range 2 { // the second notice of each follows the first
		for _, d := range claim(t, s, everything(noon.Add(time.Hour)), true) {
			told[strings.TrimPrefix(d.Endpoint, "https://shop.example/")]++
			check(t, s.Attempted(ctx, []outbox.Attempt{attempt(d, outbox.Delivered, time.Time{})}))
		}
	}
	for _, text := range odd {
		if told[text] != 2 {
			t.Errorf("%q is told %d times", text, told[text])
		}
	}
}
