package intents

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/capstan-pay/capstan/document"
	"github.com/capstan-pay/capstan/wireid"
)

var methodPaths = []expansion{{"customer", 0}}

// createMethod answers POST /v1/payment_methods. The security code is forgotten
// at once, and the number is in the vault only.
func (x *exchange) createMethod(ctx context.Context) *problem {
	c := x.readCard("")
	body := storedMethod{Version: 1, Metadata: mergeMetadata(nil, x.params.metadata())}
	x.params.ignore("customer")
	_, _ = x.expand(methodPaths)
	n := x.note(0)
	if bad := x.params.problem(); bad != nil {
		return x.reject(ctx, &n, bad)
	}
	body.Billing = c.billing
	papers, _, problem := x.methodPapers(c, body)
	if problem != nil {
		return problem
	}
	k := &keptMethod{doc: &papers[1], storedMethod: body}
	k.card.Method = c.method
	_, problem = x.keep(ctx, &n, append(x.appendKept(nil, k), '\n'), papers...)
	return problem
}

// paymentMethod answers GET /v1/payment_methods/{id}: a stored one, or one of
// an intent.
func (x *exchange) paymentMethod(ctx context.Context) *problem {
	_, _ = x.expand(methodPaths)
	if bad := x.params.problem(); bad != nil {
		return bad
	}
	name, ok := x.d.parse(methodPrefix, wireid.PaymentMethod, x.id)
	if !ok {
		k, problem := x.loadMethod(ctx, x.id)
		if problem != nil || k == nil {
			return or(problem, noMethod(http.StatusNotFound, x.id))
		}
		x.reply(http.StatusOK, append(x.appendKept(x.out(), k), '\n'))
		return nil
	}
	v, problem := x.load(ctx, name.Payment)
	if problem != nil {
		return problem
	}
	if v != nil {
		if m, ok := v.methodNumbered(name.Operation); ok && m.stored == "" {
			x.reply(http.StatusOK, append(x.d.appendMethod(x.out(), v, m), '\n'))
			return nil
		}
	}
	return noMethod(http.StatusNotFound, x.id)
}

// updateMethod answers POST /v1/payment_methods/{id}.
func (x *exchange) updateMethod(ctx context.Context) *problem {
	n := x.note(0)
	p := &x.params
	patch := p.metadata()
	var billing []byte
	if p.has("billing_details") {
		p.object("billing_details")
		billing = p.addressed("billing_details", billingMembers)
	}
	p.ignore("allow_redisplay")
	_, _ = x.expand(methodPaths)
	if bad := p.problem(); bad != nil {
		return bad
	}
	return x.reviseMethod(ctx, &n, func(k *keptMethod) (full *problem) {
		k.Metadata, full = addMetadata(k.Metadata, patch)
		if billing != nil {
			k.Billing = billing
		}
		return full
	})
}

// reviseMethod changes a stored payment method and replies with it.
func (x *exchange) reviseMethod(ctx context.Context, n *note, change func(*keptMethod) *problem) *problem {
	absent := noMethod(http.StatusNotFound, x.id)
	return revise(ctx, x, n, methodKind, absent, func(doc *document.Document, body *storedMethod) ([]byte, *problem) {
		k := &keptMethod{doc: doc, storedMethod: *body}
		if problem := x.completeMethod(ctx, k); problem != nil {
			return nil, problem
		}
		if problem := change(k); problem != nil {
			return nil, problem
		}
		*body = k.storedMethod
		return append(x.appendKept(nil, k), '\n'), nil
	})
}

// attach answers POST /v1/payment_methods/{id}/attach. A test card by its name
// becomes a stored payment method by it.
func (x *exchange) attach(ctx context.Context) *problem {
	p := &x.params
	customer, sent := p.text("customer", 255)
	if !sent || customer == "" {
		p.fail(missingParam("customer"))
	}
	_, _ = x.expand(methodPaths)
	n := x.note(0)
	if bad := p.problem(); bad != nil {
		return bad
	}
	owner, bad := x.loadCustomer(ctx, customer)
	switch {
	case bad != nil:
		return bad
	case owner == nil:
		return x.settle(ctx, &n, missing(http.StatusBadRequest, "customer", "customer", customer))
	}
	if token, named := strings.CutPrefix(x.id, tokenPrefix); named {
		return x.attachToken(ctx, &n, token, customer)
	}
	if _, own := x.d.parse(methodPrefix, wireid.PaymentMethod, x.id); own {
		return x.settle(ctx, &n, usedUp)
	}
	return x.reviseMethod(ctx, &n, func(k *keptMethod) *problem {
		if k.owner != "" && k.owner != customer {
			return invalid("", "The payment method you provided has already been attached to a customer.")
		}
		k.Customer, k.owner = customer, customer
		return nil
	})
}

// usedUp is a method that was used for one payment without being stored.
var usedUp = invalid("", "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment. It may not be used again. To use a PaymentMethod multiple times, you must attach it to a Customer first.")

func (x *exchange) attachToken(ctx context.Context, n *note, token, customer string) *problem {
	c := x.readToken(token)
	if c == nil {
		return x.settle(ctx, n, x.params.bad)
	}
	body := storedMethod{Version: 1, Customer: customer}
	papers, _, problem := x.methodPapers(c, body)
	if problem != nil {
		return problem
	}
	k := &keptMethod{doc: &papers[1], storedMethod: body, owner: customer}
	k.card.Method = c.method
	_, problem = x.keep(ctx, n, append(x.appendKept(nil, k), '\n'), papers...)
	return problem
}

// detach answers POST /v1/payment_methods/{id}/detach.
func (x *exchange) detach(ctx context.Context) *problem {
	n := x.note(0)
	_, _ = x.expand(methodPaths)
	if bad := x.params.problem(); bad != nil {
		return bad
	}
	return x.reviseMethod(ctx, &n, func(k *keptMethod) *problem {
		if k.owner == "" {
			return invalid("", "The payment method you provided is not attached to a customer so detachment is impossible.")
		}
		k.Customer, k.owner, k.Freed = "", "", x.d.Clock.Now().UnixMilli()
		return nil
	})
}

// listMethods answers GET /v1/payment_methods.
func (x *exchange) listMethods(ctx context.Context) *problem {
	p := &x.params
	l := p.paging()
	customer, _ := p.text("customer", 255)
	kind, typed := p.text("type", 50)
	p.ignore("allow_redisplay")
	_, _ = x.expand(below(methodPaths))
	if bad := p.problem(); bad != nil {
		return bad
	}
	kept := map[string]*keptMethod{}
	var wrong *problem
	page, more, problem := x.page(ctx, methodKind, "PaymentMethod", l, func(doc *document.Document) bool {
		if wrong != nil || typed && kind != "card" {
			return false
		}
		k := &keptMethod{}
		if wrong = x.decode(doc, &k.storedMethod); wrong != nil {
			return false
		}
		k.doc = doc
		if wrong = x.completeMethod(ctx, k); wrong != nil || customer != "" && k.owner != customer {
			return false
		}
		kept[doc.ID] = k
		return true
	})
	if problem = or(wrong, problem); problem != nil {
		return problem
	}
	x.reply(http.StatusOK, appendList(x.out(), "/v1/payment_methods", more, len(page), func(b []byte, i int) []byte {
		return x.appendKept(b, kept[page[i].ID])
	}))
	return nil
}

// freeMethods detaches all payment methods of a customer.
func (x *exchange) freeMethods(ctx context.Context, customer string) *problem {
	var wrong *problem
	his, _, problem := x.page(ctx, methodKind, "PaymentMethod", listing{limit: 1 << 30}, func(doc *document.Document) bool {
		k := &keptMethod{doc: doc}
		if wrong = or(wrong, x.decode(doc, &k.storedMethod)); wrong == nil {
			wrong = x.completeMethod(ctx, k)
		}
		if wrong != nil || k.owner != customer {
			return false
		}
		k.Customer, k.Freed = "", x.d.Clock.Now().UnixMilli()
		doc.Body, wrong = x.encode(k.storedMethod)
		return wrong == nil
	})
	if problem = or(wrong, problem); problem != nil {
		return problem
	}
	for i := range his {
		his[i].UpdatedAt = x.d.Clock.Now()
		if err := x.d.Documents.PutDocument(ctx, &his[i]); errors.Is(err, document.ErrMoved) {
			return locked(nil)
		} else if err != nil {
			return x.fault(err)
		}
	}
	return nil
}
