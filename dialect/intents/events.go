package intents

import (
	"encoding/json"

	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
)

// The types of event (section 11).
const (
	intentCreated    = "payment_intent.created"
	intentAction     = "payment_intent.requires_action"
	intentProcessing = "payment_intent.processing"
	intentCapturable = "payment_intent.amount_capturable_updated"
	intentSucceeded  = "payment_intent.succeeded"
	intentFailed     = "payment_intent.payment_failed"
	intentCanceled   = "payment_intent.canceled"
	chargeSucceeded  = "charge.succeeded"
	chargeFailed     = "charge.failed"
	chargeCaptured   = "charge.captured"
	chargeRefunded   = "charge.refunded"
	chargeExpired    = "charge.expired"
	refundCreated    = "refund.created"
	refundUpdated    = "refund.updated"
	refundFailed     = "refund.failed"
	chargeRefund     = "charge.refund.updated" // its object is the refund
)

// topics are the types of event that tell of what happened i-th, in their
// order.
func topics(o outbox.Occasion, i int) []string {
	p, e := o.After, &o.Events[i]
	switch e.Kind {
	case payment.PaymentCreated:
		return []string{intentCreated}
	case payment.PayerAwaited:
		return []string{intentAction}
	case payment.AuthorizationPending:
		return []string{intentProcessing}
	case payment.HoldAuthorized:
		if !p.Policy.AutoCapture { // else what becomes of the capture says it
			return []string{chargeSucceeded, intentCapturable}
		}
	case payment.AuthorizationDeclined:
		return declinedTopics(o, i)
	case payment.HoldIncremented:
		return []string{intentCapturable}
	case payment.CapturePending, payment.VoidPending, payment.IncrementPending:
		if p.Status == payment.Authorized && p.Waits(e.Asked.Key) {
			return []string{intentProcessing}
		}
	case payment.HoldCaptured, payment.CaptureDeclined:
		return captureTopics(o, e)
	case payment.VoidDeclined, payment.IncrementDeclined:
		if wasPending(o, e) {
			return []string{intentCapturable}
		}
	case payment.HoldVoided, payment.PaymentCancelled, payment.HoldExpired:
		return endTopics(p, e)
	case payment.RefundPending, payment.MoneyRefunded, payment.RefundDeclined:
		return refundTopics(o, i)
	}
	return nil
}

// declinedTopics: an attempt is told of as failed unless it was given up for a
// change of the intent.
func declinedTopics(o outbox.Occasion, i int) []string {
	if i+1 < len(o.Events) && o.Events[i+1].Kind == payment.PaymentRevised {
		return nil
	}
	if hasCharge(o.After.Op(o.Events[i].Operation)) {
		return []string{chargeFailed, intentFailed}
	}
	return []string{intentFailed}
}

func captureTopics(o outbox.Occasion, e *payment.Event) []string {
	p := o.After
	first := chargeCaptured
	if p.Op(e.Operation).Parent > 0 { // the automatic one
		first = chargeSucceeded
	}
	switch {
	case e.Kind == payment.HoldCaptured && p.Status == payment.Captured:
		return []string{first, intentSucceeded}
	case e.Kind == payment.HoldCaptured, first == chargeSucceeded:
		return []string{first, intentCapturable}
	case p.Status == payment.Declined:
		return []string{intentCanceled}
	case p.Status == payment.Authorized && wasPending(o, e):
		return []string{intentCapturable}
	}
	return nil
}

// wasPending tells whether the outcome of an operation was waited for.
func wasPending(o outbox.Occasion, e *payment.Event) bool {
	op := operationBefore(o, e)
	return op != nil && op.Status == payment.OpPending
}

// operationBefore is the operation of an event as it was before the command,
// nil if there was none.
func operationBefore(o outbox.Occasion, e *payment.Event) *payment.Operation {
	if o.Before == nil {
		return nil
	}
	return o.Before.Op(e.Operation)
}

// endTopics: what was captured before stays captured.
func endTopics(p *payment.Payment, e *payment.Event) []string {
	switch {
	case p.Status == payment.Authorized:
		return []string{intentCapturable}
	case p.Captured > 0:
		return []string{intentSucceeded}
	case p.Authorized == 0:
		return []string{intentCanceled}
	case e.Kind == payment.HoldExpired, p.Op(e.Operation) != nil && refundReason(p.Op(e.Operation)) == expiredUncaptured:
		return []string{chargeExpired, intentCanceled}
	}
	return []string{chargeRefunded, intentCanceled}
}

func refundTopics(o outbox.Occasion, i int) []string {
	e := &o.Events[i]
	fresh := operationBefore(o, e) == nil
	switch {
	case fresh && e.Kind == payment.RefundDeclined:
		return []string{refundCreated, refundFailed}
	case fresh:
		return []string{refundCreated, chargeRefunded}
	case e.Kind == payment.RefundDeclined:
		return []string{refundFailed}
	}
	return []string{refundUpdated, chargeRefund}
}

// subscriber tells an account's endpoints of what they want to hear.
type subscriber struct {
	d  *Dialect
	to []listener
}

// listener is an endpoint that is not disabled.
type listener struct {
	id   string
	test bool
	webhookEndpoint
}

// remembered is what a notice keeps of an event, besides what follows from the
// payment. Its names are in databases and are never changed.
type remembered struct {
	Operation int    `json:"op,omitempty"`
	Request   string `json:"request,omitempty"`
	Key       string `json:"key,omitempty"`
	Endpoints int    `json:"endpoints"` // it goes to
}

// asker is who asked for a command, in payment.Request.Aside.
type asker struct {
	request [requestLength]byte
	key     string // Idempotency-Key
}

// Notices implements outbox.Subscriber.
func (s *subscriber) Notices(o outbox.Occasion) []outbox.Notice {
	if !expressible(o.After) {
		return nil
	}
	test := !s.d.live(o.After)
	var told []outbox.Notice
	for i := range o.Events {
		e := &o.Events[i]
		for _, topic := range topics(o, i) {
			var to []string
			for _, l := range s.to {
				if l.test == test && l.wants(topic) {
					to = append(to, l.id)
				}
			}
			if to == nil {
				continue
			}
			keep := remembered{Operation: e.Operation, Endpoints: len(to)}
			if by, ok := o.Aside.(asker); ok && e.Kind != payment.HoldExpired {
				keep.Request, keep.Key = requestPrefix+string(by.request[:]), by.key
			}
			context, err := json.Marshal(keep)
			if err != nil {
				panic(err) // numbers and strings
			}
			told = append(told, outbox.Notice{
				NoticeID: outbox.NoticeID{Version: o.Version(i)}, Topic: topic, Context: context, Deliveries: outbox.Deliver(to...),
			})
		}
	}
	return told
}
