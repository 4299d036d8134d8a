package capstan

import (
	"bytes"
	"context"
	"fmt"

	"github.com/capstan-pay/capstan/dialect/alipay"
	"github.com/capstan-pay/capstan/dialect/begateway"
	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/sandbox"
	"github.com/capstan-pay/capstan/store"
	"github.com/capstan-pay/capstan/webhook"
)

// Resealed is what sealing anew has come to.
type Resealed struct {
	Values  int `json:"values"`  // sealed values in the store
	Changed int `json:"changed"` // that were sealed under another key before
}

// Reseal seals everything in a store anew under the first sealing key: its root
// secret, what is sealed of credentials, stored cards and all other documents.
// When it returns without an error nothing needs another key any more.
//
// Each value is exchanged by itself, so that Reseal may be stopped at any
// moment and called again, also beside servers. These must have the first key,
// or they go on sealing under theirs: the last pass, which changes nothing,
// finds out what they have sealed until then.
func Reseal(ctx context.Context, st store.Store, sealing keyring.Sealing) (Resealed, error) {
	r := resealing{store: st, sealing: sealing}
	for {
		changed := r.Changed
		r.Values = 0
		for _, walk := range []func(context.Context) error{r.meta, r.credentials, r.documents} {
			if err := walk(ctx); err != nil {
				return r.Resealed, fmt.Errorf("reseal: %w", err)
			}
		}
		if r.Changed == changed && !r.missed {
			return r.Resealed, nil
		}
		r.missed = false
	}
}

// resealing is sealing anew on its way.
type resealing struct {
	Resealed
	store   store.Store
	sealing keyring.Sealing
	missed  bool // a value was changed by somebody else meanwhile
}

// credentialPurposes are what credentials' sealed parts are sealed for.
var credentialPurposes = []string{begateway.SealPurpose, sandbox.SealPurpose, webhook.SealPurpose}

// atATime is how many documents are read at a time.
const atATime = 100

// meta seals the store's root secret and the servers' own keys.
func (r *resealing) meta(ctx context.Context) error {
	for name, reseal := range map[string]func(kept []byte) ([]byte, bool, error){
		metaRoot:             r.sealing.ResealRoot,
		alipay.ServerKeyName: func(kept []byte) ([]byte, bool, error) { return alipay.ResealServerKey(r.sealing, kept) },
	} {
		kept, err := r.store.Meta(ctx, name)
		if err != nil {
			return err
		}
		if kept == nil {
			continue
		}
		fresh, _, err := reseal(kept)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := r.swap(ctx, store.Sealed{Meta: name}, kept, fresh); err != nil {
			return err
		}
	}
	return nil
}

func (r *resealing) credentials(ctx context.Context) error {
	merchants, err := r.store.Merchants(ctx)
	if err != nil {
		return err
	}
	for _, m := range merchants {
		credentials, err := r.store.Credentials(ctx, m.ID)
		if err != nil {
			return err
		}
		for _, c := range credentials {
			if c.Sealed == nil {
				continue
			}
			fresh, _, err := r.sealing.Reseal(c.Sealed, credentialPurposes...)
			if err != nil {
				return fmt.Errorf("credential of merchant %d (%s, %s): %w", m.ID, c.Dialect, c.Kind, err)
			}
			if err := r.swap(ctx, store.Sealed{Credential: c}, c.Sealed, fresh); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *resealing) documents(ctx context.Context) error {
	for after := int64(0); ; {
		page, err := r.store.SealedDocuments(ctx, after, atATime)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, d := range page {
			after = d.Serial
			fresh, _, err := r.sealing.Reseal(d.Sealed, d.Purpose())
			if err != nil {
				return fmt.Errorf("document %d of merchant %d (%s, %s): %w", d.Serial, d.Merchant, d.Dialect, d.Kind, err)
			}
			if err := r.swap(ctx, store.Sealed{Document: d.Name}, d.Sealed, fresh); err != nil {
				return err
			}
		}
	}
}

// swap puts a value sealed anew in its place, if it differs.
func (r *resealing) swap(ctx context.Context, at store.Sealed, old, fresh []byte) error {
	if r.Values++; bytes.Equal(old, fresh) {
		return nil
	}
	swapped, err := r.store.SwapSealed(ctx, at, old, fresh)
	if swapped {
		r.Changed++
	} else {
		r.missed = true
	}
	return err
}
