package begateway

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/payment"
)

const (
	textLimit = 255  // characters of a description, a reason and a tracking id
	urlLimit  = 2048 // characters of a URL
)

// operation is what differs between the three that refer to a parent.
type operation struct {
	kind       payment.OperationKind
	name       string // the transaction's type, and the name of its section
	impossible string // the text for a parent whose state forbids it
	declined   string // the transaction's message
	pending    string // the same, while the outcome is unknown

	// parent tells whether a payment of the core may be the parent, or have
	// it among its operations.
	parent func(*payment.Payment) bool
}

var (
	captureOperation = operation{payment.OpCapture, "capture", textNoCapture, "Capture was declined", "Capture is being processed", isAuthorization}
	voidOperation    = operation{payment.OpVoid, "void", textNoVoid, "Void was declined", "Void is being processed", isAuthorization}
	refundOperation  = operation{payment.OpRefund, "refund", textNoRefund, "Refund was declined", "Refund is being processed", expressible}
)

// isAuthorization tells whether a payment of the core is an authorization
// here. Of one that is captured at once, and of one that goes to the card, there
// is nothing to capture or void.
func isAuthorization(p *payment.Payment) bool {
	return expressible(p) && !p.Policy.AutoCapture && !isCredit(p)
}

// has tells whether a transaction may be named as the parent: payment p itself,
// or its operation with the given number.
func (o operation) has(p *payment.Payment, number int) bool {
	if p == nil || !o.parent(p) {
		return false
	}
	return number == 0 || o.kind == payment.OpRefund && isTransaction(p, number)
}

// childRequest is what captures, voids and refunds are asked with.
type childRequest struct {
	parentUID  string
	parent     transaction
	amount     int64
	duplicates time.Duration // the window in which this request would be one; 0 is none
	tracking   string
	details    childDetails
}

// childDetails are what is kept of a request and shown again, or used later.
type childDetails struct {
	Version         int    `json:"v"`
	Reason          string `json:"reason,omitempty"`
	NotificationURL string `json:"notification_url,omitempty"`
}

// encode is the document kept with the operation; nil if there is nothing to
// keep.
func (c childDetails) encode() []byte {
	if c.Reason == "" && c.NotificationURL == "" {
		return nil
	}
	b := append([]byte(nil), `{"v":1`...)
	if c.Reason != "" {
		b = dialect.AppendString(append(b, `,"reason":`...), c.Reason)
	}
	if c.NotificationURL != "" {
		b = dialect.AppendString(append(b, `,"notification_url":`...), c.NotificationURL)
	}
	return append(b, '}')
}

// decodeChildDetails reads an operation's details; they are empty if another
// dialect asked for it.
func decodeChildDetails(op *payment.Operation) (c childDetails, err error) {
	if op.Dialect != Name || len(op.Details) == 0 {
		return c, nil
	}
	if err = json.Unmarshal(op.Details, &c); err != nil {
		return c, fmt.Errorf("begateway: details of operation %d: %w", op.Number, err)
	}
	return c, nil
}

// decodeChild reads the request object of a capture, void or refund, with all
// that is wrong with it by itself. Members that are not of this API are
// ignored, a currency too: it is always the parent's.
func decodeChild(request value, o operation) (in childRequest, wrong faults) {
	var total, check, parent value
	request.members(func(name string, v value) {
		switch name {
		case "parent_uid":
			parent = v
		case "amount":
			total = v
		case "duplicate_check":
			check = v
		case "tracking_id":
			in.tracking = optional(v)
		case "notification_url":
			in.details.NotificationURL = optional(v)
		case "reason":
			in.details.Reason = optional(v)
		}
	})
	if parent.blank() {
		wrong.add(parentUID, textBlank)
	}
	in.parentUID = parent.text()
	minor, text := readAmount(total)
	if in.amount = minor; text != "" {
		wrong.add(amount, text)
	}
	if o.kind != payment.OpRefund {
		in.details.Reason = ""
	} else {
		wrong.required(reason, in.details.Reason, textLimit)
	}
	in.duplicates = readDuplicateCheck(check, &wrong)
	wrong.bounded(trackingID, in.tracking, textLimit)
	wrong.bounded(notificationURL, in.details.NotificationURL, urlLimit)
	return in, wrong
}

// optional is the text of a member that need not be there: empty where there
// is nothing.
func optional(v value) string {
	if v.blank() {
		return ""
	}
	return v.text()
}

// readDuplicateCheck returns the window in which a request is a duplicate.
func readDuplicateCheck(v value, wrong *faults) time.Duration {
	switch {
	case v.blank() || v.is(true):
	case v.is(false):
		return 0
	default:
		wrong.add(duplicateCheck, textNotBoolean)
	}
	return duplicateWindow
}

// readChild reads a request for an operation on a parent. All that is wrong
// with its fields, and a parent that is not there, is told at once (step 3 of
// section 4.2). A good request is not held against its parent here: the engine
// does that, with the parent as it is when its turn comes.
func (d *Dialect) readChild(c *call, o operation) (childRequest, *problem, error) {
	doc, ok := readDocument(c.body)
	if !ok {
		return childRequest{}, fails(base, textBadJSON), nil
	}
	in, wrong := decodeChild(doc.member("request"), o)
	if in.parent, ok = d.parseUID(in.parentUID); !ok {
		if !wrong.has(parentUID) {
			wrong.add(parentUID, textUnknownParent)
		}
		return in, invalid(wrong), nil
	}
	if len(wrong) == 0 && o.kind != payment.OpRefund && in.parent.operation == 0 {
		return in, nil, nil
	}
	p, err := d.Engine.Payment(c.Context(), c.shop.merchant.Tenant, c.shop.merchant.ID, in.parent.payment)
	if err != nil {
		return in, nil, err
	}
	if !o.has(p, in.parent.operation) {
		wrong.add(parentUID, textUnknownParent)
	} else if len(wrong) == 0 && !refundable(p, in.parent.operation) {
		wrong.add(base, textNoRefund)
	}
	if len(wrong) > 0 {
		return in, invalid(wrong), nil
	}
	return in, nil, nil
}

// do asks for an operation on a parent and shows what became of it.
func (d *Dialect) do(c *call, o operation, parent transaction, command payment.Command) answered {
	out, err := d.Engine.Do(c.Context(), payment.Request{
		Tenant: c.shop.merchant.Tenant, Merchant: c.shop.merchant.ID, Payment: parent.payment,
		Command: command, Sees: o.parent, Patience: c.patience, Screening: c.shop.screening,
	})
	switch {
	case err != nil:
		return answered{err: err}
	case out.Refusal != nil:
		return answered{problem: refused(o, out.Refusal, out.Payment)}
	}
	return d.show(c, out.Payment, transaction{out.Payment.ID, out.Operation}, c.shop.form())
}
