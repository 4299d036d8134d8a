package admin

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/capstan-pay/capstan/store"
)

var null = json.RawMessage("null")

// ServerRisk implements Administrator.
func (d *Desk) ServerRisk(ctx context.Context) (json.RawMessage, error) {
	document, err := d.Store.Meta(ctx, d.RiskName)
	if len(document) == 0 {
		document = null
	}
	return document, err
}

// SetServerRisk implements Administrator.
func (d *Desk) SetServerRisk(ctx context.Context, document json.RawMessage) error {
	document = bytes.TrimSpace(document)
	if !json.Valid(document) {
		return invalid("the risk configuration is not JSON")
	}
	kept := []byte(document)
	if bytes.Equal(document, null) {
		kept = []byte{}
	}
	if err := d.CheckRisk(kept); err != nil {
		return invalid("%v", err)
	}
	return d.administer(ctx, store.Act{Action: "risk.set"}, func(a *store.Administration) error {
		a.Meta = map[string][]byte{d.RiskName: kept}
		return detail(&a.Act, digests(map[string]json.RawMessage{"risk": document}))
	})
}
