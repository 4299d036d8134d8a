package vault

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/payment"
)

// body is what is kept in clear of a card. Its names are in databases and are
// never changed.
type body struct {
	Version     int    `json:"v"`
	Brand       string `json:"brand,omitempty"`
	First6      string `json:"first6,omitempty"`
	Last4       string `json:"last4,omitempty"`
	ExpMonth    int    `json:"exp_month,omitempty"`
	ExpYear     int    `json:"exp_year,omitempty"`
	Holder      string `json:"holder,omitempty"`
	Fingerprint string `json:"fingerprint"`
	Country     string `json:"country,omitempty"`
	Funding     string `json:"funding,omitempty"`
	Present     bool   `json:"present,omitempty"`
	Simulate    string `json:"simulate,omitempty"`
}

func encode(m payment.Method) ([]byte, error) {
	return json.Marshal(body{
		Version: 1, Brand: m.Brand, First6: m.First6, Last4: m.Last4, ExpMonth: m.ExpMonth, ExpYear: m.ExpYear, Holder: m.Holder,
		Fingerprint: m.Fingerprint, Country: m.Country, Funding: m.Funding, Present: m.Present, Simulate: m.Simulate,
	})
}

func cardOf(paper *document.Document) (Card, error) {
	var b body
	if err := json.Unmarshal(paper.Body, &b); err != nil {
		return Card{}, fmt.Errorf("vault: read a card: %w", err)
	}
	return Card{
		Tenant: paper.Tenant, Merchant: paper.Merchant, Token: paper.ID, KeptAt: paper.CreatedAt, Expires: paper.Expires, paper: *paper,
		Method: payment.Method{
			Kind: payment.CardMethod, Brand: b.Brand, First6: b.First6, Last4: b.Last4, ExpMonth: b.ExpMonth, ExpYear: b.ExpYear,
			Holder: b.Holder, Fingerprint: b.Fingerprint, Country: b.Country, Funding: b.Funding, Present: b.Present, Simulate: b.Simulate,
		},
	}, nil
}

// MarshalText keeps tokens out of documents and logs.
func (c Card) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// GoString keeps tokens out of logs, whatever the verb.
func (c Card) GoString() string { return c.String() }

// String says which card it is, as far as anybody may know.
func (c Card) String() string {
	return strings.TrimSpace(c.Method.Brand + " " + c.Method.Last4)
}
