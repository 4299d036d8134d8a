package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/capstan-pay/capstan/ledger"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
)

// act is an act as its author hands it in.
func act(number int64, action string, merchant int64) store.Act {
	return store.Act{Number: number, At: noon, By: "alice", Action: action, Merchant: merchant, Subject: "s", Details: []byte(`{"a":1}`)}
}

func testAdminister(t *testing.T, s store.Store) {
	m := merchant.Merchant{Name: "Ship's chandler", CreatedAt: noon}
	key := merchant.Credential{Dialect: "intents", Kind: "secret_key", Lookup: "c0ffee", Hint: "sk_...fee", CreatedAt: noon, ExpiresAt: noon.AddDate(0, 0, 1)}
	first, err := s.Administer(ctx, store.Administration{Act: act(1, "merchant.create", 0), Create: &m, Put: []merchant.Credential{key}})
	check(t, err)
	if m.ID == 0 || m.Tenant == 0 || first.Merchant != m.ID {
		t.Errorf("merchant %d of tenant %d was created by an act about %d", m.ID, m.Tenant, first.Merchant)
	}
	want := act(1, "merchant.create", m.ID)
	want.Chain = want.Follow(store.Chain{})
	equal(t, "act", first, want)
	key.Merchant = m.ID
	got, err := s.Credential(ctx, "intents", "secret_key", "c0ffee")
	check(t, err)
	equal(t, "credential", got, &key)

	m.Name, m.Disabled, m.Settings = "Sail loft", true, map[string]json.RawMessage{"intents.overcapture": []byte(`120`)}
	key.Disabled = true
	second, err := s.Administer(ctx, store.Administration{Act: act(2, "merchant.set", m.ID), Change: &m, Put: []merchant.Credential{key}, Meta: map[string][]byte{"risk": []byte("{}"), "none": {}}})
	check(t, err)
	for name, want := range map[string]string{"risk": "{}", "none": ""} {
		value, err := s.Meta(ctx, name)
		check(t, err)
		if value == nil || string(value) != want {
			t.Errorf("%s is %q", name, value)
		}
	}
	equal(t, "chain", second.Chain, act(2, "merchant.set", m.ID).Follow(first.Chain))
	found, err := s.Merchant(ctx, m.ID)
	check(t, err)
	equal(t, "merchant", found, &m)
	all, err := s.Credentials(ctx, m.ID)
	check(t, err)
	equal(t, "credentials", all, []merchant.Credential{key})

	own := merchant.Credential{Dialect: "admin", Kind: "token", Lookup: "alice"} // is no merchant's
	check(t, s.PutCredential(ctx, own))
	check(t, s.Audit(ctx, func(a store.Audit) error {
		return a.Strays(func(what string) error { return errors.New(what) })
	}))

	bare := store.Act{Number: 3, At: noon, By: "bob", Action: "backup"}
	third, err := s.Administer(ctx, store.Administration{Act: bare})
	check(t, err)
	bare.Chain = bare.Follow(second.Chain)
	equal(t, "act without merchant and details", third, bare)
	for _, ask := range []struct {
		merchant, before int64
		limit            int
		want             []store.Act
	}{
		{0, 0, 10, []store.Act{third, second, first}},
		{0, 0, 2, []store.Act{third, second}},
		{0, 3, 10, []store.Act{second, first}},
		{m.ID, 0, 10, []store.Act{second, first}},
		{m.ID, 2, 1, []store.Act{first}},
		{m.ID + 1, 0, 10, nil},
	} {
		acts, err := s.Acts(ctx, ask.merchant, ask.before, ask.limit)
		check(t, err)
		equal(t, fmt.Sprintf("acts of %d before %d, at most %d", ask.merchant, ask.before, ask.limit), acts, ask.want)
	}
	equal(t, "acts of the audit", take(t, s).Acts, []store.Act{first, second, third})
}

func testAdministerRefused(t *testing.T, s store.Store) {
	m := merchant.Merchant{Name: "Ship's chandler", CreatedAt: noon}
	key := merchant.Credential{Dialect: "intents", Kind: "secret_key", Lookup: "c0ffee"}
	_, err := s.Administer(ctx, store.Administration{Act: act(1, "merchant.create", 0), Create: &m, Put: []merchant.Credential{key}})
	check(t, err)
	before := take(t, s)
	fresh := merchant.Credential{Merchant: m.ID + 1, Dialect: "wepay", Kind: "token", Lookup: "fresh"}
	taken := key
	taken.Merchant = m.ID + 1
	for name, c := range map[string]struct {
		store.Administration
		want error
	}{
		"a number that is taken":    {store.Administration{Act: act(1, "merchant.create", 0), Create: &merchant.Merchant{Name: "Pirate"}}, store.ErrConflict},
		"a number that is too high": {store.Administration{Act: act(3, "key.create", m.ID), Put: []merchant.Credential{fresh}, Meta: map[string][]byte{"risk": {1}}}, store.ErrConflict},
		"another's credential":      {store.Administration{Act: act(2, "key.create", m.ID+1), Put: []merchant.Credential{fresh, taken}, Meta: map[string][]byte{"risk": {1}}}, store.ErrExists},
		"another's credential for a new merchant": {
			store.Administration{Act: act(2, "merchant.create", 0), Create: &merchant.Merchant{Name: "Pirate"}, Put: []merchant.Credential{fresh, key}}, store.ErrExists,
		},
		"nobody": {store.Administration{Act: act(2, "merchant.set", 999), Change: &merchant.Merchant{ID: 999, Name: "Nobody"}, Put: []merchant.Credential{fresh}}, nil},
	} {
		if _, err := s.Administer(ctx, c.Administration); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := s.Credential(ctx, "wepay", "token", "fresh"); got != nil || err != nil {
			t.Errorf("%s: left a credential: %v", name, err)
		}
		if value, err := s.Meta(ctx, "risk"); value != nil || err != nil {
			t.Errorf("%s: left a value: %v", name, err)
		}
	}
	if all, err := s.Merchants(ctx); len(all) != 1 {
		t.Errorf("%d merchants, %v", len(all), err)
	}
	equal(t, "everything after what was refused", take(t, s), before)
}

// number reads the setting that testAdministrators counts up.
func number(m *merchant.Merchant) (n int) {
	_ = json.Unmarshal(m.Settings["n"], &n) // 0 where it is not set
	return n
}

// testAdministrators: several count up a setting, each from what he has read.
func testAdministrators(t *testing.T, s store.Store) {
	m := merchant.Merchant{Name: "m", CreatedAt: noon}
	_, err := s.Administer(ctx, store.Administration{Act: act(1, "merchant.create", 0), Create: &m})
	check(t, err)
	const administrators, each = 4, 5
	var busy sync.WaitGroup
	for range administrators {
		busy.Go(func() {
			for done := 0; done < each; {
				last, err := s.Acts(ctx, 0, 0, 1)
				if err != nil {
					t.Error(err)
					return
				}
				now, err := s.Merchant(ctx, m.ID)
				if err != nil {
					t.Error(err)
					return
				}
				now.Settings = map[string]json.RawMessage{"n": fmt.Append(nil, number(now)+1)}
				_, err = s.Administer(ctx, store.Administration{Act: act(last[0].Number+1, "merchant.set", m.ID), Change: now})
				switch {
				case err == nil:
					done++
				case !errors.Is(err, store.ErrConflict):
					t.Error(err)
					return
				}
			}
		})
	}
	busy.Wait()
	now, err := s.Merchant(ctx, m.ID)
	check(t, err)
	equal(t, "count", number(now), administrators*each)
	var chain store.Chain
	for i, a := range take(t, s).Acts {
		chain = a.Follow(chain)
		if a.Number != int64(i)+1 || a.Chain != chain {
			t.Errorf("act %d does not follow", i+1)
		}
	}
}

func testTrail(t *testing.T, s store.Store) {
	a := newAuthor(t)
	u := newUser(t, s, 1000, "USD")
	created, other := a.create(purse(u, 300, "USD")), a.create(card(700, "EUR"))
	must(t, s, created, other)
	captured := a.capture(created.Payment, 100)
	captured.Done = created.Timers[:1]
	must(t, s, captured, a.capture(other.Payment, 50))

	trail, err := s.Trail(ctx, created.Payment.ID)
	check(t, err)
	var entries []ledger.Entry
	for _, entry := range append(created.Entries[:len(created.Entries):len(created.Entries)], captured.Entries...) {
		if len(entry) == 0 {
			entry = nil
		}
		entries = append(entries, entry)
	}
	equal(t, "trail", trail, &store.Trail{
		State: store.StateOf(captured.Payment), Events: append(created.Events[:len(created.Events):len(created.Events)], captured.Events...),
		Entries: entries, Records: []store.Record{created.Record, captured.Record}, Timers: captured.Timers,
	})
	if trail, err := s.Trail(ctx, payment.ID(1)); trail != nil || err != nil {
		t.Errorf("the trail of a payment that is not there: %v, %v", trail, err)
	}
}
