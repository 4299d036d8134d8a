package admin_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/capstan-pay/capstan"
	"github.com/capstan-pay/capstan/admin"
	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/memory"
	"github.com/capstan-pay/capstan/verify"
)

func open(t *testing.T) (*memory.Store, *admin.Desk) {
	t.Helper()
	st := memory.Open()
	desk, err := capstan.OpenDesk(t.Context(), st, keyring.Published())
	if err != nil {
		t.Fatal(err)
	}
	return st, desk
}

// TestManyAdministrators: what several change at once is all there, and every
// act of it follows the one before.
func TestManyAdministrators(t *testing.T) {
	st, desk := open(t)
	m, err := desk.CreateMerchant(t.Context(), admin.NewMerchant{Name: "Shop", Dialects: []string{"none"}})
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"intents.capture_window_seconds", "wepay.fee_threshold_percent", "begateway.hold_seconds", "alipay.max_captures"}
	var busy sync.WaitGroup
	for i, name := range names {
		busy.Go(func() {
			for n := range 8 {
				change := admin.Change{Settings: map[string]json.RawMessage{name: fmt.Append(nil, n+1)}}
				if _, err := desk.As(fmt.Sprint("a", i)).ChangeMerchant(t.Context(), m.ID, change); err != nil {
					t.Error(err)
				}
				if _, err := desk.As(fmt.Sprint("a", i)).AddKey(t.Context(), m.ID, admin.NewKey{Dialect: "intents"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	busy.Wait()
	now, err := desk.Merchant(t.Context(), m.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if string(now.Settings[name]) != "8" {
			t.Errorf("%s is %s", name, now.Settings[name])
		}
	}
	if keys, err := desk.Keys(t.Context(), m.ID); len(keys) != 32 {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	if report, err := verify.Audit(t.Context(), st); err != nil || !report.Clean() || report.Acts != 65 {
		t.Errorf("%+v, %v", report, err)
	}
}

// TestAdmit: only the whole token lets its owner in, and only as long as it is
// good.
func TestAdmit(t *testing.T) {
	st, desk := open(t)
	key, err := desk.AddAdminKey(t.Context(), admin.NewAdminKey{Name: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	short, err := desk.AddAdminKey(t.Context(), admin.NewAdminKey{Name: "bob", Seconds: 1})
	if err != nil {
		t.Fatal(err)
	}
	admitted := func(token string) string {
		t.Helper()
		name, ok, err := desk.Admit(t.Context(), token)
		if err != nil || ok != (name != "") {
			t.Fatal(name, ok, err)
		}
		return name
	}
	if got := admitted(key.Token); got != "alice" {
		t.Errorf("the token lets %q in", got)
	}
	id := key.Token[:27] // up to the secret
	for _, bad := range []string{
		"", "x", id, key.Token[:len(key.Token)-1], key.Token + "x", strings.ToUpper(key.Token), strings.TrimPrefix(key.Token, "capstan_admin_") + "x",
		"capstan_admin_000000000000_" + key.Token[27:], strings.Repeat("a", 1000), "capstan_admin_" + strings.Repeat("a", 100) + "_b",
	} {
		if got := admitted(bad); got != "" {
			t.Errorf("%q lets %q in", bad, got)
		}
	}
	time.Sleep(1100 * time.Millisecond)
	if got := admitted(short.Token); got != "" {
		t.Error("a key that has expired lets somebody in")
	}
	if _, err := desk.DisableAdminKey(t.Context(), key.ID); err != nil {
		t.Fatal(err)
	}
	if got := admitted(key.Token); got != "" {
		t.Error("a key that is disabled lets somebody in")
	}

	// What is kept does not tell a token.
	err = st.Audit(t.Context(), func(view store.Audit) error {
		return view.Acts(func(a store.Act) error {
			if strings.Contains(string(a.Details), key.Token[len(key.Token)-20:]) {
				t.Errorf("act %d has a token", a.Number)
			}
			return nil
		})
	})
	kept, err2 := st.Credentials(t.Context(), 0)
	if err != nil || err2 != nil || len(kept) != 2 {
		t.Fatal(kept, err, err2)
	}
	for _, c := range kept {
		if strings.Contains(fmt.Sprintf("%s %s %s %s", c.Lookup, c.Data, c.Sealed, c.Hint), key.Token[len(key.Token)-20:]) {
			t.Error("a token is kept")
		}
	}
}

// TestProblems: what cannot be done says why, and leaves no act.
func TestProblems(t *testing.T) {
	st, desk := open(t)
	m, err := desk.CreateMerchant(t.Context(), admin.NewMerchant{Name: "Shop", Dialects: []string{"wepay"}})
	if err != nil {
		t.Fatal(err)
	}
	before, err := desk.Log(t.Context(), admin.LogQuery{})
	if err != nil {
		t.Fatal(err)
	}
	day, text := int64(86400), "x\ny"
	for name, try := range map[string]struct {
		do   func() error
		want int
	}{
		"no name":                {func() error { _, err := desk.CreateMerchant(t.Context(), admin.NewMerchant{}); return err }, 400},
		"a name with a newline":  {func() error { _, err := desk.ChangeMerchant(t.Context(), m.ID, admin.Change{Name: &text}); return err }, 400},
		"nothing":                {func() error { _, err := desk.ChangeMerchant(t.Context(), m.ID, admin.Change{}); return err }, 400},
		"nobody":                 {func() error { _, err := desk.Merchant(t.Context(), "mer_x"); return err }, 404},
		"an unknown number":      {func() error { _, err := desk.Merchant(t.Context(), "99"); return err }, 404},
		"an unknown setting":     {func() error { return set(t, desk, m.ID, `intents.mood`, `1`) }, 400},
		"a setting of text":      {func() error { return set(t, desk, m.ID, `intents.capture_window_seconds`, `"x"`) }, 400},
		"a bad risk document":    {func() error { return set(t, desk, m.ID, `risk`, `{"limits":3}`) }, 400},
		"an overlap for nothing": {func() error { return add(t, desk, m.ID, admin.NewKey{Dialect: "wepay", Overlap: &day}) }, 400},
		"an unknown dialect":     {func() error { return add(t, desk, m.ID, admin.NewKey{Dialect: "morse"}) }, 400},
		"an unknown kind":        {func() error { return add(t, desk, m.ID, admin.NewKey{Dialect: "wepay", Kind: "door"}) }, 400},
		"a public key of none":   {func() error { return add(t, desk, m.ID, admin.NewKey{Dialect: "wepay", PublicKey: "x"}) }, 400},
		"a bad public key":       {func() error { return add(t, desk, m.ID, admin.NewKey{Dialect: "alipay", PublicKey: "x"}) }, 400},
		"an unknown key":         {func() error { _, err := desk.DisableKey(t.Context(), m.ID, "key_x"); return err }, 404},
		"no administrator":       {func() error { _, err := desk.DisableAdminKey(t.Context(), "adm_x"); return err }, 404},
		"an unknown payment":     {func() error { _, err := desk.Explain(t.Context(), "pi_x"); return err }, 404},
		"too many acts":          {func() error { _, err := desk.Log(t.Context(), admin.LogQuery{Limit: 1001}); return err }, 400},
	} {
		var p admin.Problem
		if err := try.do(); !errors.As(err, &p) || p.Status != try.want || p.Text == "" {
			t.Errorf("%s: %v, want a problem of %d", name, err, try.want)
		}
	}
	if after, err := desk.Log(t.Context(), admin.LogQuery{}); err != nil || len(after) != len(before) {
		t.Errorf("%d acts after %d, %v", len(after), len(before), err)
	}
	if all, err := st.Merchants(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("%d merchants, %v", len(all), err)
	}
}

func set(t *testing.T, desk *admin.Desk, id, name, value string) error {
	_, err := desk.ChangeMerchant(t.Context(), id, admin.Change{Settings: map[string]json.RawMessage{name: json.RawMessage(value)}})
	return err
}

func add(t *testing.T, desk *admin.Desk, id string, k admin.NewKey) error {
	_, err := desk.AddKey(t.Context(), id, k)
	return err
}

// TestLiveMerchantsHaveKeysOfTheirOwn: no two live merchants share a secret,
// and none is handed what a sandbox publishes.
func TestLiveMerchantsHaveKeysOfTheirOwn(t *testing.T) {
	_, desk := open(t)
	seen := map[string]string{}
	for _, name := range []string{"One", "Two"} {
		m, err := desk.CreateMerchant(t.Context(), admin.NewMerchant{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		for dialect, text := range m.Credentials {
			var members map[string]string
			if err := json.Unmarshal(text, &members); err != nil {
				t.Fatal(err)
			}
			for member, value := range members {
				if member == "key_version" || member == "server_public_key" {
					continue
				}
				if other := seen[value]; other != "" {
					t.Errorf("%s of %s in %s is that of %s, too", member, name, dialect, other)
				}
				seen[value] = name
				if strings.Contains(value, "_test_") || strings.HasPrefix(value, "stage_") {
					t.Errorf("%s in %s is a test key", member, dialect)
				}
			}
		}
		if len(m.Credentials) != 4 {
			t.Errorf("credentials of %d dialects", len(m.Credentials))
		}
	}
	sandboxed := memory.Open()
	box, err := capstan.New(t.Context(), capstan.Config{Store: sandboxed, Sealing: keyring.Published(), Sandbox: true})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close(t.Context())
	published, err := box.Desk().CreateMerchant(t.Context(), admin.NewMerchant{Name: "Box"})
	if err != nil {
		t.Fatal(err)
	}
	for dialect, text := range published.Credentials {
		var members map[string]string
		if err := json.Unmarshal(text, &members); err != nil {
			t.Fatal(err)
		}
		for member, value := range members {
			if member != "key_version" && member != "shop_id" && member != "app_id" && seen[value] != "" {
				t.Errorf("%s in %s is handed to live merchants, too", member, dialect)
			}
		}
	}
}
