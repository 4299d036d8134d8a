package storetest

import (
	"testing"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// testStrings: what somebody outside made up may be any string. Each is another
// name, comes back as it was, and one that nobody has is not there.
func testStrings(t *testing.T, s store.Store) {
	odd := []string{"", "a", "a\x00", "a\x00b", "\x00", "\xff", "é\xe9", "\uffff", "\uffff61", "A", "é", "e\u0301", "😀", "a ", "%00", "'"}
	a := newAuthor(t)
	made := map[string]payment.Place{}
	for _, value := range odd {
		intake := card(1000, "USD")
		intake.Labels = []payment.Label{{Kind: "reference", Value: value}}
		c := a.create(intake)
		must(t, s, c)
		made[value] = c.Payment.Place()
		d := paper(value)
		d.Owner = value
		check(t, s.PutDocument(ctx, d))
	}
	for _, value := range odd {
		equal(t, "found by "+value, list(t, s, payment.Listing{Label: payment.Label{Kind: "reference", Value: value}, Limit: 2}), []payment.Place{made[value]})
		found, err := s.Document(ctx, paper(value).Name)
		check(t, err)
		if found == nil || found.ID != value || found.Owner != value {
			t.Errorf("document %q is read as %+v", value, found)
			continue
		}
		if value == "" {
			continue // the owner of everything
		}
		of, err := s.Documents(ctx, document.Listing{Tenant: tenant, Merchant: merchantID, Dialect: "intents", Kind: "customer", Owner: value, Limit: 2})
		check(t, err)
		if len(of) != 1 || of[0].ID != value {
			t.Errorf("of %q there is %+v", value, of)
		}
		check(t, s.DeleteDocument(ctx, found.Name, found.Version))
	}
	for _, value := range []string{"b\x00", "\xfe", "\uffff62"} {
		equal(t, "not there", list(t, s, payment.Listing{Label: payment.Label{Kind: "reference", Value: value}, Limit: 2}), []payment.Place(nil))
		found, err := s.Document(ctx, paper(value).Name)
		check(t, err)
		if found != nil {
			t.Errorf("document %q is there", value)
		}
		c, err := s.Credential(ctx, "intents", "secret", value)
		check(t, err)
		if c != nil {
			t.Errorf("credential %q is there", value)
		}
	}
	labels := map[string]bool{}
	for m := range take(t, s).Marks {
		if m.Label.Kind == "reference" {
			labels[m.Label.Value] = true
		}
	}
	equal(t, "labels as they were", len(labels), len(odd))
	for _, value := range odd {
		if !labels[value] {
			t.Errorf("no label is %q", value)
		}
	}
}
