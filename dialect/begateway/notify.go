package begateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/merchant"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/signature"
)

var _ dialect.Notifier = (*Dialect)(nil)

// retries is when a notification that was not taken is sent again (section 9):
// before the n-th time, floor(2.12 n)³ seconds and 0 to 29 times n+1 more.
var retries = func() outbox.Schedule {
	var s outbox.Schedule
	for n := 1; n <= 15; n++ {
		whole := time.Duration(212 * n / 100)
		s = append(s, outbox.Wait{Least: whole * whole * whole * time.Second, Step: time.Duration(n+1) * time.Second, Steps: 30})
	}
	return s
}()

// Schedule implements dialect.Notifier.
func (d *Dialect) Schedule(*merchant.Merchant) outbox.Schedule { return retries }

// Acknowledges implements dialect.Notifier: only 200 does.
func (d *Dialect) Acknowledges(r dialect.Response) bool { return r.Status == http.StatusOK }

// GaveUp implements dialect.Notifier. Nothing follows from it here.
func (d *Dialect) GaveUp(context.Context, *merchant.Merchant, outbox.Delivery) error { return nil }

// Subscriber implements dialect.Notifier. To whom a notification goes is said
// in the request that it is about.
func (d *Dialect) Subscriber(_ context.Context, m *merchant.Merchant) (outbox.Subscriber, error) {
	return subscriber{children: notifyChildren.Of(m)}, nil
}

// subscriber says which transactions are told of. With children set, captures,
// voids and refunds are, to where the parent's notifications go.
type subscriber struct{ children bool }

// urlMember is in the details of whatever names a URL.
var urlMember = []byte(`"notification_url":`)

// Notices implements outbox.Subscriber.
func (s subscriber) Notices(o outbox.Occasion) []outbox.Notice {
	p := o.After
	if !expressible(p) {
		return nil
	}
	parent := ""
	if p.Dialect == Name && bytes.Contains(p.Details, urlMember) {
		if kept, err := decodeIntakeDetails(p); err == nil {
			parent = kept.NotificationURL
		}
	}
	var told []outbox.Notice
	if parent != "" {
		if v := viewOf(p); v.ended() && (o.Before == nil || !viewOf(o.Before).ended()) {
			told = append(told, notice(o.After.Version, v.kind, v.status, 0, parent))
		}
	}
	for i := range o.Events {
		number := o.Events[i].Operation
		if !isTransaction(p, number) {
			continue
		}
		op, url := p.Op(number), ""
		if s.children {
			url = parent
		}
		if op.Dialect == Name && bytes.Contains(op.Details, urlMember) {
			if kept, err := decodeChildDetails(op); err == nil && kept.NotificationURL != "" {
				url = kept.NotificationURL
			}
		}
		if url != "" && decided(o.Events[i].Kind) {
			told = append(told, notice(o.Version(i), operationOf(op).name, operationStatus(op), number, url))
		}
	}
	return told
}

// decided tells whether an event of a capture, void or refund says what became
// of it.
func decided(k payment.EventKind) bool {
	switch k {
	case payment.HoldCaptured, payment.CaptureDeclined, payment.HoldVoided, payment.VoidDeclined, payment.PaymentCancelled,
		payment.MoneyRefunded, payment.RefundDeclined:
		return true
	}
	return false
}

// ended tells whether the transaction's status is told of.
func (v view) ended() bool { return v.status != statusIncomplete }

func notice(version int, kind, status string, operation int, url string) outbox.Notice {
	return outbox.Notice{
		NoticeID: outbox.NoticeID{Version: version}, Topic: kind + "." + status,
		Context: strconv.AppendInt(nil, int64(operation), 10), Deliveries: outbox.Deliver(url),
	}
}

// Message implements dialect.Notifier: the transaction as a query would show
// it, with the shop's own credentials and a signature of the body.
func (d *Dialect) Message(ctx context.Context, about dialect.Dispatch) (dialect.Message, error) {
	s, err := d.findShop(ctx, shopCredential, strconv.FormatInt(about.Merchant.ID, 10))
	if err != nil {
		return dialect.Message{}, err
	}
	if s == nil {
		return dialect.Message{}, dialect.ErrStopped
	}
	operation, err := strconv.Atoi(string(about.Notice.Context))
	if err != nil {
		return dialect.Message{}, fmt.Errorf("begateway: context of a notice: %w", err)
	}
	body, err := d.appendTransaction(nil, s, about.Payment, transaction{about.Payment.ID, operation}, formOfQuery)
	if err != nil {
		return dialect.Message{}, err
	}
	keys, err := d.keysOf(s)
	if err != nil {
		return dialect.Message{}, err
	}
	signed, err := signature.RSA(keys.private, body)
	if err != nil {
		return dialect.Message{}, err
	}
	request := http.Request{Header: http.Header{}}
	request.SetBasicAuth(s.id, keys.secret)
	request.Header["Content-Type"] = contentType
	request.Header["Content-Signature"] = []string{signed}
	return dialect.Message{URL: about.Endpoint, Header: request.Header, Body: body}, nil
}

// keysOf opens what is sealed of a shop, the first time.
func (d *Dialect) keysOf(s *shop) (*shopKeys, error) {
	s.once.Do(func() { s.keys, s.fault = d.openKeys(s.sealed) })
	return s.keys, s.fault
}

func (d *Dialect) openKeys(sealed []byte) (*shopKeys, error) {
	plain, err := d.Keys.Open(SealPurpose, sealed)
	if err != nil {
		return nil, fmt.Errorf("begateway: open a shop's keys: %w", err)
	}
	var kept sealedShop
	if err := json.Unmarshal(plain, &kept); err != nil {
		return nil, fmt.Errorf("begateway: a shop's keys: %w", err)
	}
	private, err := parseKey(kept.PrivateKey)
	return &shopKeys{secret: kept.SecretKey, private: private}, err
}
