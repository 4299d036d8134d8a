package capstan

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/risk"
	"github.com/capstan-pay/capstan/store/memory"
)

// registry is a repository of one merchant.
type registry struct {
	merchant merchant.Merchant
	reads    int
}

func (r *registry) Merchant(context.Context, int64) (*merchant.Merchant, error) {
	r.reads++
	m := r.merchant
	return &m, nil
}

func (r *registry) Credential(context.Context, string, string, string) (*merchant.Credential, error) {
	return nil, nil
}

// A configuration is compiled once for as long as its document stays the same.
func TestRiskChecksAreCompiledOnce(t *testing.T) {
	now := time.Unix(0, 0)
	document := func(max string) map[string]json.RawMessage {
		return map[string]json.RawMessage{"risk": json.RawMessage(`{"limits":[{"currency":"USD","max":` + max + `}]}`)}
	}
	repository := &registry{merchant: merchant.Merchant{ID: 2, Tenant: 1, Name: "Shop", Settings: document("5")}}
	checks, err := newRiskChecks(t.Context(), merchant.NewDirectory(repository, func() time.Time { return now }), memory.Open())
	if err != nil {
		t.Fatal(err)
	}
	of := func() *risk.Checks {
		t.Helper()
		c, err := checks.of(t.Context(), 2, false)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := of()
	if first == nil || of() != first || repository.reads != 1 {
		t.Fatalf("%p, then %p after %d reads", first, of(), repository.reads)
	}
	now = now.Add(time.Minute) // what is known of the merchant is old now
	if of() != first || repository.reads != 2 {
		t.Errorf("compiled again: %d reads", repository.reads)
	}
	repository.merchant.Settings = document("6")
	now = now.Add(time.Minute)
	second := of()
	if second == first {
		t.Error("another document has the same checks")
	}
	repository.merchant.Name = "Another shop"
	now = now.Add(time.Minute)
	if third := of(); third == second {
		t.Error("another name has the same checks")
	}
	repository.merchant.Settings = document(`"x"`)
	now = now.Add(time.Minute)
	for range 2 {
		if c, err := checks.of(t.Context(), 2, false); c != nil || err == nil {
			t.Errorf("a broken configuration: %v, %v", c, err)
		}
	}
	repository.merchant.Settings = nil
	now = now.Add(time.Minute)
	if of() != nil {
		t.Error("checks without a configuration")
	}
}
