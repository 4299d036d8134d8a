package storetest

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/store"
)

func testMeta(t *testing.T, s store.Store) {
	value, err := s.Meta(ctx, "mode")
	check(t, err)
	equal(t, "a value that is not there", value, []byte(nil))
	for _, step := range []struct {
		put  string
		once bool
		want string
	}{{"sandbox", true, "sandbox"}, {"live", true, "sandbox"}, {"live", false, "live"}, {"", false, ""}, {"again", true, ""}} {
		kept, err := s.PutMeta(ctx, "mode", []byte(step.put), step.once)
		check(t, err)
		equal(t, "kept", string(kept), step.want)
		value, err := s.Meta(ctx, "mode")
		check(t, err)
		equal(t, "value", string(value), step.want)
		if value == nil {
			t.Error("a value that is there is nil")
		}
	}
}

func testMerchants(t *testing.T, s store.Store) {
	first := merchant.Merchant{Name: "Ship's chandler", CreatedAt: noon, Settings: map[string]json.RawMessage{"begateway.multi_capture": []byte("false")}}
	check(t, s.CreateMerchant(ctx, &first, nil))
	second := merchant.Merchant{Tenant: first.Tenant, Name: "Rope walk", CreatedAt: noon, Disabled: true}
	check(t, s.CreateMerchant(ctx, &second, nil))
	third := merchant.Merchant{Name: "Rope walk", CreatedAt: noon}
	check(t, s.CreateMerchant(ctx, &third, nil))
	switch {
	case first.ID == 0 || second.ID == first.ID || third.ID == second.ID || third.ID == first.ID:
		t.Errorf("ids %d, %d, %d", first.ID, second.ID, third.ID)
	case first.Tenant == 0 || second.Tenant != first.Tenant || third.Tenant == 0 || third.Tenant == first.Tenant:
		t.Errorf("tenants %d, %d, %d", first.Tenant, second.Tenant, third.Tenant)
	}
	second.Name, second.Disabled, second.Settings = "Sail loft", false, map[string]json.RawMessage{"intents.overcapture": []byte(`true`)}
	check(t, s.UpdateMerchant(ctx, second))
	all, err := s.Merchants(ctx)
	check(t, err)
	equal(t, "merchants", all, []merchant.Merchant{first, second, third})
	got, err := s.Merchant(ctx, second.ID)
	check(t, err)
	equal(t, "merchant", got, &second)
	if got, err := s.Merchant(ctx, 999); got != nil || err != nil {
		t.Errorf("a merchant that is not there: %v, %v", got, err)
	}
	if err := s.UpdateMerchant(ctx, merchant.Merchant{ID: 999}); err == nil {
		t.Error("a merchant that is not there was changed")
	}
}

func testCredentials(t *testing.T, s store.Store) {
	m := merchant.Merchant{Name: "Ship's chandler", CreatedAt: noon}
	app := merchant.Credential{Dialect: "wepay", Kind: "app", Lookup: "app 1", Data: []byte(`{"scope":1}`), Sealed: []byte{1, 2, 0, 3}}
	secret := merchant.Credential{Dialect: "intents", Kind: "secret_key", Lookup: "c0ffee"}
	check(t, s.CreateMerchant(ctx, &m, []merchant.Credential{app, secret}))
	app.Merchant, secret.Merchant = m.ID, m.ID

	got, err := s.Credential(ctx, "wepay", "app", "app 1")
	check(t, err)
	equal(t, "credential", got, &app)
	for _, c := range []merchant.Credential{{Dialect: "wepay", Kind: "app", Lookup: "app 2"}, {Dialect: "wepay", Kind: "secret_key", Lookup: "app 1"}, {Dialect: "intents", Kind: "app", Lookup: "app 1"}} {
		if got, err := s.Credential(ctx, c.Dialect, c.Kind, c.Lookup); got != nil || err != nil {
			t.Errorf("a credential that is not there: %v, %v", got, err)
		}
	}

	for what, credentials := range map[string][]merchant.Credential{
		"one that is taken": {{Dialect: "wepay", Kind: "app", Lookup: "app 3"}, secret},
		"one twice":         {{Dialect: "wepay", Kind: "app", Lookup: "app 3"}, {Dialect: "wepay", Kind: "app", Lookup: "app 3"}},
	} {
		if err := s.CreateMerchant(ctx, &merchant.Merchant{Name: "Pirate", CreatedAt: noon}, credentials); !errors.Is(err, store.ErrExists) {
			t.Errorf("a merchant with %s: %v", what, err)
		}
	}
	if all, err := s.Merchants(ctx); len(all) != 1 {
		t.Errorf("%d merchants, %v", len(all), err)
	}
	if got, err := s.Credential(ctx, "wepay", "app", "app 3"); got != nil || err != nil {
		t.Errorf("a credential of a merchant that was refused: %v, %v", got, err)
	}

	app.Disabled, app.Data, app.Sealed = true, nil, []byte{9}
	check(t, s.PutCredential(ctx, app))
	fresh := merchant.Credential{Merchant: m.ID, Dialect: "wepay", Kind: "token", Lookup: "t"}
	check(t, s.PutCredential(ctx, fresh))
	all, err := s.Credentials(ctx, m.ID)
	check(t, err)
	equal(t, "credentials", all, []merchant.Credential{secret, app, fresh})
	all, err = s.Credentials(ctx, m.ID+1)
	check(t, err)
	equal(t, "credentials of nobody", len(all), 0)
}
