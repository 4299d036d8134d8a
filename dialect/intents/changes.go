package intents

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/money"
	"github.com/capstan-pay/capstan/wireid"
)

// changes is what a create, update or confirm sets, checked as far as that is
// possible without the intent.
type changes struct {
	amount   *int64 // as on the wire
	currency money.Currency
	fee      *int64 // as on the wire

	description, email, order *string

	capture      string // capture_method; empty leaves it
	confirmation string // confirmation_method
	types        []string
	typed        bool
	options      []param
	metadata     []byte // a patch
	fields       details
	set          [fieldCount]bool // which of fields were sent; a nil one unsets

	card   *newCard
	detach bool        // payment_method was unset
	named  string      // payment_method, where it is an id; it must be the intent's own
	names  wireid.Name // what that id stands for

	late *problem // found at the decision
}

// Bounds of amounts and texts.
const (
	maxAmount      = 99_999_999 // eight digits (seed)
	maxText        = 5000
	maxDescription = 1000
	maxDescriptor  = 22
)

// common reads what create and update have in common.
func (c *changes) common(x *exchange) {
	p := &x.params
	if n, sent := p.integer("amount"); sent {
		switch {
		case n < 1:
			p.fail(&problem{status: 400, code: "parameter_invalid_integer", param: "amount", message: "This value must be greater than or equal to 1."})
		case n > maxAmount:
			p.fail(&problem{status: 400, code: "amount_too_large", param: "amount", message: "Amount must be no more than $999,999.99"})
		}
		c.amount = &n
	}
	if code, sent := p.text("currency", maxText); sent {
		var ok bool
		if c.currency, ok = parseCurrency(code); !ok {
			p.fail(invalid("currency", "Invalid currency: "+strings.ToLower(quotable(code))+". Supported currencies are: "+supportedCurrencies()+"."))
		}
	}
	if p.unset("application_fee_amount") {
		c.fee = new(int64)
	} else if n, sent := p.integer("application_fee_amount"); sent {
		if n < 0 || c.amount != nil && n > *c.amount {
			p.fail(invalid("application_fee_amount", "The application fee must not be negative or greater than the amount."))
		}
		c.fee = &n
	}
	c.description = p.optional("description", maxDescription)
	c.order = p.optional("merchant_order_id", 255)
	c.metadata = p.metadata()
	c.string(p, fieldMerchantUser, "merchant_user_id", 255)
	c.string(p, fieldStatement, "statement_descriptor", maxDescriptor)
	c.string(p, fieldStatementSuffix, "statement_descriptor_suffix", maxDescriptor)
	c.string(p, fieldTransferGroup, "transfer_group", 255)
	if p.unset("quantity") {
		c.put(fieldQuantity, nil)
	} else if n, sent := p.integer("quantity"); sent {
		c.put(fieldQuantity, strconv.AppendInt(nil, n, 10))
	}
	c.readTransfer(p)
	c.confirmable(x)
	p.ignore("amount_details", "payment_details", "hooks", "payment_method_configuration")
}

// confirmable reads what confirm may set, too.
func (c *changes) confirmable(x *exchange) {
	p := &x.params
	c.capture, _ = p.enum("capture_method", "automatic", "automatic_async", "manual")
	c.email = p.optional("receipt_email", 512)
	c.readTypes(p)
	c.options = p.options()
	if word, sent := p.enum("setup_future_usage", "off_session", "on_session", ""); sent {
		c.putText(fieldFutureUsage, word)
	}
	c.readShipping(p)
	c.readMethod(x)
}

// readReturnURL reads where the payer is sent back to.
func (c *changes) readReturnURL(p *params) {
	if text, sent := p.text("return_url", maxText); sent {
		if !validURL(text) && text != "" {
			p.fail(&problem{status: 400, code: "url_invalid", param: "return_url", message: "Not a valid URL"})
		}
		c.putText(fieldReturnURL, text)
	}
}

// validURL tells whether a payer may be sent to a URL: it is absolute, and no
// script.
func validURL(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Host == "" && u.Path == "" && u.Opaque == "" {
		return false
	}
	switch u.Scheme {
	case "javascript", "data", "vbscript", "file", "blob":
		return false
	case "http", "https":
		return u.Host != ""
	}
	return true
}

func (c *changes) put(f field, raw []byte) { c.fields[f], c.set[f] = raw, true }

// putText sets a field to a string; the empty one unsets it.
func (c *changes) putText(f field, text string) {
	if text == "" {
		c.put(f, nil)
		return
	}
	c.put(f, dialect.AppendString(nil, text))
}

func (c *changes) string(p *params, f field, name string, limit int) {
	if text, sent := p.text(name, limit); sent {
		c.putText(f, text)
	}
}

// optional reads a string that may be unset by an empty one; nil is not sent.
func (p *params) optional(name string, limit int) *string {
	if text, sent := p.text(name, limit); sent {
		return &text
	}
	return nil
}

// readTypes reads the lists of kinds of payment method. Which kinds there are
// is not closed: they are words.
func (c *changes) readTypes(p *params) {
	for _, list := range []struct {
		name  string
		field field
	}{{"payment_method_types", fieldTypes}, {"allowed_payment_method_types", fieldAllowed}, {"excluded_payment_method_types", fieldExcluded}} {
		words, sent := p.words(list.name, 50)
		if !sent {
			continue
		}
		raw := []byte{'['}
		for i, word := range words {
			if strings.Trim(word, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" || word == "" {
				p.fail(invalid(list.name, "Invalid "+list.name+": '"+masked(word)+"' is no type of payment method."))
			}
			if i > 0 {
				raw = append(raw, ',')
			}
			raw = dialect.AppendString(raw, word)
		}
		if len(words) == 0 {
			c.put(list.field, nil)
		} else {
			c.put(list.field, append(raw, ']'))
		}
		if list.field == fieldTypes {
			c.types, c.typed = words, true
		}
	}
}

func (c *changes) readTransfer(p *params) {
	if !p.has("transfer_data") {
		return
	}
	if p.cleared("transfer_data") {
		c.put(fieldTransferData, nil)
		return
	}
	raw := []byte{'{'}
	if n, sent := p.integer("transfer_data[amount]"); sent {
		raw = append(strconv.AppendInt(append(raw, `"amount":`...), n, 10), ',')
	}
	destination, _ := p.text("transfer_data[destination]", 255)
	raw = dialect.AppendString(append(raw, `"destination":`...), destination)
	c.put(fieldTransferData, append(raw, '}'))
}

var (
	addressMembers  = []string{"city", "country", "line1", "line2", "postal_code", "state"}
	shippingMembers = []string{"carrier", "name", "phone", "tracking_number"} // in the seed's order
	billingMembers  = []string{"email", "name", "phone", "tax_id"}
)

func (c *changes) readShipping(p *params) {
	if !p.has("shipping") {
		return
	}
	if p.cleared("shipping") {
		c.put(fieldShipping, nil)
		return
	}
	c.put(fieldShipping, p.addressed("shipping", shippingMembers))
}

// addressed reads an object that has an address and other strings; members
// that were not sent are null.
func (p *params) addressed(name string, members []string) []byte {
	raw := append([]byte(`{"address":`), p.address(name+"[address]")...)
	for _, member := range members {
		text, _ := p.text(name+"["+member+"]", maxText)
		raw = dialect.AppendStringOrNull(append(dialect.AppendString(append(raw, ','), member), ':'), text)
	}
	return append(raw, '}')
}

// address reads an address; members that were not sent are null.
func (p *params) address(name string) []byte {
	raw := []byte{'{'}
	for i, member := range addressMembers {
		if i > 0 {
			raw = append(raw, ',')
		}
		text, _ := p.text(name+"["+member+"]", maxText)
		raw = dialect.AppendStringOrNull(append(dialect.AppendString(raw, member), ':'), text)
	}
	return append(raw, '}')
}
