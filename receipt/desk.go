package receipt

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"log/slog"
	"net/http"
	"strings"

	"github.com/capstan-pay/capstan/keyring"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/payment"
)

// Path is what the shared receipt URLs begin with. No provider's API has a path
// that begins with an underscore.
const Path = "/_receipts/"

// Payments finds a merchant's payment as it is now, nil if he has none with
// that ID.
type Payments interface {
	Payment(ctx context.Context, tenant, merchant int64, id payment.ID) (*payment.Payment, error)
}

// Desk serves the receipts of all payments under one form of URL:
// /_receipts/ and 46 characters that nobody can make up. It keeps no table; a
// URL is good for as long as the payment is kept.
type Desk struct {
	Payments  Payments
	Merchants *merchant.Directory
	Keys      *keyring.Keyring
	Logger    *slog.Logger
	PublicURL string // without a slash at the end
	Sandbox   bool   // no payment moves real money

	// Name is what the merchant's API calls a payment; nil leaves it out.
	Name func(*payment.Payment) string
}

// URL is where the payer reads about an operation of a payment, or with
// operation 0 about the payment as it is when he looks.
func (d *Desk) URL(p *payment.Payment, operation int) string {
	return d.PublicURL + Path + d.token(p.Merchant, p.ID, operation)
}

// ServeHTTP answers GET and HEAD for the paths below Path. A token that is not
// ours, and one whose payment or merchant is gone, are not found alike.
func (d *Desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	found, err := d.find(r.Context(), strings.TrimPrefix(r.URL.Path, Path))
	if err == nil {
		err = Write(w, found)
	}
	if err != nil {
		d.Logger.Error("receipt failed", "error", err)
		http.Error(w, "Something went wrong on our side. Please try again.", http.StatusInternalServerError)
	}
}

func (d *Desk) find(ctx context.Context, token string) (*Receipt, error) {
	number, id, operation, ok := d.parse(token)
	if !ok {
		return nil, nil
	}
	m, err := d.Merchants.Merchant(ctx, number)
	if err != nil || m == nil { // one that is disabled still owes his payers their receipts
		return nil, err
	}
	p, err := d.Payments.Payment(ctx, m.Tenant, m.ID, id)
	if err != nil || p == nil || operation != 0 && p.Op(operation) == nil {
		return nil, err
	}
	found := Of(p, operation, &m.Merchant)
	found.Test = found.Test || d.Sandbox
	if d.Name != nil {
		found.Add("Payment", d.Name(p))
	}
	return &found, nil
}

// The bytes of a token: a keyed digest of what it names, then that, hidden
// under a keystream that the digest gives. So equal receipts have equal URLs,
// a URL tells nothing, and none can be made up.
const (
	nameSize  = 18 // merchant, payment, operation
	tagSize   = 16
	tagUse    = "receipt tag"
	streamUse = "receipt stream"
)

func (d *Desk) token(merchant int64, id payment.ID, operation int) string {
	var b [tagSize + nameSize]byte
	name := b[tagSize:]
	binary.BigEndian.PutUint64(name, uint64(merchant))
	binary.BigEndian.PutUint64(name[8:], uint64(id))
	binary.BigEndian.PutUint16(name[16:], uint16(operation))
	tag := d.Keys.MAC(tagUse, name)
	copy(b[:], tag[:tagSize])
	d.hide(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func (d *Desk) parse(token string) (merchant int64, id payment.ID, operation int, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) != tagSize+nameSize {
		return 0, 0, 0, false
	}
	d.hide(b)
	name := b[tagSize:]
	tag := d.Keys.MAC(tagUse, name)
	if !hmac.Equal(tag[:tagSize], b[:tagSize]) {
		return 0, 0, 0, false
	}
	return int64(binary.BigEndian.Uint64(name)), payment.ID(binary.BigEndian.Uint64(name[8:])), int(binary.BigEndian.Uint16(name[16:])), true
}

// hide covers the name in a token, or uncovers it.
func (d *Desk) hide(b []byte) {
	stream := d.Keys.MAC(streamUse, b[:tagSize])
	for i := range b[tagSize:] {
		b[tagSize+i] ^= stream[i]
	}
}
