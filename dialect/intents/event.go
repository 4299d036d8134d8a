package intents

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/outbox"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/wireid"
)

const (
	eventPrefix = "evt_"

	// eventsKept is how long events can be looked at.
	eventsKept = 30 * 24 * time.Hour
)

// event is a notice as the wire shows it.
type event struct {
	outbox.Notice
	remembered
	view view // of the payment right after it
}

func (d *Dialect) eventOf(n outbox.Notice, p *payment.Payment) (*event, error) {
	it := &event{Notice: n}
	if err := json.Unmarshal(n.Context, &it.remembered); err != nil {
		return nil, fmt.Errorf("intents: context of a notice: %w", err)
	}
	it.view.of(p)
	return it, nil
}

func (d *Dialect) appendEventID(b []byte, n outbox.NoticeID) []byte {
	return d.IDs.AppendBase62(b, eventPrefix, wireid.Name{Kind: wireid.Notice, Payment: n.Payment, Operation: n.Version, Part: n.Number})
}

// parseEventID reads what appendEventID wrote.
func (d *Dialect) parseEventID(id string) (outbox.NoticeID, bool) {
	name, ok := d.IDs.ParseBase62(eventPrefix, id)
	return outbox.NoticeID{Payment: name.Payment, Version: name.Operation, Dialect: Name, Number: name.Part}, ok && name.Kind == wireid.Notice
}

// appendEvent appends the Event object, without a newline at the end.
func (d *Dialect) appendEvent(b []byte, it *event, version string, pending int) []byte {
	b = append(d.appendEventID(append(b, "{\n  \"id\": \""...), it.NoticeID), "\",\n  \"object\": \"event\",\n  \"api_version\": "...)
	b = dialect.AppendString(b, version)
	b = strconv.AppendInt(append(b, ",\n  \"created\": "...), it.At.Unix(), 10)
	b = appendNested(append(b, ",\n  \"data\": {\n    \"object\": "...), d.appendSnapshot(nil, it), 2)
	if it.Topic == refundUpdated || it.Topic == chargeRefund {
		b = append(b, ",\n    \"previous_attributes\": {\n      \"status\": \"pending\"\n    }"...)
	}
	b = dialect.AppendBool(append(b, "\n  },\n  \"livemode\": "...), d.live(it.view.p))
	b = strconv.AppendInt(append(b, ",\n  \"pending_webhooks\": "...), int64(pending), 10)
	b = dialect.AppendStringOrNull(append(b, ",\n  \"request\": {\n    \"id\": "...), it.Request)
	b = dialect.AppendStringOrNull(append(b, ",\n    \"idempotency_key\": "...), it.Key)
	b = dialect.AppendString(append(b, "\n  },\n  \"type\": "...), it.Topic)
	return append(b, "\n}"...)
}

// appendSnapshot appends the object that an event tells of as it was then.
func (d *Dialect) appendSnapshot(b []byte, it *event) []byte {
	v := &it.view
	switch {
	case it.Topic == chargeRefund || strings.HasPrefix(it.Topic, "refund."):
		if r, ok := v.refundOf(it.Operation); ok {
			return d.appendRefund(b, v, r, 0)
		}
	case strings.HasPrefix(it.Topic, "charge."):
		op := v.p.Op(it.Operation)
		if op == nil || op.Kind != payment.OpAuthorize {
			op = v.attempt()
		}
		if op != nil {
			return d.appendCharge(b, v, op, 0)
		}
	}
	return d.appendIntent(b, v, 0)
}

// event answers GET /v1/events/{id}.
func (x *exchange) event(ctx context.Context) *problem {
	_, _ = x.expand(nil)
	if bad := x.params.problem(); bad != nil {
		return bad
	}
	it, _, problem := x.told(ctx, x.id)
	if problem != nil || it == nil {
		return or(problem, missing(http.StatusNotFound, "id", "event", x.id))
	}
	x.reply(http.StatusOK, append(x.d.appendEvent(x.out(), it, defaultVersion, waiting(it.Notice)), '\n'))
	return nil
}

// told finds an event of the account, nil if there is none, or not any more.
func (x *exchange) told(ctx context.Context, id string) (*event, *dialect.Told, *problem) {
	name, ok := x.d.parseEventID(id)
	if !ok {
		return nil, nil, nil
	}
	t, err := x.d.Outbox.Told(ctx, &x.account.Merchant, name)
	switch {
	case err != nil:
		return nil, nil, x.fault(err)
	case t == nil || !x.account.sees(t.Of) || t.At.Before(x.d.Clock.Now().Add(-eventsKept)):
		return nil, nil, nil
	}
	it, err := x.d.eventOf(t.Notice, t.Of)
	if err != nil {
		return nil, nil, x.fault(err)
	}
	return it, t, nil
}

// waiting is how many endpoints have not taken an event yet.
func waiting(n outbox.Notice) (count int) {
	for _, d := range n.Deliveries {
		if d.State == outbox.Waiting {
			count++
		}
	}
	return count
}

// events answers GET /v1/events.
func (x *exchange) events(ctx context.Context) *problem {
	p := &x.params
	l := p.listing()
	types, _ := p.words("types", 20)
	if kind, sent := p.text("type", 100); sent {
		if len(types) > 0 {
			p.fail(invalid("type", "You may only specify one of these parameters: type, types."))
		}
		types = []string{kind}
	}
	delivered, asked := p.boolean("delivery_success")
	_, _ = x.expand(nil)
	if bad := p.problem(); bad != nil {
		return bad
	}
	wanted := func(t *dialect.Told) bool {
		if !x.account.sees(t.Of) || asked && delivered != allDelivered(t.Notice) {
			return false
		}
		return len(types) == 0 || slices.ContainsFunc(types, func(kind string) bool { return matchesType(kind, t.Topic) })
	}
	page, more, problem := x.pageEvents(ctx, l, wanted)
	if problem != nil {
		return problem
	}
	x.reply(http.StatusOK, appendList(x.out(), "/v1/events", more, len(page), func(b []byte, i int) []byte {
		return x.d.appendEvent(b, page[i], defaultVersion, waiting(page[i].Notice))
	}))
	return nil
}

func allDelivered(n outbox.Notice) bool {
	return !slices.ContainsFunc(n.Deliveries, func(d outbox.Delivery) bool { return d.State != outbox.Delivered })
}

// matchesType tells whether a type is asked for by its name, or by one that
// ends in .*
func matchesType(asked, topic string) bool {
	head, any := strings.CutSuffix(asked, ".*")
	return asked == topic || any && strings.HasPrefix(topic, head+".")
}

// eventsAtATime is how many notices are read at a time.
const eventsAtATime = 100

// pageEvents reads a page of events. One before a cursor is found by walking
// from the newest to there.
func (x *exchange) pageEvents(ctx context.Context, l listing, wanted func(*dialect.Told) bool) (page []*event, more bool, wrong *problem) {
	query := dialect.NoticeQuery{Dialect: Name, From: l.from, Until: l.until, Limit: eventsAtATime}
	if oldest := x.d.Clock.Now().Add(-eventsKept); query.From.Before(oldest) {
		query.From = oldest
	}
	var stop *outbox.NoticeID
	if id := l.cursor(); id != "" {
		_, t, problem := x.told(ctx, id)
		switch {
		case problem != nil:
			return nil, false, problem
		case t == nil:
			return nil, false, l.unknownCursor("event")
		case l.before != "":
			stop = &t.NoticeID
		default:
			query.Before = &t.Notice
		}
	}
	for {
		told, err := x.d.Outbox.List(ctx, &x.account.Merchant, query)
		if err != nil {
			return nil, false, x.fault(err)
		}
		for i := range told {
			t := &told[i]
			switch {
			case stop != nil && t.NoticeID == *stop:
				return page, more, nil
			case !wanted(t):
				continue
			case stop == nil && len(page) == l.limit:
				return page, true, nil
			case len(page) == l.limit:
				page, more = page[1:], true
			}
			it, err := x.d.eventOf(t.Notice, t.Of)
			if err != nil {
				return nil, false, x.fault(err)
			}
			page = append(page, it)
		}
		if len(told) < query.Limit {
			return page, more, nil
		}
		query.Before = &told[len(told)-1].Notice
	}
}
