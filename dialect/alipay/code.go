package alipay

import (
	"context"
	"errors"
	"time"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/payment"
	"github.com/capstan-pay/capstan/wallet"
)

// codeKind is the kind of the documents that say which request a payment code
// was used by.
const codeKind = "payment_code"

// codeMemory is how long it is remembered after a code's time is over.
const codeMemory = 24 * time.Hour

// codePayer is the method by which the user pays who shows a payment code. The
// code belongs to the first request that brings it, from then on: a repeat
// goes on with the same payment, another request is told that it is used.
func (d *Dialect) codePayer(ctx context.Context, c *call, r *payRequest) (payment.Method, error) {
	name := wallet.PaymentCodeName(d.Keys.MAC, r.code)
	m := payment.Method{Kind: payment.WalletMethod, User: nobody, Grant: name} // nobody's: is declined
	grant, err := d.Wallets.Grant(ctx, c.client.tenant, name)
	if err != nil {
		return m, err
	}
	if grant == nil {
		r.context.grant = codeInvalid
		return m, nil
	}
	request := c.client.id + " " + r.requestID
	user, err := d.codeUser(ctx, c, name)
	switch {
	case err != nil:
		return m, err
	case user != "" && user != request:
		r.context.grant = codeUsed
		return m, nil
	case user == "" && !grant.Valid(c.now):
		r.context.grant = codeInvalid
		return m, nil
	}
	if user == "" && !r.evaluates {
		if user, err = d.claimCode(ctx, c, grant, request, r); err != nil || user != request {
			r.context.grant = codeUsed
			return m, err
		}
	}
	m.User, m.Grant = grant.User, ""
	return m, nil
}

// codeUser returns the request that a payment code was used by, empty if none
// was.
func (d *Dialect) codeUser(ctx context.Context, c *call, name string) (string, error) {
	doc, err := d.Documents.Document(ctx, c.codeName(name))
	if err != nil || doc == nil {
		return "", err
	}
	return string(doc.Body), nil
}

// claimCode has a payment code belong to a request and returns the request
// that it belongs to then. One that is known already takes no code.
func (d *Dialect) claimCode(ctx context.Context, c *call, grant *wallet.Grant, request string, r *payRequest) (string, error) {
	if _, known, err := d.Engine.Recorded(ctx, c.client.tenant, c.client.requestKey("pay", r.requestID)); err != nil || known {
		return request, err
	}
	err := d.Documents.PutDocument(ctx, &document.Document{
		Name: c.codeName(grant.Name), CreatedAt: c.now, UpdatedAt: c.now, Expires: grant.ExpiresAt.Add(codeMemory), Body: []byte(request),
	})
	if errors.Is(err, document.ErrExists) {
		return d.codeUser(ctx, c, grant.Name)
	}
	return request, err
}

// codeName is what the document about a payment code is called. It is no
// merchant's own: a code pays once at all merchants of the wallet together.
func (c *call) codeName(name string) document.Name {
	return document.Name{Tenant: c.client.tenant, Dialect: Name, Kind: codeKind, ID: name}
}
