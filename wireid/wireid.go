// Package wireid renders internal names as the ids that dialects show, and
// reads them back.
//
// A name is 128 bits, encrypted as one AES block under a key of the store. So
// ids look random, tell nothing about time or volume, cannot be made up, and
// need no look-up table: reading an id is decrypting it.
package wireid

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"encoding/hex"
	"io"
	"math/bits"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/payment"
)

// Kind says what an id names. The same payment or operation may have several
// ids, one for each kind of object that a dialect makes of it.
type Kind uint8

// The kinds of object.
const (
	_             Kind = iota
	Payment            // the payment as a whole
	Operation          // one operation of it
	Charge             // intents: the charge of an authorization attempt
	Refund             // a refund, or the release of the rest by a capture
	PaymentMethod      // the method of a payment
	Record             // wepay: a transaction record
	Merchant           // a merchant; Payment is the merchant's number
	Customer
	Other
	Notice // of an event; Operation is the version of the payment, Part the notice's number
)

// Name is what an id stands for.
type Name struct {
	Kind      Kind
	Payment   payment.ID
	Operation int // 0 is none; below 65536
	Part      int // where an operation has several objects of one kind; below 256
}

// Codec renders and reads ids. It is safe for concurrent use.
type Codec struct{ block cipher.Block }

// New returns the codec of a 16-byte key.
func New(key []byte) *Codec {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the key's length is a constant of ours
	}
	return &Codec{block: block}
}

func (c *Codec) encrypt(n Name) (b [16]byte) {
	binary.BigEndian.PutUint64(b[:8], uint64(n.Payment))
	binary.BigEndian.PutUint16(b[8:], uint16(n.Operation))
	b[10], b[11] = byte(n.Kind), byte(n.Part)
	c.block.Encrypt(b[:], b[:])
	return b
}

func (c *Codec) decrypt(b [16]byte) (Name, bool) {
	c.block.Decrypt(b[:], b[:])
	n := Name{
		Payment: payment.ID(binary.BigEndian.Uint64(b[:8])), Operation: int(binary.BigEndian.Uint16(b[8:])),
		Kind: Kind(b[10]), Part: int(b[11]),
	}
	return n, b[12]|b[13]|b[14]|b[15] == 0 && n.Kind != 0 && n.Kind <= Notice && n.Payment > 0
}

// UUID renders 8-4-4-4-12 lower-case hexadecimal digits.
func (c *Codec) UUID(n Name) string {
	return string(c.AppendUUID(make([]byte, 0, 36), n))
}

// AppendUUID appends what UUID renders.
func (c *Codec) AppendUUID(to []byte, n Name) []byte { return appendUUID(to, c.encrypt(n)) }

// RandomUUID returns a UUID of version 4 that stands for nothing.
func RandomUUID(random io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", err
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return string(appendUUID(nil, b)), nil
}

func appendUUID(to []byte, b [16]byte) []byte {
	var s [36]byte
	hex.Encode(s[:8], b[:4])
	hex.Encode(s[9:13], b[4:6])
	hex.Encode(s[14:18], b[6:8])
	hex.Encode(s[19:23], b[8:10])
	hex.Encode(s[24:], b[10:])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return append(to, s[:]...)
}

// ParseUUID reads what UUID rendered, to the letter.
func (c *Codec) ParseUUID(s string) (Name, bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' || strings.ToLower(s) != s {
		return Name{}, false
	}
	raw, err := hex.DecodeString(s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:])
	if err != nil {
		return Name{}, false
	}
	return c.decrypt([16]byte(raw))
}

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// base62Lead makes 24 characters of the 22 that 128 bits need.
const base62Lead = "3C"

// Base62 renders prefix and 24 alphanumeric characters.
func (c *Codec) Base62(prefix string, n Name) string {
	return string(c.AppendBase62(make([]byte, 0, 32), prefix, n))
}

// AppendBase62 appends what Base62 renders.
func (c *Codec) AppendBase62(to []byte, prefix string, n Name) []byte {
	b := c.encrypt(n)
	hi, lo, low := divide(binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:]), pow62)
	_, high, middle := divide(hi, lo, pow62)
	var s [22]byte
	base62(s[12:], low) // ten digits each, so that the divisions are by a constant
	base62(s[2:12], middle)
	base62(s[:2], high)
	to = append(append(to, prefix...), base62Lead...)
	return append(to, s[:]...)
}

// pow62 is 62 to the tenth, the largest power in 64 bits.
const pow62 = 839299365868340224

func base62(s []byte, n uint64) {
	for i := len(s) - 1; i >= 0; i-- {
		s[i] = alphabet[n%62]
		n /= 62
	}
}

// ParseBase62 reads what Base62 rendered with the same prefix.
func (c *Codec) ParseBase62(prefix, s string) (Name, bool) {
	digits, ok := strings.CutPrefix(s, prefix+base62Lead)
	if !ok || len(digits) != 22 {
		return Name{}, false
	}
	return c.parse(digits, alphabet)
}

// Digits renders the day as yyyymmdd and 39 decimal digits.
func (c *Codec) Digits(n Name, day time.Time) string {
	b := c.encrypt(n)
	var s [39]byte
	hi, lo := binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
	for i := len(s) - 1; i >= 0; i-- {
		var digit uint64
		hi, lo, digit = divide(hi, lo, 10)
		s[i] = byte('0' + digit)
	}
	return string(append(day.UTC().AppendFormat(nil, "20060102"), s[:]...))
}

// ParseDigits reads what Digits rendered. It does not look at the day: the
// caller who cares renders the name again and compares.
func (c *Codec) ParseDigits(s string) (Name, bool) {
	if len(s) != 8+39 {
		return Name{}, false
	}
	return c.parse(s[8:], alphabet[:10])
}

// Hyphenated renders a decimal number, a hyphen and ten lower-case hexadecimal
// digits.
func (c *Codec) Hyphenated(n Name) string {
	b := c.encrypt(n)
	hi, lo := uint64(b[0])<<16|uint64(b[1])<<8|uint64(b[2]), binary.BigEndian.Uint64(b[3:11])
	var s [27]byte
	at := len(s)
	for hi|lo != 0 || at == len(s) {
		var digit uint64
		hi, lo, digit = divide(hi, lo, 10)
		at--
		s[at] = byte('0' + digit)
	}
	return string(s[at:]) + "-" + hex.EncodeToString(b[11:])
}

// ParseHyphenated reads what Hyphenated rendered, to the letter.
func (c *Codec) ParseHyphenated(s string) (Name, bool) {
	decimal, tail, ok := strings.Cut(s, "-")
	if !ok || len(tail) != 10 || strings.ToLower(tail) != tail || len(decimal) > 27 || decimal == "" || (decimal[0] == '0' && decimal != "0") {
		return Name{}, false
	}
	hi, lo, ok := parseNumber(decimal, alphabet[:10])
	if !ok || hi>>24 != 0 {
		return Name{}, false
	}
	var b [16]byte
	b[0], b[1], b[2] = byte(hi>>16), byte(hi>>8), byte(hi)
	binary.BigEndian.PutUint64(b[3:11], lo)
	if _, err := hex.Decode(b[11:], []byte(tail)); err != nil {
		return Name{}, false
	}
	return c.decrypt(b)
}

func (c *Codec) parse(digits, alphabet string) (Name, bool) {
	hi, lo, ok := parseNumber(digits, alphabet)
	if !ok {
		return Name{}, false
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], hi)
	binary.BigEndian.PutUint64(b[8:], lo)
	return c.decrypt(b)
}

// parseNumber reads a 128-bit number in the base of its alphabet.
func parseNumber(digits, alphabet string) (hi, lo uint64, ok bool) {
	base := uint64(len(alphabet))
	for i := range len(digits) {
		digit := strings.IndexByte(alphabet, digits[i])
		if digit < 0 {
			return 0, 0, false
		}
		over, top := bits.Mul64(hi, base)
		carry, bottom := bits.Mul64(lo, base)
		bottom, c := bits.Add64(bottom, uint64(digit), 0)
		top, c = bits.Add64(top, carry, c)
		if over != 0 || c != 0 {
			return 0, 0, false
		}
		hi, lo = top, bottom
	}
	return hi, lo, true
}

// divide divides a 128-bit number by a small one.
func divide(hi, lo, by uint64) (qhi, qlo, rest uint64) {
	qhi, rest = hi/by, hi%by
	qlo, rest = bits.Div64(rest, lo, by)
	return qhi, qlo, rest
}

// Parse reads an id in any of the forms, with whatever prefix: for operators,
// who are given ids of all dialects.
func (c *Codec) Parse(s string) (Name, bool) {
	for _, parse := range []func(string) (Name, bool){
		c.ParseUUID, c.ParseDigits, c.ParseHyphenated,
		func(s string) (Name, bool) { return c.ParseBase62(s[:strings.LastIndexByte(s, '_')+1], s) },
	} {
		if n, ok := parse(s); ok {
			return n, true
		}
	}
	return Name{}, false
}

// merchantPrefix is what the names of merchants begin with.
const merchantPrefix = "mer_"

// Merchant renders a merchant's number as the operator's tools and the sandbox
// call him.
func (c *Codec) Merchant(number int64) string {
	return c.Base62(merchantPrefix, Name{Kind: Merchant, Payment: payment.ID(number)})
}

// ParseMerchant reads what Merchant rendered.
func (c *Codec) ParseMerchant(s string) (number int64, ok bool) {
	n, ok := c.ParseBase62(merchantPrefix, s)
	return int64(n.Payment), ok && n == Name{Kind: Merchant, Payment: n.Payment}
}
