package engine_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/payment"
)

// customer is a request that brings a document along, under a key.
func customer(key string, fingerprint byte, id string) payment.Request {
	return payment.Request{
		Tenant: 1, Merchant: 1, Command: payment.Nothing{}, Retain: 24 * time.Hour,
		Key: payment.NewKey(1, "account", key), Fingerprint: payment.Fingerprint{fingerprint}, Context: []byte(id),
		Documents: []document.Document{{
			Name: document.Name{Tenant: 1, Merchant: 1, Dialect: "intents", Kind: "customer", ID: id}, CreatedAt: noon, UpdatedAt: noon,
		}},
	}
}

func TestDocumentsAreMadeOnceUnderAKey(t *testing.T) {
	r := newRig(t)
	out, err := r.Do(t.Context(), customer("k", 1, "a"))
	if err != nil || out.Refusal != nil || out.Replayed || out.Payment != nil || string(out.Context) != "a" {
		t.Fatalf("%+v, %v", out, err)
	}
	again, err := r.Do(t.Context(), customer("k", 1, "b"))
	if err != nil || !again.Replayed || string(again.Context) != "a" {
		t.Fatalf("again: %+v, %v", again, err)
	}
	other, err := r.Do(t.Context(), customer("k", 2, "c"))
	if err != nil || !other.Refusal.Has(payment.KeyReused) {
		t.Fatalf("another request: %+v, %v", other, err)
	}
	ids := ""
	page, err := r.store.Documents(t.Context(), document.Listing{Tenant: 1, Merchant: 1, Dialect: "intents", Kind: "customer", Limit: 10})
	for _, d := range page {
		ids += d.ID
	}
	if err != nil || ids != "a" {
		t.Fatalf("documents %q: %v", ids, err)
	}
}

func TestManyMakeOneDocument(t *testing.T) {
	r := newRig(t)
	var all sync.WaitGroup
	var mu sync.Mutex
	fresh := 0
	for i := range 64 {
		all.Go(func() {
			out, err := r.Do(t.Context(), customer("k", 1, string(rune('A'+i))))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				t.Error(err)
			case out.Refusal == nil && !out.Replayed:
				fresh++
			case out.Refusal != nil && !out.Refusal.Has(payment.InProcess):
				t.Error(out.Refusal)
			}
		})
	}
	all.Wait()
	page, err := r.store.Documents(t.Context(), document.Listing{Tenant: 1, Merchant: 1, Dialect: "intents", Kind: "customer", Limit: 100})
	if err != nil || len(page) != 1 || fresh != 1 {
		t.Fatalf("%d documents, %d answers: %v", len(page), fresh, err)
	}
}

// A document that cannot be put fails its own command, leaves the key free,
// and touches nothing else.
func TestADocumentThatCannotBePut(t *testing.T) {
	r := newRig(t)
	if _, err := r.Do(t.Context(), customer("k", 1, "a")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Do(t.Context(), customer("l", 1, "a")); !errors.Is(err, document.ErrExists) {
		t.Fatalf("a name that is taken: %v", err)
	}
	stale := customer("l", 1, "a")
	stale.Documents[0].Version = 2
	if _, err := r.Do(t.Context(), stale); !errors.Is(err, document.ErrMoved) {
		t.Fatalf("a version that is not there: %v", err)
	}
	stale.Documents[0].Version = 1
	if out, err := r.Do(t.Context(), stale); err != nil || out.Replayed || out.Refusal != nil {
		t.Fatalf("read again: %+v, %v", out, err)
	}
	// A refused command puts nothing.
	refused := customer("m", 1, "b")
	refused.Command, refused.Payment = payment.Capture{}, 7
	if out, err := r.Do(t.Context(), refused); err != nil || !out.Refusal.Has(payment.NotFound) {
		t.Fatalf("%+v, %v", out, err)
	}
	d, err := r.store.Document(t.Context(), refused.Documents[0].Name)
	if err != nil || d != nil {
		t.Fatalf("a document of a refused command: %+v, %v", d, err)
	}
}
