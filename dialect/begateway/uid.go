package begateway

import (
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"strings"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/wireid"
)

// uidPart marks the names behind uids, so that another dialect's id, which
// stands for the same payment, never is one in another spelling.
const uidPart = 0xBE

// uidLimit is how long a uid that a caller sends may be.
const uidLimit = 64

// transaction is what a uid stands for: an authorization or a payment, which
// are payments of the core, or an operation on one.
type transaction struct {
	payment   payment.ID
	operation int // 0 is the payment itself
}

func (d *Dialect) uid(t transaction) string {
	kind := wireid.Payment
	if t.operation != 0 {
		kind = wireid.Operation
	}
	return d.IDs.Hyphenated(wireid.Name{Kind: kind, Payment: t.payment, Operation: t.operation, Part: uidPart})
}

func (d *Dialect) parseUID(uid string) (transaction, bool) {
	if len(uid) > uidLimit {
		return transaction{}, false
	}
	n, ok := d.IDs.ParseHyphenated(uid)
	known := n.Kind == wireid.Payment && n.Operation == 0 || n.Kind == wireid.Operation && n.Operation > 0
	return transaction{n.Payment, n.Operation}, ok && known && n.Part == uidPart
}

// PaymentID returns the uid of a payment, empty if it was not paid by card.
func (d *Dialect) PaymentID(p *payment.Payment) string {
	if !expressible(p) {
		return ""
	}
	return d.uid(transaction{payment: p.ID})
}

// ParsePaymentID reads the uid of any transaction and returns the payment it
// belongs to.
func (d *Dialect) ParsePaymentID(uid string) (payment.ID, bool) {
	t, ok := d.parseUID(uid)
	return t.payment, ok
}

// expressible tells whether this API, which is one for cards, can show a
// payment.
func expressible(p *payment.Payment) bool { return p.Method.Kind == payment.CardMethod || isCredit(p) }

// isCredit tells whether a payment of the core goes to the card.
func isCredit(p *payment.Payment) bool { return p.Method.Kind == payment.PayeeCard }

// receiptPurpose keys the hash in receipt URLs, receiptMAC is how many of its
// bytes are an HMAC.
const (
	receiptPurpose = "begateway receipt"
	receiptMAC     = 24
)

// receiptURL is where the payer reads about a transaction (section 8.4). The
// last part is 64 hexadecimal digits that nobody can make up: 24 bytes of an
// HMAC of the uid, then the shop's number, hidden under the other eight. So
// the page finds whose transaction it is without a table.
func (d *Dialect) receiptURL(s *shop, uid string) string {
	sum := d.Keys.MAC(receiptPurpose, []byte(uid))
	pad := sum[receiptMAC:]
	binary.BigEndian.PutUint64(pad, binary.BigEndian.Uint64(pad)^uint64(s.number))
	return d.PublicURL + receiptPath + uid + "/" + hex.EncodeToString(sum[:])
}

// parseReceipt returns the number of the shop whose receipt a hash opens, and
// whether it opens one.
func (d *Dialect) parseReceipt(uid, hash string) (shop int64, ok bool) {
	got, err := hex.DecodeString(hash)
	if err != nil || len(got) != 32 || strings.ToLower(hash) != hash {
		return 0, false
	}
	sum := d.Keys.MAC(receiptPurpose, []byte(uid))
	if subtle.ConstantTimeCompare(got[:receiptMAC], sum[:receiptMAC]) != 1 {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(got[receiptMAC:]) ^ binary.BigEndian.Uint64(sum[receiptMAC:])), true
}
