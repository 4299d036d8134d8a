package intents

import (
	"encoding/binary"

	"github.com/capstan-pay/capstan/payment"
)

// note is what a replay needs besides the payment's history: it is kept with
// the idempotency key (payment.Request.Context).
type note struct {
	route   route
	shape   shape
	remark  remark
	request [requestLength]byte // name of the first exchange under the key

	payment payment.ID // in the path; 0 for none, or one that is no id of ours
	id      string     // in the path, where it is no id of ours
	named   string     // an object that a parameter named, or of a refund its amount in words

	status int    // of a finished answer; 0 is none
	body   []byte // the answer: an error that is not the state machine's, or a resource
	secret bool   // the answer shows a secret: it is encrypted before it is kept
}

// remark says what was special about a request.
type remark uint8

const (
	plain          remark = iota
	zeroAmount            // an amount of nothing was asked for
	negativeAmount        // one below nothing
	newAmount             // the intent's amount or currency was to change
	newMethod             // its payment method was to change
	concealed             // the answer is encrypted
	brokenUnit            // the amount has a part of the smallest unit that there is
)

// requestLength is the length of a request's name after its prefix.
const requestLength = 14

// noteVersion is the version of the form, and of the renderer: a change of
// either that would change a replay takes the next number and keeps this one.
const noteVersion = 1

const noteHead = 4 + requestLength + 8

// append appends the note's form.
func (n *note) append(b []byte) []byte {
	b = append(b, noteVersion, byte(n.route), byte(n.shape), byte(n.remark))
	b = append(b, n.request[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(n.payment))
	if n.id == "" && n.named == "" && n.status == 0 {
		return b
	}
	for _, text := range []string{n.id, n.named} {
		b = append(binary.AppendUvarint(b, uint64(len(text))), text...)
	}
	if n.status != 0 {
		b = append(binary.AppendUvarint(b, uint64(n.status)), n.body...)
	}
	return b
}

// read reads what append wrote, and tells whether it could.
func (n *note) read(b []byte) bool {
	*n = note{}
	if len(b) < noteHead || b[0] != noteVersion {
		return false
	}
	n.route, n.shape, n.remark = route(b[1]), shape(b[2]), remark(b[3])
	copy(n.request[:], b[4:])
	n.payment = payment.ID(binary.BigEndian.Uint64(b[4+requestLength:]))
	b = b[noteHead:]
	if len(b) == 0 {
		return true
	}
	for _, text := range []*string{&n.id, &n.named} {
		size, width := binary.Uvarint(b)
		if width <= 0 || size > uint64(len(b)-width) {
			return false
		}
		*text = string(b[width : width+int(size)])
		b = b[width+int(size):]
	}
	if len(b) > 0 {
		status, width := binary.Uvarint(b)
		if width <= 0 {
			return false
		}
		n.status, n.body = int(status), b[width:]
	}
	return true
}
