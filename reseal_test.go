package capstan_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/capstan-pay/capstan"
	"github.com/capstan-pay/capstan/capstantest"
	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/memory"
)

// stopping is a store whose process is killed after a few changes.
type stopping struct {
	store.Store
	left int
}

var errKilled = errors.New("killed")

func (s *stopping) SwapSealed(ctx context.Context, at store.Sealed, old, fresh []byte) (bool, error) {
	if s.left--; s.left < 0 {
		return false, errKilled
	}
	return s.Store.SwapSealed(ctx, at, old, fresh)
}

// keysOf lists the names of the keys that anything in a store is sealed under.
func keysOf(t *testing.T, st store.Store) map[string]int {
	t.Helper()
	under := map[string]int{}
	note := func(sealed []byte) {
		if sealed != nil {
			under[keyring.SealedUnder(sealed)]++
		}
	}
	root, err := st.Meta(t.Context(), "root_secret")
	if err != nil {
		t.Fatal(err)
	}
	note(root)
	key, err := st.Meta(t.Context(), "alipay.server_key")
	if err != nil {
		t.Fatal(err)
	}
	if key != nil {
		var kept struct{ Sealed []byte }
		if err := json.Unmarshal(key, &kept); err != nil || kept.Sealed == nil {
			t.Fatal("the server key is not sealed", err)
		}
		note(kept.Sealed)
	}
	merchants, err := st.Merchants(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range merchants {
		credentials, err := st.Credentials(t.Context(), m.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range credentials {
			note(c.Sealed)
		}
	}
	err = st.Audit(t.Context(), func(a store.Audit) error {
		return a.Documents(func(d document.Document) error { note(d.Sealed); return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	return under
}

// TestSealingKeysAreRotated: with a fresh key in front everything goes on; it
// is sealed anew although the process that does so is killed again and again;
// and then the old key is not needed any more.
func TestSealingKeysAreRotated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "capstan.keys")
	sealing, err := keyring.ReadOrCreateFile(path)
	if err != nil {
		t.Fatal(err)
	}
	st, sink := memory.Open(), capstantest.NewSink(t)
	serve := func(sealing keyring.Sealing) *capstantest.Server {
		return capstantest.Run(t, capstantest.On(st), capstantest.With(func(c *capstan.Config) { c.Sealing, c.Keys = sealing, nil }))
	}
	charge := func(s *capstantest.Server, card string, amount int) (status, token string) {
		t.Helper()
		var shop struct {
			ID  string `json:"shop_id"`
			Key string `json:"secret_key"`
		}
		if err := json.Unmarshal(s.Credentials.Begateway, &shop); err != nil {
			t.Fatal(err)
		}
		_, text := call(t, s.URL, http.MethodPost, "/transactions/payments",
			map[string]string{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(shop.ID+":"+shop.Key))},
			fmt.Sprintf(`{"request":{"amount":%d,"currency":"USD","description":"x","test":true,"notification_url":%q,"credit_card":{%s}}}`, amount, sink.URL, card))
		var a struct {
			Transaction struct {
				Status string
				Card   struct{ Token string } `json:"credit_card"`
			}
		}
		if err := json.Unmarshal([]byte(text), &a); err != nil {
			t.Fatal(text, err)
		}
		return a.Transaction.Status, a.Transaction.Card.Token
	}
	number := func(last string) string {
		return `"number":"` + last + `","holder":"J","exp_month":"05","exp_year":"2030"`
	}

	s := serve(sealing)
	credentials := s.Credentials.Begateway
	_, token := charge(s, number("4200000000000000"), 100)
	charge(s, number(canaryCard), 100)
	s.Advance(t, 0)
	s.Control(t, http.MethodPost, "/_sandbox/merchants", nil, nil)
	s.Stop()
	before := keysOf(t, st)
	if before["1"] < 6 || len(before) != 1 {
		t.Fatalf("sealed under %v", before)
	}

	if id, err := keyring.AddToFile(path); err != nil || id != "2" {
		t.Fatal(id, err)
	}
	both, err := keyring.ReadFile(path)
	if err != nil || len(both.Keys) != 2 || both.Keys[0].ID != "2" || string(both.Keys[1].Key) != string(sealing.Keys[0].Key) {
		t.Fatal("the file does not hold the fresh key and the old one", err)
	}
	s = serve(both)
	if status, _ := charge(s, `"token":"`+token+`"`, 200); status != "successful" || string(s.Credentials.Begateway) != string(credentials) {
		t.Errorf("with both keys: %s", status)
	}
	s.Stop()

	runs := 0
	for ; ; runs++ {
		_, err := capstan.Reseal(t.Context(), &stopping{st, 2}, both)
		if err == nil {
			break
		}
		if !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		if _, err := st.Meta(t.Context(), "root_secret"); err != nil {
			t.Fatal(err)
		}
	}
	after := keysOf(t, st)
	if len(after) != 1 || after["2"] != before["1"] || runs < 2 {
		t.Errorf("after %d runs sealed under %v", runs, after)
	}
	if again, err := capstan.Reseal(t.Context(), st, both); err != nil || again.Changed != 0 || again.Values != after["2"] {
		t.Errorf("once more: %+v, %v", again, err)
	}

	if err := keyring.RemoveFromFile(path, "2"); !errors.Is(err, keyring.ErrLastKey) {
		t.Errorf("the key that seals is removed: %v", err)
	}
	if err := keyring.RemoveFromFile(path, "1"); err != nil {
		t.Fatal(err)
	}
	fresh, err := keyring.ReadFile(path)
	if err != nil || len(fresh.Keys) != 1 || fresh.Keys[0].ID != "2" {
		t.Fatal(fresh, err)
	}
	s = serve(fresh)
	if status, _ := charge(s, `"token":"`+token+`"`, 300); status != "successful" || string(s.Credentials.Begateway) != string(credentials) {
		t.Errorf("with the fresh key alone: %s", status)
	}
	var sent struct {
		Webhooks []struct{ Headers http.Header }
	} // by now, also under the old key
	s.Control(t, http.MethodGet, "/_sandbox/webhooks", nil, &sent)
	if got := sink.Messages(); len(sent.Webhooks) < 2 || len(got) < 2 || sent.Webhooks[0].Headers.Get("Authorization") != got[0].Header.Get("Authorization") {
		t.Errorf("%d messages, of which are shown %+v", len(got), sent)
	}
	if _, err := capstan.New(t.Context(), capstan.Config{Store: st, Sealing: sealing, Sandbox: true}); err == nil {
		t.Error("the old key still opens the store")
	}
}

// A value that nobody can open, or of which nobody knows what it was sealed
// for, is an error: the old key may still be needed.
func TestResealRefusesWhatItCannotOpen(t *testing.T) {
	sealing := keyring.Generate()
	st := memory.Open()
	live, err := capstan.New(t.Context(), capstan.Config{Store: st, Sealing: sealing})
	if err != nil {
		t.Fatal(err)
	}
	m := merchant.Merchant{Name: "m"}
	if err := st.CreateMerchant(t.Context(), &m, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := live.Dialect("alipay").Issue(t.Context(), m); err != nil { // makes the server's key
		t.Fatal(err)
	}
	if err := live.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	next := keyring.Generate()
	next.Keys[0].ID = "2"
	both := keyring.Sealing{Keys: append(next.Keys, sealing.Keys...)}
	done, err := capstan.Reseal(t.Context(), st, both)
	if err != nil || done.Changed != 2 || keysOf(t, st)["2"] != 2 {
		t.Errorf("%+v, %v, %v", done, keysOf(t, st), err)
	}
	sealed, err := live.Keys.Seal("a purpose nobody knows", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	c := merchant.Credential{Merchant: m.ID, Dialect: "x", Kind: "y", Lookup: "z", Sealed: sealed}
	if err := st.PutCredential(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if _, err := capstan.Reseal(t.Context(), st, both); !errors.Is(err, keyring.ErrSealed) || !strings.Contains(err.Error(), `"1"`) {
		t.Errorf("a purpose nobody knows: %v", err)
	}
	c.Sealed, _ = live.Keys.Seal("begateway shop", []byte("secret"))
	if err := st.PutCredential(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if _, err := capstan.Reseal(t.Context(), st, next); !errors.Is(err, keyring.ErrSealed) {
		t.Errorf("without the old key: %v", err)
	}
}
