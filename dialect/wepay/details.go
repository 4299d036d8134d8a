package wepay

import (
	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/payment"
)

// details is what this dialect keeps with a payment that it made, beside what
// every payment has. It is written by append and read by parse, so that raw
// JSON of the client stays as it was.
type details struct {
	apiVersion  string
	initiatedBy string
	captureAt   int64  // seconds; 0 is none
	order       string // id; empty is none
	riskToken   string
	customData  []byte // compact JSON; nil is null
	rbits       []byte // compact JSON; nil is null
	method      string // id of the stored payment method that pays; empty is none

	// customAfter is how many operations the payment had when customData was
	// set: those of later captures take its place.
	customAfter int
}

// detailsVersion is of the document that append writes.
const detailsVersion = 1

func (d details) append(b []byte) []byte {
	b = dialect.AppendInt(append(b, `{"v":`...), detailsVersion)
	b = dialect.AppendString(append(b, `,"api_version":`...), d.apiVersion)
	b = dialect.AppendString(append(b, `,"initiated_by":`...), d.initiatedBy)
	if d.captureAt != 0 {
		b = dialect.AppendInt(append(b, `,"capture_at":`...), d.captureAt)
	}
	if d.order != "" {
		b = dialect.AppendString(append(b, `,"order":`...), d.order)
	}
	if d.riskToken != "" {
		b = dialect.AppendString(append(b, `,"risk_token":`...), d.riskToken)
	}
	if d.customData != nil {
		b = append(append(b, `,"custom_data":`...), d.customData...)
	}
	if d.rbits != nil {
		b = append(append(b, `,"rbits":`...), d.rbits...)
	}
	if d.method != "" {
		b = dialect.AppendString(append(b, `,"payment_method":`...), d.method)
	}
	if d.customAfter != 0 {
		b = dialect.AppendInt(append(b, `,"custom_after":`...), int64(d.customAfter))
	}
	return append(b, '}')
}

// readDetails returns what is known of a payment, whichever dialect made it.
func readDetails(p *payment.Payment) details {
	d := details{initiatedBy: "none"}
	if !p.Policy.CaptureAt.IsZero() {
		d.captureAt = p.Policy.CaptureAt.Unix()
	}
	if p.Dialect == Name {
		d.read(p.Details)
	}
	for i := range p.Operations {
		if op := &p.Operations[i]; op.Dialect == Name && op.Kind == payment.OpCapture && i >= d.customAfter && len(op.Details) > 0 {
			if doc, ok := parse(op.Details); ok {
				d.customData = doc.get("custom_data").rawOrNil()
			}
		}
	}
	return d
}

func (d *details) read(document []byte) {
	doc, ok := parse(document)
	if !ok {
		return
	}
	for i := range doc.members {
		switch m := &doc.members[i]; string(m.name) {
		case "api_version":
			d.apiVersion = m.value.text()
		case "initiated_by":
			d.initiatedBy = m.value.text()
		case "capture_at":
			d.captureAt, _ = m.value.integer()
		case "order":
			d.order = m.value.text()
		case "risk_token":
			d.riskToken = m.value.text()
		case "custom_data":
			d.customData = m.value.raw
		case "rbits":
			d.rbits = m.value.raw
		case "payment_method":
			d.method = m.value.text()
		case "custom_after":
			n, _ := m.value.integer()
			d.customAfter = int(n)
		}
	}
}

// captureDetails is what is kept with a capture that brought custom data; nil
// without.
func captureDetails(customData []byte) []byte {
	if customData == nil {
		return nil
	}
	b := dialect.AppendInt([]byte(`{"v":`), detailsVersion)
	return append(append(append(b, `,"custom_data":`...), customData...), '}')
}

func (v *value) rawOrNil() []byte {
	if v == nil {
		return nil
	}
	return v.raw
}
