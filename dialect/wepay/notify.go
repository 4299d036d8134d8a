package wepay

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/wireid"
)

var _ dialect.Notifier = (*Dialect)(nil)

// parseGaps reads how long to wait before each further attempt. Version 2 of the
// original gave up after six; when they were made is not known.
func parseGaps(s string) (gaps []time.Duration, ok bool) {
	for part := range strings.SplitSeq(s, ",") {
		n, err := strconv.ParseUint(strings.TrimSpace(part), 10, 32)
		if err != nil || n == 0 || n > mostGap || len(gaps) == mostAttempts-1 {
			return nil, false
		}
		gaps = append(gaps, time.Duration(n)*time.Second)
	}
	return gaps, true
}

// The longest wait before a further attempt, in seconds, and the most attempts.
const (
	mostGap      = 7 * 24 * 60 * 60
	mostAttempts = 10
)

// Schedule implements dialect.Notifier.
func (d *Dialect) Schedule(m *merchant.Merchant) outbox.Schedule {
	gaps, _ := parseGaps(webhookGaps.Of(m)) // a setting is legal
	further := int(webhookAttempts.Of(m)) - 1
	for len(gaps) < further {
		gaps = append(gaps, gaps[len(gaps)-1])
	}
	return outbox.Waits(gaps[:further]...)
}

// Acknowledges implements dialect.Notifier: every 2xx does.
func (d *Dialect) Acknowledges(r dialect.Response) bool {
	return r.Status >= http.StatusOK && r.Status < http.StatusMultipleChoices
}

// GaveUp implements dialect.Notifier: the preferences by which it was sent
// become inactive, so nothing more is sent by them until somebody makes them
// active again.
func (d *Dialect) GaveUp(ctx context.Context, m *merchant.Merchant, of outbox.Delivery) error {
	told, err := d.Outbox.Told(ctx, m, of.NoticeID)
	if err != nil || told == nil {
		return err
	}
	for {
		doc, p, err := d.sending(ctx, m, told.Topic, of.Endpoint)
		if err != nil || doc == nil {
			return err
		}
		p.Status = inactive
		if err = d.putPreference(ctx, doc, p); err != nil && !errors.Is(err, document.ErrMoved) {
			return err
		}
	}
}

// sending returns an active preference by which a topic is sent to an address;
// the document is nil if there is none.
func (d *Dialect) sending(ctx context.Context, m *merchant.Merchant, topic, uri string) (*document.Document, preference, error) {
	all, err := d.preferences(ctx, m)
	if err != nil {
		return nil, preference{}, err
	}
	for i := range all {
		p, err := readPreference(&all[i])
		if err != nil {
			return nil, p, err
		}
		if p.Status == active && p.Topic == topic && p.CallbackURI == uri {
			return &all[i], p, nil
		}
	}
	return nil, preference{}, nil
}

// Subscriber implements dialect.Notifier: the application's active preferences
// for what happens here. An endpoint is an address, so that everything that is
// sent to it of a payment keeps its order, whatever its topic.
func (d *Dialect) Subscriber(ctx context.Context, m *merchant.Merchant) (outbox.Subscriber, error) {
	s := subscriber{}
	all, err := d.preferences(ctx, m)
	if err != nil {
		return nil, err
	}
	for i := range all {
		p, err := readPreference(&all[i])
		if err != nil {
			return nil, err
		}
		if p.Status == active && fired[p.Topic] && !slices.Contains(s[p.Topic], p.CallbackURI) {
			s[p.Topic] = append(s[p.Topic], p.CallbackURI)
		}
	}
	if len(s) == 0 {
		return nil, nil
	}
	return s, nil
}

// subscriber has the addresses to which each topic goes.
type subscriber map[string][]string

// The topics of what happens here.
const (
	paymentCreated   = "payments.created"
	paymentInReview  = "payments.in_review"
	paymentCompleted = "payments.completed"
	paymentCanceled  = "payments.canceled"
	paymentFailed    = "payments.failed"
	refundCreated    = "refunds.created"
	refundCompleted  = "refunds.completed"
	refundFailed     = "refunds.failed"
)

// fired are the topics that are told of.
var fired = map[string]bool{
	paymentCreated: true, paymentInReview: true, paymentCompleted: true, paymentCanceled: true, paymentFailed: true,
	refundCreated: true, refundCompleted: true, refundFailed: true,
}

// outcomes are the topics of the states in which a payment ends.
var outcomes = map[string]string{"completed": paymentCompleted, "canceled": paymentCanceled, "failed": paymentFailed}

// Notices implements outbox.Subscriber.
func (s subscriber) Notices(o outbox.Occasion) (told []outbox.Notice) {
	p := o.After
	if !sees(p) {
		return nil
	}
	tell := func(version int, topic string, operation int) {
		if to := s[topic]; len(to) > 0 {
			told = append(told, outbox.Notice{
				NoticeID: outbox.NoticeID{Version: version}, Topic: topic, Context: strconv.AppendInt(nil, int64(operation), 10),
				Ordered: true, Deliveries: outbox.Deliver(to...),
			})
		}
	}
	before := ""
	if o.Before != nil && sees(o.Before) {
		before, _ = statusOf(o.Before, false)
	} else {
		tell(p.Version, paymentCreated, 0)
	}
	if p.HeldUp() && (o.Before == nil || !o.Before.HeldUp()) {
		tell(p.Version, paymentInReview, 0)
	}
	if now, _ := statusOf(p, false); now != before {
		tell(p.Version, outcomes[now], 0)
	}
	for i := range o.Events {
		e := &o.Events[i]
		if !isRefund(p.Op(e.Operation)) {
			continue
		}
		if o.Before == nil || o.Before.Op(e.Operation) == nil {
			tell(o.Version(i), refundCreated, e.Operation)
		}
		switch {
		case e.Kind == payment.RefundDeclined:
			tell(o.Version(i), refundFailed, e.Operation)
		case p.Op(e.Operation).Settled:
			tell(o.Version(i), refundCompleted, e.Operation)
		}
	}
	return told
}

// Message implements dialect.Notifier. The original signed nothing: who wants
// to be sure asks for the notification by its id.
func (d *Dialect) Message(ctx context.Context, about dialect.Dispatch) (dialect.Message, error) {
	doc, p, err := d.sending(ctx, about.Merchant, about.Notice.Topic, about.Endpoint)
	if err != nil {
		return dialect.Message{}, err
	}
	if doc == nil {
		return dialect.Message{}, dialect.ErrStopped
	}
	body := d.appendNotification(nil, dialect.Told{Notice: about.Notice, Of: about.Payment}, about.Merchant.ID, p.APIVersion)
	return dialect.Message{URL: about.Endpoint, Header: http.Header{"Content-Type": jsonType}, Body: body}, nil
}

// appendNotification appends the Notification object (section 7): the payload
// is the resource as it was right after the event.
func (d *Dialect) appendNotification(b []byte, of dialect.Told, merchant int64, version string) []byte {
	id := d.IDs.UUID(wireid.Name{Kind: wireid.Notice, Payment: of.Payment, Operation: of.Version, Part: of.Number})
	b = dialect.AppendInt(append(b, `{"event_time":`...), of.At.Unix())
	b = dialect.AppendString(append(b, `,"id":`...), id)
	b = dialect.AppendString(append(b, `,"owner":{"id":`...), appID(merchant))
	b = append(b, `,"path":null,"resource":"applications"},"path":`...)
	b = dialect.AppendString(b, "/notifications/"+id)
	b = append(b, `,"payload":`...)
	account, fresh := d.accountOf(merchant), strings.HasSuffix(of.Topic, ".created")
	if op := of.Of.Op(contextOf(of.Notice)); isRefund(op) {
		b = d.appendRefund(b, of.Of, op, refundView{version, account, fresh})
	} else {
		b = d.appendPayment(b, of.Of, view{apiVersion: version, accountID: account, fresh: fresh})
	}
	b = append(b, `,"resource":"notifications","topic":`...)
	b = dialect.AppendString(b, of.Topic)
	b = dialect.AppendString(append(b, `,"api_version":`...), version)
	return append(b, '}')
}

// contextOf is the number of the operation that a notice is about; 0 is none.
func contextOf(n outbox.Notice) int {
	number, _ := strconv.Atoi(string(n.Context)) // written above
	return number
}
