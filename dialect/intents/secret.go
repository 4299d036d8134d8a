package intents

import (
	"encoding/json"
	"fmt"
	"time"

	"crypto/aes"
	"crypto/cipher"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/keyring"
)

// Answers that show a secret are kept with their key encrypted, under a key
// that follows from the store's root secret: a repeat gets the same bytes, and
// whoever reads the database does not.

func answerCipher(keys *keyring.Keyring) (cipher.AEAD, error) {
	block, err := aes.NewCipher(keys.Derive("intents answer with a secret", 32))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// conceal encrypts the answer of a note.
func (d *Dialect) conceal(n *note) error {
	aead, err := answerCipher(d.Keys)
	if err != nil {
		return err
	}
	n.remark, n.body = concealed, aead.Seal(nil, nil, n.body, n.request[:])
	return nil
}

// reveal decrypts what conceal encrypted.
func (d *Dialect) reveal(n *note) error {
	aead, err := answerCipher(d.Keys)
	if err != nil {
		return err
	}
	n.body, err = aead.Open(nil, nil, n.body, n.request[:])
	n.remark = plain
	return err
}

// endpointSecret is one secret of a webhook endpoint.
type endpointSecret struct {
	Secret string `json:"secret"`
	Until  int64  `json:"until,omitempty"` // Unix milliseconds; 0 is for ever
}

// sealSecrets gives an endpoint a fresh secret, which it returns. Those it has
// are valid until then.
func (x *exchange) sealSecrets(doc *document.Document, has []endpointSecret, until time.Time) (string, *problem) {
	fresh, err := x.d.random(secretPrefix, secretCharacters)
	if err != nil {
		return "", x.fault(err)
	}
	now := x.d.Clock.Now().UnixMilli()
	all := []endpointSecret{{Secret: fresh}}
	for _, old := range has {
		if old.Until == 0 || old.Until > until.UnixMilli() {
			old.Until = until.UnixMilli()
		}
		if old.Until > now && len(all) < secretsMost {
			all = append(all, old)
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		return "", x.fault(err)
	}
	if doc.Sealed, err = x.d.Keys.Seal(doc.Purpose(), text); err != nil {
		return "", x.fault(err)
	}
	return fresh, nil
}

// openSecrets returns the secrets of an endpoint, the newest first, also those
// that are over.
func (d *Dialect) openSecrets(doc *document.Document) (all []endpointSecret, err error) {
	text, err := d.Keys.Open(doc.Purpose(), doc.Sealed)
	if err != nil {
		return nil, fmt.Errorf("intents: secrets of an endpoint: %w", err)
	}
	return all, json.Unmarshal(text, &all)
}
