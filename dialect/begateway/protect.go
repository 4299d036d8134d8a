package begateway

import (
	"errors"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/payment"
)

// verification is what beProtected found about a transaction (section 5), read
// from the document that the risk checks left with the operation. What they
// found is in it word for word; what else they keep there is not shown.
type verification struct {
	failed  bool
	message string
	limit   value
	lists   value
	rules   value
}

var errVerdict = errors.New("begateway: the risk checks left no JSON object")

// readVerification reads the document of an operation's screening; nil if it
// was not screened.
func readVerification(screening []byte) (*verification, error) {
	if len(screening) == 0 {
		return nil, nil
	}
	doc, ok := readDocument(screening)
	if !ok || !doc.isObject() {
		return nil, errVerdict
	}
	c := &verification{}
	doc.members(func(name string, v value) {
		switch name {
		case "status":
			c.failed = v.text() == statusFailed
		case "message":
			c.message = v.text()
		case "limit":
			c.limit = v
		case "white_black_list":
			c.lists = v
		case "rules":
			c.rules = v
		}
	})
	return c, nil
}

// stopped tells whether the checks kept an operation from its processor.
func (c *verification) stopped() bool { return c != nil && c.failed }

// append appends the section; the members after the message are there if they
// were checked.
func (c *verification) append(b []byte) []byte {
	status := statusSuccessful
	if c.failed {
		status = statusFailed
	}
	b = dialect.AppendString(append(b, `{"status":`...), status)
	if c.failed {
		b = dialect.AppendString(append(b, `,"message":`...), c.message)
	}
	for _, part := range []struct {
		name string
		raw  value
	}{{`,"limit":`, c.limit}, {`,"white_black_list":`, c.lists}, {`,"rules":`, c.rules}} {
		if len(part.raw) > 0 {
			b = append(append(b, part.name...), part.raw...)
		}
	}
	return append(b, '}')
}

// verification is what beProtected found about a payment of the core: at its
// capture if it is a sale and was screened again there.
func (v view) verification() (*verification, error) {
	if v.last == nil {
		return nil, nil
	}
	screening := v.last.Answer.Screening
	if auth := v.Authorization(); len(screening) == 0 && v.last.Kind == payment.OpCapture {
		screening = auth.Answer.Screening
	}
	return readVerification(screening)
}
