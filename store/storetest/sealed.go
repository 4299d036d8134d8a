package storetest

import (
	"fmt"
	"testing"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/store"
)

func testSealed(t *testing.T, s store.Store) {
	var want []document.Document
	for i := range 7 {
		d := paper(fmt.Sprint(i))
		if i%3 != 1 {
			d.Sealed = []byte{1, byte(i)}
		}
		check(t, s.PutDocument(ctx, d))
		if d.Sealed != nil {
			want = append(want, *d)
		}
	}
	for limit := 1; limit < 8; limit++ {
		var all []document.Document
		for after := int64(0); ; after = all[len(all)-1].Serial {
			page, err := s.SealedDocuments(ctx, after, limit)
			check(t, err)
			if len(page) > limit {
				t.Fatalf("%d documents of at most %d", len(page), limit)
			}
			if len(page) == 0 {
				break
			}
			all = append(all, page...)
		}
		equal(t, "sealed documents", all, want)
	}

	m := merchant.Merchant{Name: "m", CreatedAt: noon}
	c := merchant.Credential{Dialect: "d", Kind: "k", Lookup: "l", Data: []byte("data"), Sealed: []byte("old"), Disabled: true}
	check(t, s.CreateMerchant(ctx, &m, []merchant.Credential{c}))
	_, err := s.PutMeta(ctx, "root", []byte("old"), true)
	check(t, err)
	d := paper("x")
	d.Sealed = []byte("old")
	check(t, s.PutDocument(ctx, d))
	for what, at := range map[string]store.Sealed{
		"meta": {Meta: "root"}, "credential": {Credential: merchant.Credential{Dialect: "d", Kind: "k", Lookup: "l"}}, "document": {Document: d.Name},
	} {
		for _, swap := range []struct {
			old, fresh string
			want       bool
		}{{"other", "x", false}, {"old", "new", true}, {"old", "newer", false}} {
			swapped, err := s.SwapSealed(ctx, at, []byte(swap.old), []byte(swap.fresh))
			check(t, err)
			equal(t, fmt.Sprintf("%s: %s for %s", what, swap.fresh, swap.old), swapped, swap.want)
		}
	}
	for what, at := range map[string]store.Sealed{
		"meta": {Meta: "none"}, "credential": {Credential: merchant.Credential{Dialect: "d", Kind: "k", Lookup: "none"}}, "document": {},
	} {
		swapped, err := s.SwapSealed(ctx, at, []byte("old"), []byte("new"))
		check(t, err)
		equal(t, "a "+what+" that is not there", swapped, false)
	}
	value, err := s.Meta(ctx, "root")
	check(t, err)
	equal(t, "meta", string(value), "new")
	kept, err := s.Credential(ctx, "d", "k", "l")
	check(t, err)
	c.Merchant, c.Sealed = m.ID, []byte("new")
	equal(t, "credential", *kept, c)
	found, err := s.Document(ctx, d.Name)
	check(t, err)
	d.Sealed = []byte("new")
	equal(t, "document", *found, *d)
}
