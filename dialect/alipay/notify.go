package alipay

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
)

var _ dialect.Notifier = (*Dialect)(nil)

// The messages of section 6, which are the topics of notices.
const (
	notifyPayment = "notifyPayment"
	notifyVoid    = "notifyVoid"
	notifyCapture = "notifyCapture"
)

// retries is when a notification that was not acknowledged is sent again:
// eight times in all (section 6).
var retries = outbox.Waits(2*time.Minute, 10*time.Minute, 10*time.Minute, time.Hour, 2*time.Hour, 6*time.Hour, 15*time.Hour)

// Schedule implements dialect.Notifier.
func (d *Dialect) Schedule(*merchant.Merchant) outbox.Schedule { return retries }

// Acknowledges implements dialect.Notifier: status 200 and a result whose
// status is S. The answer's signature is not looked at.
func (d *Dialect) Acknowledges(r dialect.Response) bool {
	var answer struct {
		Result struct {
			Status string `json:"resultStatus"`
		} `json:"result"`
	}
	return r.Status == http.StatusOK && json.Unmarshal(r.Body, &answer) == nil && answer.Result.Status == success.status
}

// GaveUp implements dialect.Notifier. Nothing follows from it here.
func (d *Dialect) GaveUp(context.Context, *merchant.Merchant, outbox.Delivery) error { return nil }

// Subscriber implements dialect.Notifier. To whom a notification goes is said
// in the pay request.
func (d *Dialect) Subscriber(_ context.Context, m *merchant.Merchant) (outbox.Subscriber, error) {
	return subscriber{captures: notifyCaptures.Of(m), zone: parseZone(timeZone.Of(m))}, nil
}

// subscriber says what is told of payments that were made here.
type subscriber struct {
	captures bool // captures are told of
	zone     *time.Location
}

// notifiable is in the details of payments that name a URL.
var notifiable = []byte(`"client":`)

// Notices implements outbox.Subscriber.
func (s subscriber) Notices(o outbox.Occasion) []outbox.Notice {
	p := o.After
	if p.Dialect != Name || !sees(p) || !bytes.Contains(p.Details, notifiable) {
		return nil
	}
	var to payDetails
	if json.Unmarshal(p.Details, &to) != nil {
		return nil
	}
	var told []outbox.Notice
	for i := range o.Events {
		topic, operation := s.topic(o, i)
		at := to.NotifyURL
		if topic == notifyVoid {
			at = to.VoidNotifyURL
		}
		if topic != "" && at != "" {
			told = append(told, outbox.Notice{
				NoticeID: outbox.NoticeID{Version: o.Version(i)}, Topic: topic,
				Context: noticeContext{s.zone, operation}.encode(), Deliveries: outbox.Deliver(at),
			})
		}
		if s.captures && to.NotifyURL != "" && toldAsCapture(p, o.Events[i]) {
			told = append(told, outbox.Notice{
				NoticeID: outbox.NoticeID{Version: o.Version(i), Number: 1}, Topic: notifyCapture,
				Context: noticeContext{s.zone, o.Events[i].Operation}.encode(), Deliveries: outbox.Deliver(to.NotifyURL),
			})
		}
	}
	return told
}

// topic is what an event is told as, besides as a capture, and the operation
// that it is about; empty if nobody is told. What the answer to pay has said
// already is not told again.
func (s subscriber) topic(o outbox.Occasion, i int) (string, int) {
	p, e := o.After, o.Events[i]
	switch e.Kind {
	case payment.HoldAuthorized:
		if o.Before != nil && !p.Policy.AutoCapture {
			return notifyPayment, e.Operation
		}
	case payment.AuthorizationDeclined:
		if o.Before != nil {
			return notifyPayment, e.Operation
		}
	case payment.HoldCaptured, payment.CaptureDeclined:
		if charge := automaticCapture(p); charge != nil && charge.Number == e.Operation {
			if o.Before != nil {
				return notifyPayment, e.Operation
			}
		} else if e.Released > 0 {
			return notifyVoid, e.Operation
		}
	case payment.HoldVoided:
		if p.Op(e.Operation).Kind == payment.OpVoid {
			return notifyVoid, e.Operation
		}
	case payment.VoidDeclined:
		if p.Op(e.Operation).Kind == payment.OpVoid && o.Before.Op(e.Operation) != nil { // the void's answer did not say so
			return notifyVoid, e.Operation
		}
	case payment.HoldExpired:
		if e.Released > 0 {
			return notifyVoid, 0
		}
	}
	return "", 0
}

// toldAsCapture tells whether an event is the end of a capture that somebody
// asked for.
func toldAsCapture(p *payment.Payment, e payment.Event) bool {
	if e.Kind != payment.HoldCaptured && e.Kind != payment.CaptureDeclined {
		return false
	}
	charge := automaticCapture(p)
	return charge == nil || charge.Number != e.Operation
}

// noticeContext is what shapes a notification and is not in the payment's
// history.
type noticeContext struct {
	zone      *time.Location
	operation int // that it is about; 0 is none
}

func (c noticeContext) encode() []byte {
	return binary.AppendUvarint(binary.AppendVarint(nil, int64(minutesEast(c.zone))), uint64(c.operation))
}

func decodeNoticeContext(b []byte) (noticeContext, error) {
	minutes, n := binary.Varint(b)
	if n <= 0 {
		return noticeContext{}, errNotice
	}
	operation, n := binary.Uvarint(b[n:])
	if n <= 0 || operation > 1<<31 {
		return noticeContext{}, errNotice
	}
	return noticeContext{fixedZone(int(minutes)), int(operation)}, nil
}

var errNotice = errors.New("alipay: unreadable notice")

// Message implements dialect.Notifier: signed as answers are, over the path
// and query of the URL.
func (d *Dialect) Message(ctx context.Context, about dialect.Dispatch) (dialect.Message, error) {
	body, from, err := d.notification(about.Notice, about.Payment)
	if err != nil {
		return dialect.Message{}, err
	}
	to, err := url.Parse(about.Endpoint)
	if err != nil {
		return dialect.Message{}, fmt.Errorf("alipay: notify URL: %w", err)
	}
	key, err := d.server.get(ctx, d.Services)
	if err != nil {
		return dialect.Message{}, err
	}
	at := string(appendTime(nil, about.At, from.zone))
	signature, err := d.signer.sign(key.private, digest(http.MethodPost, to.RequestURI(), from.client, at, body))
	if err != nil {
		return dialect.Message{}, err
	}
	return dialect.Message{URL: about.Endpoint, Body: body, Header: http.Header{
		"Content-Type": {"application/json; charset=UTF-8"},
		"Client-Id":    {from.client},
		"Request-Time": {at},
		"Signature":    {"algorithm=RSA256, keyVersion=" + key.version + ", signature=" + signature},
	}}, nil
}
