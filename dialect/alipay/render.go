package alipay

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/money"
)

// reply is an answer in the making: an object whose members are appended in
// the documented order. Absent values append nothing.
type reply struct {
	b    []byte
	zone *time.Location
}

// only is an answer of nothing but its result.
func only(r result) []byte {
	out := newReply(r, time.UTC)
	return out.done()
}

func newReply(r result, zone *time.Location) reply {
	b := append(make([]byte, 0, 640), `{"result":`...)
	return reply{b: appendResult(b, r), zone: zone}
}

func appendResult(b []byte, r result) []byte {
	b = append(append(b, `{"resultCode":"`...), r.code...)
	b = append(append(b, `","resultStatus":"`...), r.status...)
	b = append(append(b, `","resultMessage":"`...), r.message...)
	return append(b, `"}`...)
}

// newMessage begins an object that has no result of its own.
func newMessage(zone *time.Location) reply {
	return reply{b: append(make([]byte, 0, 640), '{'), zone: zone}
}

func (r *reply) name(name string) {
	if r.b[len(r.b)-1] != '{' {
		r.b = append(r.b, ',')
	}
	r.b = append(append(append(r.b, '"'), name...), `":`...)
}

func (r *reply) result(name string, what result) {
	r.name(name)
	r.b = appendResult(r.b, what)
}

func (r *reply) text(name, value string) {
	if value == "" {
		return
	}
	r.name(name)
	r.b = dialect.AppendString(r.b, value)
}

func (r *reply) amount(name string, minor int64, currency money.Currency) {
	r.name(name)
	r.b = appendAmount(r.b, minor, currency)
}

// appendAmount appends an Amount: value before currency, in the order of the
// samples.
func appendAmount(b []byte, minor int64, currency money.Currency) []byte {
	b = dialect.AppendInt(append(b, `{"value":"`...), minor)
	b = append(append(b, `","currency":"`...), currency...)
	return append(b, `"}`...)
}

func (r *reply) time(name string, t time.Time) {
	if t.IsZero() {
		return
	}
	r.name(name)
	r.b = append(appendTime(append(r.b, '"'), t, r.zone), '"')
}

func (r *reply) raw(name string, value json.RawMessage) {
	if value == nil {
		return
	}
	r.name(name)
	r.b = append(r.b, value...)
}

func (r *reply) done() []byte { return append(r.b, '}') }

// replyContext is what shapes an answer and is not in the payment's history.
// It is kept with the request's key, so that a repeat gets the same bytes.
type replyContext struct {
	zone    *time.Location
	grant   grantState
	cashier string          // pay: where the payer confirms
	extend  json.RawMessage // extendInfo
}

// grantState is what pay found wrong with the access token or the payment
// code.
type grantState byte

const (
	grantUnseen  grantState = iota // none was given, or it was good as far as pay could see
	grantExpired                   // a token: known, not revoked, and past its time
	codeInvalid                    // a payment code: unknown, or past its time
	codeUsed                       // a payment code that another request has used
)

// result is what is said of it; false is nothing.
func (g grantState) result() (result, bool) {
	switch g {
	case grantExpired:
		return expiredAccessToken, true
	case codeInvalid:
		return invalidCode, true
	case codeUsed:
		return codeAlreadyUsed, true
	}
	return result{}, false
}

// contextVersion is the version of the renderer: answers that were given by
// an earlier one must come out the same.
const contextVersion = 1

// encode returns the context in bytes; nil is version 1, UTC and nothing else.
func (c replyContext) encode() []byte {
	minutes := minutesEast(c.zone)
	if minutes == 0 && c.grant == grantUnseen && c.cashier == "" && c.extend == nil {
		return nil
	}
	b := append(make([]byte, 0, 8+len(c.cashier)+len(c.extend)), contextVersion)
	b = binary.AppendVarint(b, int64(minutes))
	b = append(b, byte(c.grant))
	b = binary.AppendUvarint(b, uint64(len(c.cashier)))
	b = append(b, c.cashier...)
	return append(b, c.extend...)
}

var errContext = errors.New("alipay: unreadable reply context")

// decodeContext reads what encode wrote.
func decodeContext(b []byte) (replyContext, error) {
	c := replyContext{zone: time.UTC}
	if len(b) == 0 {
		return c, nil
	}
	if b[0] != contextVersion {
		return c, errContext
	}
	minutes, n := binary.Varint(b[1:])
	if n <= 0 || len(b) < n+2 {
		return c, errContext
	}
	c.zone, c.grant, b = fixedZone(int(minutes)), grantState(b[n+1]), b[n+2:]
	length, n := binary.Uvarint(b)
	if n <= 0 || length > uint64(len(b)-n) {
		return c, errContext
	}
	c.cashier, b = string(b[n:n+int(length)]), b[n+int(length):]
	if len(b) > 0 {
		c.extend = json.RawMessage(b)
	}
	return c, nil
}
