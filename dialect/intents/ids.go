package intents

import (
	"crypto/subtle"
	"encoding/binary"

	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/wireid"
)

// What ids begin with.
const (
	intentPrefix  = "pi_"
	chargePrefix  = "ch_"
	refundPrefix  = "re_"
	methodPrefix  = "pm_"
	balancePrefix = "txn_"
)

func (d *Dialect) appendIntentID(b []byte, id payment.ID) []byte {
	return d.IDs.AppendBase62(b, intentPrefix, wireid.Name{Kind: wireid.Payment, Payment: id})
}

func (d *Dialect) appendChargeID(b []byte, id payment.ID, attempt int) []byte {
	return d.IDs.AppendBase62(b, chargePrefix, wireid.Name{Kind: wireid.Charge, Payment: id, Operation: attempt})
}

func (d *Dialect) appendMethodID(b []byte, id payment.ID, number int) []byte {
	return d.IDs.AppendBase62(b, methodPrefix, wireid.Name{Kind: wireid.PaymentMethod, Payment: id, Operation: number})
}

// appendRefundID appends the id of what gave money back: an operation, or with
// 0 the deadline.
func (d *Dialect) appendRefundID(b []byte, id payment.ID, operation int) []byte {
	return d.IDs.AppendBase62(b, refundPrefix, wireid.Name{Kind: wireid.Refund, Payment: id, Operation: operation})
}

func (d *Dialect) appendBalanceID(b []byte, id payment.ID, operation int) []byte {
	return d.IDs.AppendBase62(b, balancePrefix, wireid.Name{Kind: wireid.Other, Payment: id, Operation: operation})
}

// parse reads an id of the given kind.
func (d *Dialect) parse(prefix string, kind wireid.Kind, id string) (wireid.Name, bool) {
	name, ok := d.IDs.ParseBase62(prefix, id)
	return name, ok && name.Kind == kind && name.Part == 0
}

// PaymentID is how the dialect calls a payment; empty for one that it has no
// words for: one paid by a wallet, in a currency the wire does not have, or of
// more than eight digits.
func (d *Dialect) PaymentID(p *payment.Payment) string {
	if !expressible(p) {
		return ""
	}
	return string(d.appendIntentID(nil, p.ID))
}

// ParsePaymentID reads what PaymentID rendered.
func (d *Dialect) ParsePaymentID(id string) (payment.ID, bool) {
	name, ok := d.parse(intentPrefix, wireid.Payment, id)
	return name.Payment, ok && name.Operation == 0
}

// expressible tells whether the wire has words for a payment. Another dialect
// may have moved a part of the smallest unit that a currency has here.
func expressible(p *payment.Payment) bool {
	if p.Method.Kind == payment.WalletMethod || p.Method.Kind == payment.PayeeCard || unsupported[p.Currency] {
		return false
	}
	units := scaleOf(p.Currency)
	if units.wire(p.Amount) > maxAmount {
		return false
	}
	per := units.per
	return per == 1 || p.Amount%per == 0 && p.Captured%per == 0 && p.Voided%per == 0 && p.Refunded%per == 0
}

const secretLength = 25

// appendSecret appends an intent's client secret: its id, "_secret_" and 25
// alphanumeric characters that follow from it under a key of the store.
func (d *Dialect) appendSecret(b []byte, id payment.ID, rendered []byte) []byte {
	raw := binary.BigEndian.AppendUint64(make([]byte, 0, 8), uint64(id))
	sum := d.Keys.MAC("intents client secret", raw)
	b = append(append(b, rendered...), "_secret_"...)
	for _, c := range sum[:secretLength] {
		b = append(b, alphanumeric[c%62])
	}
	return b
}

const alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func (d *Dialect) secret(id payment.ID) []byte {
	return d.appendSecret(nil, id, d.appendIntentID(nil, id))
}

// secretFits tells whether a client secret is the one of an intent.
func (d *Dialect) secretFits(id payment.ID, secret string) bool {
	return subtle.ConstantTimeCompare(d.secret(id), []byte(secret)) == 1
}
