package webhook

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"encoding/json"
	"net/http"

	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/outbox"
)

// Exchange is what was sent in an attempt, and what came back.
type Exchange struct {
	URL    string      `json:"url"`
	Header http.Header `json:"header"`
	Body   []byte      `json:"body,omitempty"` // only where bodies are kept
	Answer *Answer     `json:"answer,omitempty"`
}

// Answer is an endpoint's answer, the beginning of its body.
type Answer struct {
	Header http.Header `json:"header,omitempty"`
	Body   []byte      `json:"body,omitempty"`
}

// The exchanges of a payment are encrypted under a key of their own, which
// follows from the store's root secret: they stay readable when the sealing
// keys are rotated, which protect that.
func exchangeKey(keys *keyring.Keyring, of outbox.DeliveryID) (cipher.AEAD, []byte, error) {
	name := binary.BigEndian.AppendUint64(nil, uint64(of.Payment))
	key := keys.MAC("webhook exchange", name)
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	name = binary.BigEndian.AppendUint32(name, uint32(of.Version))
	name = append(append(name, of.Dialect...), 0, byte(of.Number))
	return aead, append(name, of.Endpoint...), err
}

// seal encrypts what was exchanged in an attempt at a delivery.
func (d *Deliverer) seal(of outbox.DeliveryID, e *Exchange) ([]byte, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	aead, name, err := exchangeKey(d.Keys, of)
	if err != nil {
		return nil, err
	}
	return aead.Seal(nil, nil, text, name), nil
}

// Open returns what was exchanged in an attempt, nil if nothing was kept.
func (d *Deliverer) Open(a outbox.Attempt) (*Exchange, error) {
	if len(a.Sealed) == 0 {
		return nil, nil
	}
	aead, name, err := exchangeKey(d.Keys, a.DeliveryID)
	if err != nil {
		return nil, err
	}
	text, err := aead.Open(nil, nil, a.Sealed, name)
	if err != nil {
		return nil, err
	}
	var e Exchange
	return &e, json.Unmarshal(text, &e)
}
