package wepay

import (
	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/payment"
)

// refundDetails is what this dialect keeps with a refund that it was asked for.
type refundDetails struct {
	why        string // the platform's reason
	order      string // id; empty is none
	customData []byte // compact JSON; nil is null
	rbits      []byte // compact JSON; nil is null
}

func (d refundDetails) append(b []byte) []byte {
	b = dialect.AppendInt(append(b, `{"v":`...), detailsVersion)
	b = dialect.AppendString(append(b, `,"refund_reason":`...), d.why)
	if d.order != "" {
		b = dialect.AppendString(append(b, `,"order":`...), d.order)
	}
	if d.customData != nil {
		b = append(append(b, `,"custom_data":`...), d.customData...)
	}
	if d.rbits != nil {
		b = append(append(b, `,"rbits":`...), d.rbits...)
	}
	return append(b, '}')
}

// readRefundDetails returns what is known of a refund, whichever dialect was
// asked for it.
func readRefundDetails(op *payment.Operation) (d refundDetails) {
	if op.Dialect != Name {
		return d
	}
	doc, ok := parse(op.Details)
	if !ok {
		return d
	}
	for i := range doc.members {
		switch m := &doc.members[i]; string(m.name) {
		case "refund_reason":
			d.why = m.value.text()
		case "order":
			d.order = m.value.text()
		case "custom_data":
			d.customData = m.value.raw
		}
	}
	return d
}

// refundView is how a refund is to be shown.
type refundView struct {
	apiVersion string
	accountID  string
	fresh      bool // in the first answer to its request
}

// The states of a refund.
var refundStatuses = []string{"pending", "completed", "failed"}

// refundProcessing is why a refund is pending.
var refundProcessing = reason{"PROCESSING", "Refund is being processed.", "processing", "The refund is currently under processing."}

// refundStatus returns the status of a refund and why it has it, if it is
// pending or has failed. The first answer never says completed.
func refundStatus(op *payment.Operation, fresh bool) (string, reason) {
	switch {
	case op.Status == payment.OpFailed:
		why, ok := declines[op.Answer.Reason]
		if !ok {
			why = declines[payment.GenericDecline]
		}
		return "failed", reason{"NOT_REFUNDED", "Failed to refund the payment", why.detailCode, "The refund was declined."}
	case op.Settled && !fresh:
		return "completed", reason{}
	}
	return "pending", refundProcessing
}

func (c *call) renderRefund(p *payment.Payment, op *payment.Operation, fresh bool) []byte {
	return c.appendRefund(make([]byte, 0, 1536), p, op, refundView{c.version, c.accountID, fresh})
}

// appendRefund appends the Refund object: every member of section 5 of the
// dialect's document, in its order.
func (d *Dialect) appendRefund(b []byte, p *payment.Payment, op *payment.Operation, v refundView) []byte {
	known := readRefundDetails(op)
	b = d.appendResource(b, refundName(p, op), "refunds")
	b = appendOwner(b, v.accountID)
	b = dialect.AppendInt(append(b, `,"create_time":`...), op.At.Unix())
	status, why := refundStatus(op, v.fresh)
	b = dialect.AppendString(append(b, `,"status":`...), status)
	b = dialect.AppendString(append(b, `,"amounts":{"currency":`...), string(p.Currency))
	b = dialect.AppendInt(append(b, `,"total_amount":`...), op.Amount)
	b = dialect.AppendInt(append(b, `,"fee_refund_amount":`...), op.Fee)
	b = appendNamed(append(b, `},"payment":`...), d.PaymentID(p), "payments")
	b = d.appendMethod(append(b, `},"payment_method":`...), p, readDetails(p).method, false)
	b = appendOrder(b, known.order)
	b = dialect.AppendStringOrNull(append(b, `,"refund_reason":`...), known.why)
	b = appendWhy(b, status, why)
	b = d.appendRefundRecords(b, p, op, status == "completed")
	b = append(b, `,"initiated_by":"none"`...)
	b = dialect.AppendStringOrNull(append(b, `,"reference_id":`...), op.Reference)
	b = appendCustomData(b, known.customData)
	b = dialect.AppendString(append(b, `,"api_version":`...), v.apiVersion)
	return append(b, '}')
}

// appendRefundRecords appends the two transaction records of a refund.
func (d *Dialect) appendRefundRecords(b []byte, p *payment.Payment, op *payment.Operation, completed bool) []byte {
	b = append(b, `,"txnr_merchant":`...)
	if !completed {
		return append(b, `null,"txnr_app_fee":null`...)
	}
	b = append(d.appendRecord(b, p.ID, op.Number, merchantRecord), `,"txnr_app_fee":`...)
	if op.Fee == 0 {
		return append(b, "null"...)
	}
	return d.appendRecord(b, p.ID, op.Number, appFeeRecord)
}
