package intents

import (
	"bytes"
	"strconv"

	"github.com/capstan-pay/capstan/dialect"
)

// field is one part of what an intent was created with that only this dialect
// knows: a member of the document that is kept with the payment.
type field uint8

// The fields. Their values are kept as the compact JSON that they are shown
// as, so rendering an intent copies them. One that is missing has its default.
const (
	fieldCustomer field = iota
	fieldMetadata
	fieldShipping
	fieldTypes
	fieldOptions
	fieldConfirmation // confirmation_method
	fieldReturnURL
	fieldQuantity
	fieldMerchantUser
	fieldCaptureMethod
	fieldFutureUsage
	fieldAutomatic // automatic_payment_methods
	fieldStatement
	fieldStatementSuffix
	fieldOnBehalfOf
	fieldTransferData
	fieldTransferGroup
	fieldAmountDetails
	fieldAllowed
	fieldExcluded
	fieldBilling       // billing_details of the payment method
	fieldMethod        // number of the payment method, from 1
	fieldMethods       // the payment methods of earlier, failed attempts
	fieldSeen          // how many operations there were when the intent was last updated
	fieldAuthenticated // the operation whose payer has authenticated, where the server confirms again
	fieldStored        // id of the payment method, where it is a stored one
	fieldStoredOf      // the customer that it belonged to when it was chosen
	fieldClock         // the test clock that the intent lives on
	fieldClockAt       // what that clock showed when the intent was created, in seconds

	// Of operations, whose documents have the same form:

	fieldFlavour // "json" when the client that confirmed speaks JSON
	fieldAbsent  // why an attempt could not wait for the payer
	fieldReason  // of a cancellation
	fieldBase    // what the URL of a challenge begins with

	fieldCount
)

var fieldNames = [fieldCount]string{
	fieldCustomer: "customer", fieldMetadata: "metadata", fieldShipping: "shipping", fieldTypes: "types", fieldOptions: "options",
	fieldConfirmation: "confirmation_method", fieldReturnURL: "return_url", fieldQuantity: "quantity", fieldMerchantUser: "merchant_user_id",
	fieldCaptureMethod: "capture_method", fieldFutureUsage: "setup_future_usage", fieldAutomatic: "automatic_payment_methods",
	fieldStatement: "statement_descriptor", fieldStatementSuffix: "statement_descriptor_suffix", fieldOnBehalfOf: "on_behalf_of",
	fieldTransferData: "transfer_data", fieldTransferGroup: "transfer_group", fieldAmountDetails: "amount_details",
	fieldAllowed: "allowed", fieldExcluded: "excluded", fieldBilling: "billing", fieldMethod: "method", fieldMethods: "methods",
	fieldSeen: "seen", fieldAuthenticated: "authenticated", fieldStored: "stored", fieldStoredOf: "stored_of",
	fieldClock: "clock", fieldClockAt: "clock_at",
	fieldFlavour: "flavour", fieldAbsent: "absent", fieldReason: "reason", fieldBase: "base",
}

// detailsHead begins every document; the number is the version of its form.
const detailsHead = `{"v":1`

// details is the document, taken apart. The values are parts of the document
// it was read from and must not be changed.
type details [fieldCount][]byte

// read takes a document apart. What does not begin as one of ours is left
// alone: it is another dialect's.
func (d *details) read(document []byte) {
	*d = details{}
	if !bytes.HasPrefix(document, []byte(detailsHead)) {
		return
	}
	rest := document[len(detailsHead):]
	for len(rest) > 4 && rest[0] == ',' {
		end := bytes.IndexByte(rest[2:], '"')
		if end < 0 || len(rest) < end+5 {
			return
		}
		name, value := rest[2:2+end], rest[end+4:] // ,"name":value
		size := valueSize(value)
		for f := range fieldNames {
			if string(name) == fieldNames[f] {
				d[f] = value[:size]
				break
			}
		}
		rest = value[size:]
	}
}

// valueSize is the length of the JSON value that compact JSON begins with.
func valueSize(text []byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i
			}
			depth--
		case ',':
			if depth == 0 {
				return i
			}
		}
	}
	return len(text)
}

// orNil is the document of an operation: nil when there is nothing in it.
func (d *details) orNil() []byte {
	for _, value := range d {
		if value != nil {
			return d.document()
		}
	}
	return nil
}

// document puts the parts together again.
func (d *details) document() []byte {
	size := len(detailsHead) + 1
	for f, value := range d {
		if value != nil {
			size += len(fieldNames[f]) + len(value) + 4
		}
	}
	b := append(make([]byte, 0, size), detailsHead...)
	for f, value := range d {
		if value != nil {
			b = append(append(append(b, `,"`...), fieldNames[f]...), `":`...)
			b = append(b, value...)
		}
	}
	return append(b, '}')
}

// number is the value of a field that is a small whole number, otherwise if it
// is missing.
func (d *details) number(f field, otherwise int) int {
	if d[f] == nil {
		return otherwise
	}
	n, err := strconv.Atoi(string(d[f]))
	if err != nil {
		return otherwise
	}
	return n
}

func (d *details) setNumber(f field, n int) { d[f] = strconv.AppendInt(nil, int64(n), 10) }

// text is the value of a field that is a string, empty for null.
func (d *details) text(f field) string {
	if len(d[f]) == 0 || d[f][0] != '"' {
		return ""
	}
	s := scanner{text: string(d[f])}
	value, _ := s.str()
	return value
}

func (d *details) setText(f field, value string) { d[f] = dialect.AppendString(nil, value) }
