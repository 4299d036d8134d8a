package begateway

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/capstan-pay/capstan/dialect"
	"github.com/capstan-pay/capstan/document"
)

// Hosted checkouts and products are kept and shown, and that is all (section
// 8.6): this server has no page on which a payer enters a card.
const (
	checkoutKind = "checkout"
	productKind  = "product"

	checkoutPath = "/ctp/api/checkouts"
	productPath  = "/products"
	widgetPath   = "/widget/hpp.html?token="

	checkoutKept = 24 * time.Hour
	hostedLimit  = 16 << 10 // bytes of what is kept of one
)

// checkout answers POST /ctp/api/checkouts.
func (d *Dialect) checkout(c *call) answered {
	doc, ok := readDocument(c.body)
	if !ok {
		return answered{problem: fails(base, textBadJSON)}
	}
	asked := doc.member("checkout")
	order := asked.member("order")
	wrong := readOrder(order)
	if len(order)+len(asked.member("settings"))+len(asked.member("customer")) > hostedLimit {
		wrong.add(additionalData, textTooLong(hostedLimit))
	}
	if len(wrong) > 0 {
		return answered{problem: invalid(wrong)}
	}
	token, err := d.randomHex(32)
	if err != nil {
		return answered{err: err}
	}
	kind := optional(asked.member("transaction_type"))
	if kind == "" {
		kind = typePayment
	}
	b := dialect.AppendString([]byte(`{"checkout":{"token":`), token)
	shown := append([]byte(nil), b...)
	shown = dialect.AppendString(append(shown, `,"redirect_url":`...), d.PublicURL+widgetPath+token)
	b = dialect.AppendInt(append(b, `,"shop_id":`...), c.shop.number)
	b = dialect.AppendString(append(b, `,"transaction_type":`...), kind)
	b = dialect.AppendBool(append(b, `,"test":`...), asked.member("test").is(true))
	b = append(b, `,"status":"new","order":`...)
	b = append(b, order...)
	for _, name := range []string{"settings", "customer"} {
		b = append(dialect.AppendString(append(b, ','), name), ':')
		if v := asked.member(name); v.isObject() {
			b = append(b, v...)
		} else {
			b = append(b, "null"...)
		}
	}
	now := d.Clock.Now()
	paper := document.Document{Name: c.hosted(checkoutKind, token), CreatedAt: now, UpdatedAt: now, Expires: now.Add(checkoutKept), Body: append(b, '}', '}')}
	if err := d.Documents.PutDocument(c.Context(), &paper); err != nil {
		return answered{err: err}
	}
	return answered{body: append(shown, '}', '}')}
}

// readOrder finds what is wrong with what is to be paid for.
func readOrder(order value) (wrong faults) {
	if _, text := readAmount(order.member("amount")); text != "" {
		wrong.add(amount, text)
	}
	readCurrency(order.member("currency"), &wrong)
	wrong.required(description, optional(order.member("description")), textLimit)
	wrong.bounded(trackingID, optional(order.member("tracking_id")), textLimit)
	return wrong
}

// queryCheckout answers GET /ctp/api/checkouts/{token}.
func (d *Dialect) queryCheckout(c *call, token string) answered {
	paper, err := d.Documents.Document(c.Context(), c.hosted(checkoutKind, token))
	if err != nil || paper == nil || paper.Over(d.Clock.Now()) {
		return answered{problem: notFound, err: err}
	}
	return answered{body: paper.Body}
}

// product answers POST /products. Its members are not in an object of their
// own.
func (d *Dialect) product(c *call) answered {
	doc, ok := readDocument(c.body)
	if !ok {
		return answered{problem: fails(base, textBadJSON)}
	}
	wrong := readOrder(doc)
	wrong.required(name, optional(doc.member("name")), textLimit)
	if len(doc) > hostedLimit {
		wrong.add(additionalData, textTooLong(hostedLimit))
	}
	if len(wrong) > 0 {
		return answered{problem: invalid(wrong)}
	}
	number, err := d.randomHex(8)
	if err != nil {
		return answered{err: err}
	}
	now := d.Clock.Now()
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(doc, &members); err != nil {
		return answered{problem: fails(base, textBadJSON)}
	}
	b := dialect.AppendString([]byte(`{"id":`), "prd_"+number)
	for _, member := range []string{
		"name", "description", "amount", "currency", "quantity", "infinite", "immortal", "expired_at", "language", "transaction_type", "test",
		"notification_url", "success_url", "fail_url", "return_url", "visible", "additional_data",
	} {
		b = append(dialect.AppendString(append(b, ','), member), ':')
		if raw, ok := members[member]; ok {
			b = append(b, raw...)
		} else {
			b = append(b, "null"...)
		}
	}
	b = appendTime(append(b, `,"created_at":`...), now)
	b = append(appendTime(append(b, `,"updated_at":`...), now), '}')
	paper := document.Document{Name: c.hosted(productKind, "prd_"+number), CreatedAt: now, UpdatedAt: now, Body: b}
	if err := d.Documents.PutDocument(c.Context(), &paper); err != nil {
		return answered{err: err}
	}
	return answered{body: b}
}

func (c *call) hosted(kind, id string) document.Name {
	return document.Name{Tenant: c.shop.merchant.Tenant, Merchant: c.shop.merchant.ID, Dialect: Name, Kind: kind, ID: id}
}

func (d *Dialect) randomHex(bytes int) (string, error) {
	b := make([]byte, bytes)
	if _, err := io.ReadFull(d.Random, b); err != nil {
		return "", fmt.Errorf("begateway: no randomness: %w", err)
	}
	return hex.EncodeToString(b), nil
}
