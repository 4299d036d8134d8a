package store

import (
	"encoding/json"
	"fmt"

	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/payment"
)

// keptRefusal is the form in which a store keeps a refusal. Its names are in
// databases and are never changed.
type keptRefusal struct {
	Failed   uint64         `json:"failed,omitempty"`
	Limit    int64          `json:"limit,omitempty"`
	Least    int64          `json:"least,omitempty"`
	Status   payment.Status `json:"status,omitempty"`
	Ended    payment.Ending `json:"ended,omitempty"`
	Currency money.Currency `json:"currency,omitempty"`
	Unheld   bool           `json:"unheld,omitempty"`
}

// EncodeRefusal returns r as a JSON object, empty for nil.
func EncodeRefusal(r *payment.Refusal) string {
	if r == nil {
		return ""
	}
	text, err := json.Marshal(keptRefusal(*r))
	if err != nil {
		panic(err) // only numbers and a string
	}
	return string(text)
}

// DecodeRefusal returns what EncodeRefusal was given.
func DecodeRefusal(text string) (*payment.Refusal, error) {
	if text == "" {
		return nil, nil
	}
	var kept keptRefusal
	if err := json.Unmarshal([]byte(text), &kept); err != nil {
		return nil, fmt.Errorf("store: corrupt refusal: %w", err)
	}
	r := payment.Refusal(kept)
	return &r, nil
}
