// Package alipay is under construction.
package alipay

import (
	"context"
	"net/http"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/payment"
)

// Name is the label of this dialect.
const Name = "alipay"

// Dialect serves the API.
type Dialect struct{ dialect.Services }

// New returns the dialect on its services.
func New(s dialect.Services) *Dialect { return &Dialect{s} }

// Name returns "alipay".
func (d *Dialect) Name() string { return Name }

// ServeHTTP answers a request.
func (d *Dialect) ServeHTTP(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }

// Issue makes credentials for a new merchant.
func (d *Dialect) Issue(context.Context, merchant.Merchant) ([]merchant.Credential, any, error) {
	return nil, nil, nil
}

// PaymentID is how the dialect calls a payment.
func (d *Dialect) PaymentID(*payment.Payment) string { return "" }

// ParsePaymentID reads what PaymentID rendered.
func (d *Dialect) ParsePaymentID(string) (payment.ID, bool) { return 0, false }
