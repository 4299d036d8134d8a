package vault_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/card"
	"github.com/capstan-pay/capstan/clock"
	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/store/memory"
	"github.com/capstan-pay/capstan/vault"
)

const (
	number  = "4929907390318794" // nobody's
	another = "4242424242424242"
)

var noon = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

// desk is a vault on a memory store.
type desk struct {
	*vault.Vault
	store store.Store
	clock *clock.Shifted
}

func newDesk() *desk {
	keys, now, st := keyring.Fixed("vault"), clock.NewShifted(clock.Fixed(noon), 0), memory.Open()
	v := &vault.Vault{Documents: st, Keys: keys, Cards: card.Inspector{MAC: keys.MAC}, Clock: now, Random: rand.Reader}
	return &desk{v, st, now}
}

// janes is a card of merchant 2 of tenant 1.
func janes(token string) vault.Card {
	return vault.Card{Tenant: 1, Merchant: 2, Token: token, Method: payment.Method{Holder: "Jane", ExpMonth: 12, ExpYear: 2030}}
}

func TestAKeptCardIsOpened(t *testing.T) {
	d, ctx := newDesk(), t.Context()
	kept, err := d.Keep(ctx, janes(""), number)
	if err != nil {
		t.Fatal(err)
	}
	m := kept.Method
	if m.Kind != payment.CardMethod || m.Brand != "visa" || m.First6 != "492990" || m.Last4 != "8794" || m.Holder != "Jane" || m.ExpMonth != 12 || m.ExpYear != 2030 || m.Fingerprint == "" {
		t.Errorf("kept %+v", m)
	}
	if len(kept.Token) != 64 || !kept.KeptAt.Equal(noon) {
		t.Errorf("token of %d characters, kept at %s", len(kept.Token), kept.KeptAt)
	}
	opened, secret, err := d.Open(ctx, 1, 2, kept.Token)
	if err != nil || opened.Method != m || secret != (payment.Secret{Number: number}) {
		t.Errorf("opened %+v: %v", opened.Method, err)
	}
	inspected, err := d.Cards.Inspect(number)
	if err != nil || inspected.Fingerprint != m.Fingerprint {
		t.Errorf("the fingerprint is not that of the number: %v", err)
	}
	for what, of := range map[string]struct {
		tenant, merchant int64
		token            string
	}{"another tenant": {2, 2, kept.Token}, "another merchant": {1, 3, kept.Token}, "another token": {1, 2, "x"}, "no token": {1, 2, ""}} {
		if _, _, err := d.Open(ctx, of.tenant, of.merchant, of.token); !errors.Is(err, vault.ErrNoCard) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := d.Forget(ctx, 1, 2, kept.Token); err != nil {
		t.Error(err)
	}
	if _, _, err := d.Open(ctx, 1, 2, kept.Token); !errors.Is(err, vault.ErrNoCard) {
		t.Errorf("after it was forgotten: %v", err)
	}
	if err := d.Forget(ctx, 1, 2, kept.Token); !errors.Is(err, vault.ErrNoCard) {
		t.Errorf("forgotten again: %v", err)
	}
}

func TestATokenStaysWithItsNumber(t *testing.T) {
	d, ctx := newDesk(), t.Context()
	first, err := d.Keep(ctx, janes("token"), number)
	if err != nil {
		t.Fatal(err)
	}
	c := janes("token")
	c.Method.Holder, c.Method.ExpYear = "Jane Doe", 2035
	second, err := d.Keep(ctx, c, number)
	if err != nil || second.Method.Holder != "Jane Doe" || second.Method.ExpYear != 2035 || second.Token != "token" || second.Method.Fingerprint != first.Method.Fingerprint {
		t.Errorf("%+v: %v", second.Method, err)
	}
	if _, err := d.Keep(ctx, janes("token"), another); !errors.Is(err, vault.ErrTaken) {
		t.Errorf("another number: %v", err)
	}
	revised, err := d.Revise(ctx, 1, 2, "token", func(m *payment.Method) { m.ExpMonth, m.Last4 = 1, "0000" })
	if err != nil || revised.Method.ExpMonth != 1 || revised.Method.Last4 != "8794" {
		t.Errorf("revised %+v: %v", revised.Method, err)
	}
	if _, secret, err := d.Open(ctx, 1, 2, "token"); err != nil || secret.Number != number {
		t.Errorf("after all that: %v", err)
	}
	if _, err := d.Revise(ctx, 1, 2, "none", func(*payment.Method) {}); !errors.Is(err, vault.ErrNoCard) {
		t.Errorf("none: %v", err)
	}
}

func TestWhatCannotBeKept(t *testing.T) {
	d := newDesk()
	inHolder := janes("")
	inHolder.Method.Holder = "Jane " + number
	for what, c := range map[string]struct {
		card   vault.Card
		number string
	}{
		"no number": {janes(""), ""}, "a wrong check digit": {janes(""), "4929907390318795"},
		"a number in the holder's name": {inHolder, number}, "a number for a token": {janes(number), number},
	} {
		_, err := d.Keep(t.Context(), c.card, c.number)
		if !errors.Is(err, card.ErrNumber) || strings.Contains(err.Error(), "4929") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A sealed number opens for no other merchant and under no other token, even
// for somebody who can write the database.
func TestANumberIsBoundToItsToken(t *testing.T) {
	d, ctx := newDesk(), t.Context()
	if _, err := d.Keep(ctx, janes("mine"), number); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Keep(ctx, janes("yours"), another); err != nil {
		t.Fatal(err)
	}
	sealed := map[string]document.Document{}
	err := d.store.Audit(ctx, func(a store.Audit) error {
		return a.Documents(func(p document.Document) error { sealed[p.ID] = p; return nil })
	})
	if err != nil || len(sealed) != 2 {
		t.Fatal(len(sealed), err)
	}
	yours := sealed["yours"]
	yours.Sealed = sealed["mine"].Sealed
	if err := d.store.PutDocument(ctx, &yours); err != nil {
		t.Fatal(err)
	}
	if _, secret, err := d.Open(ctx, 1, 2, "yours"); !errors.Is(err, keyring.ErrSealed) || secret.Number != "" {
		t.Errorf("a number that was moved: %v", err)
	}
}

func TestACardExpires(t *testing.T) {
	d, ctx := newDesk(), t.Context()
	c := janes("short")
	c.Expires = noon.Add(time.Hour)
	if _, err := d.Keep(ctx, c, number); err != nil {
		t.Fatal(err)
	}
	d.clock.Advance(time.Hour - time.Millisecond)
	if _, _, err := d.Open(ctx, 1, 2, "short"); err != nil {
		t.Errorf("on the last instant: %v", err)
	}
	d.clock.Advance(time.Hour)
	if _, _, err := d.Open(ctx, 1, 2, "short"); !errors.Is(err, vault.ErrNoCard) {
		t.Errorf("when its time is over: %v", err)
	}
	if _, err := d.Keep(ctx, janes("short"), another); err != nil { // the token is free
		t.Errorf("another card under a token that is over: %v", err)
	}
	if _, secret, err := d.Open(ctx, 1, 2, "short"); err != nil || secret.Number != another {
		t.Errorf("another card under a token that is over: %v", err)
	}
}

// Of several commands that bring along the spent card one is carried out.
func TestACardIsSpentOnce(t *testing.T) {
	d, ctx := newDesk(), t.Context()
	if _, err := d.Keep(ctx, janes("once"), number); err != nil {
		t.Fatal(err)
	}
	c, _, err := d.Open(ctx, 1, 2, "once")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	results := make(chan error, 16)
	for range cap(results) {
		all.Go(func() {
			spent := c.Spent()
			results <- d.store.PutDocument(context.WithoutCancel(ctx), &spent)
		})
	}
	all.Wait()
	close(results)
	done := 0
	for err := range results {
		if err == nil {
			done++
		} else if !errors.Is(err, document.ErrMoved) {
			t.Error(err)
		}
	}
	if done != 1 {
		t.Errorf("%d of them", done)
	}
	if _, _, err := d.Open(ctx, 1, 2, "once"); !errors.Is(err, vault.ErrNoCard) {
		t.Errorf("a spent card: %v", err)
	}
	if _, err := d.Keep(ctx, janes("once"), number); err != nil {
		t.Errorf("kept anew: %v", err)
	}
}

func TestManyKeepOneCard(t *testing.T) {
	d := newDesk()
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			if _, err := d.Keep(t.Context(), janes("token"), number); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if _, secret, err := d.Open(t.Context(), 1, 2, "token"); err != nil || secret.Number != number {
		t.Error(err)
	}
}

// Neither number nor token is in what is printed or kept in clear.
func TestNothingIsShown(t *testing.T) {
	d := newDesk()
	c, err := d.Keep(t.Context(), janes(""), number)
	if err != nil {
		t.Fatal(err)
	}
	c, secret, err := d.Open(t.Context(), 1, 2, c.Token)
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(map[string]any{"card": c, "secret": secret})
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintf("%v %+v %#v %s %q %s %v %+v %#v", c, c, c, c, c, asJSON, secret, secret, []any{&c, secret})
	for _, what := range []string{number, c.Token} {
		if strings.Contains(shown, what) {
			t.Errorf("%s is shown: %s", what, shown)
		}
	}
	err = d.store.Audit(t.Context(), func(a store.Audit) error {
		return a.Documents(func(p document.Document) error {
			if bytes.Contains(p.Body, []byte(number)) || bytes.Contains(p.Sealed, []byte(number)) {
				t.Error("the number is kept in clear")
			}
			return nil
		})
	})
	if err != nil {
		t.Error(err)
	}
}
